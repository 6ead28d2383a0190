//! Tells how far runs have come while they go on, where somebody asked for it.
//!
//! The database keeps when that was told last. So several recorders together tell it no more often than one.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{Message, SharedBroker, Target};
use linkbeat_shared::wire::{EventMessage, RUN_PROGRESS};
use linkbeat_shared::{RunId, RunState, derived_id};
use linkbeat_store::RecorderStore;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::AnnounceError;
use crate::outage::Outage;

/// How often it is looked for, and the least time between two events of one run.
const GAP: Duration = Duration::from_millis(500);
/// Runs told of at each look.
const PAGE: u32 = 100;
/// How long one look may take. What is not told then is told later, with what came meanwhile.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Progress {
    broker: SharedBroker,
    store: Arc<dyn RecorderStore>,
    outage: Outage,
}

impl Progress {
    pub(crate) fn new(broker: SharedBroker, store: Arc<dyn RecorderStore>) -> Self {
        Self { broker, store, outage: Outage::when("the progress of runs cannot be told") }
    }

    /// Tells it until `recorded_all`.
    pub(crate) async fn run(&self, recorded_all: &CancellationToken) {
        let mut ticks = interval(GAP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let telling = async {
            loop {
                ticks.tick().await;
                match timeout(LIMIT, self.tell()).await {
                    Ok(Err(AnnounceError::Store(error))) => self.outage.met(&error),
                    Ok(Err(AnnounceError::Publish(error))) => {
                        tracing::warn!(%error, "the progress of a run could not be told");
                    }
                    Ok(Ok(())) => self.outage.over(),
                    // Progress is told to nobody in particular.
                    Ok(Err(AnnounceError::AskerStuck)) | Err(_) => {}
                }
            }
        };
        tokio::select! {
            () = telling => {}
            () = recorded_all.cancelled() => {}
        }
    }

    async fn tell(&self) -> Result<(), AnnounceError> {
        for run in self.store.runs_further(PAGE, GAP).await? {
            self.tell_of(run).await?;
        }
        Ok(())
    }

    async fn tell_of(&self, run: RunId) -> Result<(), AnnounceError> {
        let summary = self.store.summary(run).await?;
        let Some(summary) = summary.filter(|run| run.state == RunState::Running) else { return Ok(()) };
        let done = summary.counts.checked + summary.counts.white_listed;
        let event = EventMessage::run_progress(&summary, Utc::now());
        let message = Message::of(derived_id::run_progress_event(run, done), &event);
        self.broker.publish(&Target::Event(RUN_PROGRESS.to_owned()), message).await?;
        Ok(())
    }
}
