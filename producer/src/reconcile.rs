//! The reconciler: what lies in the outbox for too long is published.
//!
//! Of all producers one at a time looks, by a lease in the database. It is never the cause of a storm: a look
//! publishes a limited number of jobs, and stops when many wait.

use std::time::Duration;

use linkbeat_broker::{PublishError, Queue, SharedBroker};
use linkbeat_store::{OpenJobs, SharedStore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::enqueue::enqueue_page;
use crate::{ProducerError, ProducerSettings};

/// The name of the lease.
const LEASE: &str = "reconciler";
/// How long a reconciler that stopped without a word keeps others from looking, at least.
const SHORTEST_LEASE: Duration = Duration::from_secs(15);
/// How long giving up the lease may take at the end.
const RELEASE: Duration = Duration::from_secs(2);
/// Most jobs published in one look.
const JOBS_PER_LOOK: u64 = 20_000;
/// So many messages that wait are work enough: nothing is added to them.
const ENOUGH_WAITING: u64 = 10_000;

/// Publishes jobs that were committed but not published, rechecks, and jobs that were published and are not done
/// for a long time while nothing waits in the queues. Parked jobs are left alone.
///
/// So a crash between commit and publish, and a queue that was lost or purged, heal by themselves. It may run in
/// several producers at once.
#[derive(Debug)]
pub struct Reconciler {
    settings: ProducerSettings,
    broker: SharedBroker,
    store: SharedStore,
    holder: Uuid,
}

impl Reconciler {
    /// A reconciler on these servers.
    pub fn new(settings: ProducerSettings, broker: SharedBroker, store: SharedStore) -> Self {
        Self { settings, broker, store, holder: Uuid::now_v7() }
    }

    /// Looks every few seconds until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.reconcile_every());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                outcome = self.look() => failing = told(&outcome, failing),
            }
        }
        // Where this fails the lease runs out by itself.
        let _ = tokio::time::timeout(RELEASE, self.store.lease(LEASE, self.holder, Duration::ZERO)).await;
    }

    async fn look(&self) -> Result<(), ProducerError> {
        if !self.lease().await? {
            return Ok(());
        }
        let mut left = JOBS_PER_LOOK;
        self.publish("links to be looked at again", OpenJobs::Rechecks, &mut left).await?;
        // While a producer is at it with a large run, its later jobs are unpublished for long: they are not lost.
        if self.waiting().await? < ENOUGH_WAITING {
            let unpublished = OpenJobs::UnpublishedFor(self.settings.publish_after());
            self.publish("jobs that were never published", unpublished, &mut left).await?;
        }
        // A backlog is not a loss: as long as messages wait, an old job may be one of them.
        if self.waiting().await? == 0 {
            let stale = OpenJobs::PublishedFor(self.settings.republish_after());
            self.publish("jobs that were lost", stale, &mut left).await?;
        }
        Ok(())
    }

    /// Publishes page after page, as long as the lease is kept, there is room, and `left` allows.
    async fn publish(&self, what: &str, which: OpenJobs, left: &mut u64) -> Result<(), ProducerError> {
        let (mut after, mut published) = (None, 0);
        while *left > 0
            && let Some(page) = enqueue_page(&self.broker, &self.store, which, after).await?
        {
            after = Some(page.last);
            published += page.jobs;
            *left = left.saturating_sub(page.jobs);
            if !self.lease().await? || self.waiting().await? >= ENOUGH_WAITING {
                *left = 0;
            }
        }
        if published > 0 {
            tracing::warn!(jobs = published, "published {what}");
        }
        Ok(())
    }

    async fn lease(&self) -> Result<bool, ProducerError> {
        let length = (self.settings.reconcile_every() * 3).max(SHORTEST_LEASE);
        Ok(self.store.lease(LEASE, self.holder, length).await?)
    }

    /// Messages between producer and recorder that nobody has taken yet.
    async fn waiting(&self) -> Result<u64, ProducerError> {
        let mut waiting = 0;
        for queue in [Queue::JOBS, Queue::SUSPECTS, Queue::ISOLATED, Queue::RESULTS] {
            waiting += self.broker.waiting(&queue).await.map_err(PublishError::from)?;
        }
        Ok(waiting)
    }
}

/// Tells of a look that failed after one that did not, and of the first that does again; whether it failed.
fn told(look: &Result<(), ProducerError>, failing: bool) -> bool {
    match look {
        Err(error) if failing => tracing::debug!(%error, "the reconciler still cannot finish its look"),
        Err(error) => tracing::warn!(%error, "the reconciler cannot finish its look; it goes on trying"),
        Ok(()) if failing => tracing::info!("the reconciler finishes its looks again"),
        Ok(()) => {}
    }
    look.is_err()
}
