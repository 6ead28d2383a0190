//! RESULTS -> STORED.
//!
//! Results come from the queue `linkbeat.results` in batches. Each batch is one transaction, in which the rules decide
//! what is shown ([`Rules`]). Only after the commit are changes published and the messages acknowledged.
//!
//! Besides, the recorder carries out what results only proposed ([`settle`]), closes and announces the runs that ended, and makes the partitions of the table of checks
//! ahead ([`partitions`]).

mod announce;
mod identity;
mod outage;
mod partitions;
mod record;
mod rules;
mod settings;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use linkbeat_broker::{Delivery, Queue, SharedBroker, Subscription};
use linkbeat_shared::RunId;
use linkbeat_store::RecorderStore;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub use rules::Rules;
pub use settings::RecorderSettings;

use crate::announce::{AnnounceError, Announcer};
use crate::partitions::PartitionMaker;
use crate::record::Recording;

/// How often runs that ended are looked for without a sign of them, and how often a database that failed is tried
/// again.
const TICK: Duration = Duration::from_millis(500);

/// The role `recorder`.
#[derive(Debug)]
pub struct Recorder {
    settings: RecorderSettings,
    broker: SharedBroker,
    recording: Recording,
    announcer: Announcer,
    partitions: PartitionMaker,
}

impl Recorder {
    /// A recorder on these servers.
    pub fn new(settings: RecorderSettings, broker: SharedBroker, store: Arc<dyn RecorderStore>) -> Self {
        Self {
            recording: Recording::new(broker.clone(), store.clone()),
            announcer: Announcer::new(broker.clone(), store.clone()),
            partitions: PartitionMaker::new(store),
            settings,
            broker,
        }
    }

    /// The same, but it announces the end of this run alone. That is for a process whose broker nobody else listens to:
    /// the end of another run would reach neither that run's workers nor whoever asked for it.
    #[must_use]
    pub fn only(self, run: RunId) -> Self {
        Self { announcer: self.announcer.only(run), ..self }
    }

    /// Records until `shutdown`; a batch at hand is stored and acknowledged first, and what it ended is announced.
    pub async fn run(&self, shutdown: CancellationToken) {
        let (stored, in_hand, recorded_all) = (Notify::new(), Mutex::new(()), CancellationToken::new());
        let recording = async {
            let _ended = recorded_all.clone().drop_guard();
            self.record(&shutdown, &stored, &in_hand).await;
        };
        // All in this one task: where one panics, all end, and whoever runs the recorder notices.
        tokio::join!(
            recording,
            // Boxed: together they would make a large future.
            Box::pin(self.announcer.run(&stored, &in_hand, &recorded_all)),
            Box::pin(self.partitions.run(&recorded_all))
        );
    }

    /// `in_hand` is locked from the moment a batch is stored until its changes are published.
    async fn record(&self, shutdown: &CancellationToken, stored: &Notify, in_hand: &Mutex<()>) {
        let Ok(mut results) = self.broker.subscribe(&Queue::RESULTS, self.settings.batch_messages).await
        else {
            return;
        };
        loop {
            let first = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                first = results.next() => first,
            };
            let Some(first) = first else { return };
            let batch = self.batch(first, &mut *results).await;
            let in_hand = in_hand.lock().await;
            let has_stored = self.recording.store(batch, shutdown).await;
            drop(in_hand);
            if has_stored {
                stored.notify_one();
            }
        }
        results.stop().await;
    }

    /// With the first all that is there, up to the limit. Where there is more than one, and so more to come, it
    /// waits a little for the rest.
    async fn batch(&self, first: Delivery, results: &mut dyn Subscription) -> Vec<Delivery> {
        let full = usize::from(self.settings.batch_messages);
        let mut batch = vec![first];
        while batch.len() < full
            && let Some(Some(delivery)) = results.next().now_or_never()
        {
            batch.push(delivery);
        }
        let until = Instant::now() + Duration::from_millis(self.settings.batch_wait_ms);
        while (2..full).contains(&batch.len())
            && let Ok(Some(delivery)) = timeout_at(until, results.next()).await
        {
            batch.push(delivery);
        }
        batch
    }
}
