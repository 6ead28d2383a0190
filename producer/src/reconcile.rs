use linkbeat_broker::{PublishError, Queue, SharedBroker};
use linkbeat_store::{OpenJobs, SharedStore};
use tokio_util::sync::CancellationToken;

use crate::{ProducerError, ProducerSettings, enqueue_all};

/// Publishes jobs that were committed but not published, or published and not done for a long time while
/// nothing waits in the queues.
///
/// So a crash between commit and publish, and a queue that was lost or purged, heal by themselves. It may run in
/// several producers at once: a job published twice is harmless.
#[derive(Debug)]
pub struct Reconciler {
    settings: ProducerSettings,
    broker: SharedBroker,
    store: SharedStore,
}

impl Reconciler {
    /// A reconciler on these servers.
    pub fn new(settings: ProducerSettings, broker: SharedBroker, store: SharedStore) -> Self {
        Self { settings, broker, store }
    }

    /// Looks every few seconds until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.reconcile_every());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.look() => if let Err(error) = outcome {
                    tracing::warn!(%error, "the reconciler could not finish its look; it looks again");
                }
            }
        }
    }

    async fn look(&self) -> Result<(), ProducerError> {
        self.publish(
            "jobs that were never published",
            OpenJobs::UnpublishedFor(self.settings.publish_after()),
        )
        .await?;
        // A backlog is not a loss: as long as messages wait, an old job may be one of them.
        if self.waiting().await? == 0 {
            let stale = OpenJobs::PublishedFor(self.settings.republish_after());
            self.publish("jobs that were lost", stale).await?;
        }
        Ok(())
    }

    async fn publish(&self, what: &str, which: OpenJobs) -> Result<(), ProducerError> {
        let jobs = enqueue_all(&self.broker, &self.store, which).await?;
        if jobs > 0 {
            tracing::warn!(jobs, "published {what}");
        }
        Ok(())
    }

    /// Messages between producer and recorder that nobody has taken yet.
    async fn waiting(&self) -> Result<u64, ProducerError> {
        let jobs = self.broker.waiting(Queue::Jobs).await.map_err(PublishError::from)?;
        let results = self.broker.waiting(Queue::Results).await.map_err(PublishError::from)?;
        Ok(jobs + results)
    }
}
