//! RESULTS -> STORED.
//!
//! Results come from the queue `linkbeat.results` in batches; each batch is one transaction in which the
//! rules decide what is shown ([`rule`]). Only after the commit are changes told to the world and the
//! messages acknowledged. A run whose last link is
//! stored, or in a parked job, is closed and announced; so is one that was cancelled.

mod announce;
mod record;
mod rules;
mod settings;

use std::time::Duration;

use linkbeat_broker::{Delivery, Queue, SharedBroker, Subscription};
use linkbeat_store::SharedStore;
use tokio_util::sync::CancellationToken;

pub use rules::rule;
pub use settings::RecorderSettings;

use crate::announce::Announcer;
use crate::record::Recording;

/// How often runs without results of their own (all links removed, none at all) are looked for, and how
/// often a database that failed is tried again.
const TICK: Duration = Duration::from_millis(500);

/// The role `recorder`.
#[derive(Debug)]
pub struct Recorder {
    settings: RecorderSettings,
    broker: SharedBroker,
    recording: Recording,
    announcer: Announcer,
}

impl Recorder {
    /// A recorder on these servers.
    pub fn new(settings: RecorderSettings, broker: SharedBroker, store: SharedStore) -> Self {
        Self {
            recording: Recording::new(broker.clone(), store.clone()),
            announcer: Announcer::new(broker.clone(), store),
            settings,
            broker,
        }
    }

    /// Records until `shutdown`; a batch at hand is stored and acknowledged first.
    pub async fn run(&self, shutdown: CancellationToken) {
        let Ok(mut results) = self.broker.subscribe(Queue::Results, self.settings.batch_messages).await
        else {
            return;
        };
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let batch = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {
                    self.announcer.sweep().await;
                    continue;
                }
                batch = self.next_batch(&mut *results) => batch,
            };
            let Some(batch) = batch else { return };
            if self.recording.store(batch, &shutdown).await {
                self.announcer.close_runs().await;
            }
        }
        results.stop().await;
    }

    /// All that is there, up to the limit; waits only when there is nothing. Cancel safe: once it holds a
    /// message it does not wait.
    async fn next_batch(&self, results: &mut dyn Subscription) -> Option<Vec<Delivery>> {
        let mut batch = vec![results.next().await?];
        while batch.len() < usize::from(self.settings.batch_messages) {
            match futures::FutureExt::now_or_never(results.next()) {
                Some(Some(delivery)) => batch.push(delivery),
                Some(None) | None => break,
            }
        }
        Some(batch)
    }
}
