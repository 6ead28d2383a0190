//! One batch: read, stored, told, acknowledged.

use chrono::Utc;
use futures::{StreamExt, stream};
use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, park};
use linkbeat_shared::wire::{self, EventMessage, LINK_HIDDEN, LINK_SHOWN, ResultsMessage};
use linkbeat_shared::{Change, CheckResult, JobId, LinkReport, RunId};
use linkbeat_store::{JobResults, Recorded, SharedStore, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{TICK, next_state};

/// Messages of a batch that are told and acknowledged at once.
const SETTLED_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Recording {
    broker: SharedBroker,
    store: SharedStore,
}

impl Recording {
    pub(crate) fn new(broker: SharedBroker, store: SharedStore) -> Self {
        Self { broker, store }
    }

    /// Stores a batch and settles its messages. `false`: it was given back, for another try.
    pub(crate) async fn store(&self, batch: Vec<Delivery>, shutdown: &CancellationToken) -> bool {
        let (deliveries, results) = self.read(batch).await;
        if deliveries.is_empty() {
            return false;
        }
        match self.commit(&results, shutdown).await {
            Ok(Some(recorded)) => {
                #[cfg(feature = "failpoints")]
                fail::fail_point!("recorder.committed", |_| std::process::abort());
                self.settle(deliveries, recorded).await;
                true
            }
            Ok(None) => false,
            Err(error) => {
                // One of the batch may be what the database rejects: each is tried alone.
                tracing::error!(%error, messages = deliveries.len(), "the database rejected a batch of results");
                self.store_one_by_one(deliveries, results, shutdown).await;
                true
            }
        }
    }

    /// Parses each message; unreadable ones are parked.
    async fn read(&self, batch: Vec<Delivery>) -> (Vec<Delivery>, Vec<JobResults>) {
        let mut deliveries = Vec::with_capacity(batch.len());
        let mut results = Vec::with_capacity(batch.len());
        for delivery in batch {
            match wire::decode::<ResultsMessage>(&delivery.message.body) {
                Ok(message) => {
                    results.push(job_results(message));
                    deliveries.push(delivery);
                }
                Err(error) => self.park(delivery, &error.to_string()).await,
            }
        }
        (deliveries, results)
    }

    /// One transaction; a database that is away is waited for. `None`: shut down meanwhile.
    async fn commit(
        &self,
        results: &[JobResults],
        shutdown: &CancellationToken,
    ) -> Result<Option<Vec<Recorded>>, StoreError> {
        loop {
            match self.store.record(results, next_state).await {
                Ok(recorded) => return Ok(Some(recorded)),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "results could not be stored; trying again");
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn store_one_by_one(
        &self,
        deliveries: Vec<Delivery>,
        results: Vec<JobResults>,
        shutdown: &CancellationToken,
    ) {
        for (delivery, results) in deliveries.into_iter().zip(results) {
            match self.commit(&[results], shutdown).await {
                Ok(Some(recorded)) => self.settle(vec![delivery], recorded).await,
                Ok(None) => return,
                Err(error) => self.park(delivery, &error.to_string()).await,
            }
        }
    }

    /// Tells the changes, then acknowledges. A repeat tells them again under the same ids, so that a crash
    /// between commit and acknowledgement loses no event.
    async fn settle(&self, deliveries: Vec<Delivery>, recorded: Vec<Recorded>) {
        stream::iter(deliveries.into_iter().zip(recorded))
            .for_each_concurrent(SETTLED_AT_ONCE, |(delivery, recorded)| self.settle_one(delivery, recorded))
            .await;
    }

    async fn settle_one(&self, delivery: Delivery, recorded: Recorded) {
        match recorded {
            Recorded::NotAskedFor => {
                let cause = "no job asked for these results: the job or its run is not stored";
                self.park(delivery, cause).await;
            }
            Recorded::Stored { run_id, links } => {
                if self.tell(run_id, &links).await.is_ok() {
                    // A lost session delivers it again, and storing it again changes nothing.
                    let _ = delivery.ack().await;
                }
            }
        }
    }

    async fn tell(&self, run_id: RunId, links: &[LinkReport]) -> Result<(), PublishError> {
        for link in links {
            let event = match link.change {
                None => continue,
                Some(Change::Hidden) => LINK_HIDDEN,
                Some(Change::Shown) => LINK_SHOWN,
            };
            let id = Uuid::new_v5(&run_id.0, link.id.0.as_bytes());
            let message = Message::of(id, &EventMessage::link_changed(event, run_id, link, Utc::now()));
            self.broker.publish(&Target::Event(event.to_owned()), message).await?;
        }
        Ok(())
    }

    async fn park(&self, delivery: Delivery, cause: &str) {
        tracing::error!(message.id = %delivery.message.id, cause, "a message from the results queue is parked");
        // On failure the broker is closed, and the message goes back to its queue.
        let _ = park(&*self.broker, delivery, Queue::Results, cause).await;
    }
}

fn job_results(message: ResultsMessage) -> JobResults {
    JobResults {
        run_id: RunId(message.run_id),
        job_id: JobId(message.job_id),
        results: message.results.into_iter().map(CheckResult::from).collect(),
    }
}
