//! The reconciler looks in the database for jobs that lie in the outbox for too long, and has them published.
//!
//! Of all producers one at a time looks, by a lease in the database. It never causes a storm: a look finds a limited
//! number of jobs, and they give way when many messages wait already.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::RunSize;
use linkbeat_store::{OpenJobs, Unpublished};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::line::Waiting;
use crate::outbox::{ENOUGH_WAITING, beginning};
use crate::{Outbox, ProducerError, ProducerSettings};

/// The name of the lease.
const LEASE: &str = "reconciler";
/// How long a reconciler that stopped without a word keeps others from looking, at least.
const SHORTEST_LEASE: Duration = Duration::from_secs(15);
/// How long giving up the lease may take at the end.
const RELEASE: Duration = Duration::from_secs(2);
/// Most jobs of one kind, or of one run, that are published for one look.
const JOBS_PER_LOOK: u64 = 20_000;
/// Most runs that one look finds.
const RUNS_PER_LOOK: u32 = 1_000;

/// Finds jobs that were committed but not published, rechecks, and jobs that were published and are not done for a
/// long time while nothing waits in the queues. Parked jobs are left alone.
///
/// So a crash between commit and publish, and a queue that was lost or purged, heal by themselves. It may run in
/// several producers at once.
#[derive(Debug)]
pub(crate) struct Reconciler {
    settings: ProducerSettings,
    outbox: Arc<Outbox>,
    holder: Uuid,
}

impl Reconciler {
    /// A reconciler that has its finds published by this outbox.
    pub(crate) fn new(settings: ProducerSettings, outbox: Arc<Outbox>) -> Self {
        Self { settings, outbox, holder: Uuid::now_v7() }
    }

    /// Looks every few seconds until `shutdown`.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
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
                outcome = self.reconcile() => failing = log_outage(&outcome, failing),
            }
        }
        // Where this fails the lease runs out by itself.
        let release = self.outbox.store.lease(LEASE, self.holder, Duration::ZERO);
        let _ = tokio::time::timeout(RELEASE, release).await;
    }

    async fn reconcile(&self) -> Result<(), ProducerError> {
        if !self.lease().await? {
            return Ok(());
        }
        self.publish("links to be checked again", OpenJobs::Rechecks);
        let backlog = self.outbox.backlog().await?;
        if backlog < ENOUGH_WAITING {
            self.look_for_unpublished().await?;
        }
        // A backlog is not a loss: as long as messages wait, an old job may be one of them.
        if backlog == 0 {
            self.publish("jobs that were lost", OpenJobs::PublishedFor(self.settings.republish_after()));
        }
        Ok(())
    }

    /// A run whose jobs some producer is publishing is left to it, however long that takes.
    async fn look_for_unpublished(&self) -> Result<(), ProducerError> {
        let idle = Unpublished::IdleFor(self.settings.publish_after());
        let small_runs_wait = self.outbox.small_runs_wait().await?;
        for run in self.outbox.store.unpublished_runs(idle, RUNS_PER_LOOK).await? {
            if run.size == RunSize::Small && small_runs_wait {
                continue;
            }
            let waiting = Waiting::of_run(run.id, run.size);
            let waiting = waiting.found("jobs that were never published", JOBS_PER_LOOK);
            self.outbox.join(Waiting { begins: beginning(run), ..waiting });
        }
        Ok(())
    }

    fn publish(&self, name: &'static str, jobs: OpenJobs) {
        self.outbox.join(Waiting::again(jobs).found(name, JOBS_PER_LOOK));
    }

    async fn lease(&self) -> Result<bool, ProducerError> {
        let length = (self.settings.reconcile_every() * 3).max(SHORTEST_LEASE);
        Ok(self.outbox.store.lease(LEASE, self.holder, length).await?)
    }
}

/// Logs a look that failed after one that did not, and the first that succeeds again. Returns whether it failed.
fn log_outage(outcome: &Result<(), ProducerError>, failing: bool) -> bool {
    match outcome {
        Err(error) if failing => tracing::debug!(%error, "the reconciler still cannot finish its look"),
        Err(error) => tracing::warn!(%error, "the reconciler cannot finish its look; it goes on trying"),
        Ok(()) if failing => tracing::info!("the reconciler finishes its looks again"),
        Ok(()) => {}
    }
    outcome.is_err()
}
