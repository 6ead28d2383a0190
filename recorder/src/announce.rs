//! The end of a run: closed by the database's own count, then told to whoever asked and whoever listens.
//!
//! Each end is claimed in the database before it is told, so that of several recorders one tells it. Where that
//! one stops in the middle another tells it again, with the same message ids.

use std::time::Duration;

use linkbeat_broker::{Message, PublishError, SharedBroker, Target};
use linkbeat_shared::wire::{CancelMessage, EventMessage, RUN_CANCELLED, ReportMessage};
use linkbeat_shared::{Lang, Report, Run, RunState};
use linkbeat_store::{ReportLinks, SharedStore, StoreError, Unannounced};
use uuid::Uuid;

/// Runs closed or announced in one go.
const PAGE: u32 = 100;
/// Most links listed in a reply.
const REPLY_LINKS: u32 = 1_000;
/// How long a recorder that claimed a run has to announce its end; then another does.
const HOLD: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Announcer {
    broker: SharedBroker,
    store: SharedStore,
}

#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Announcer {
    pub(crate) fn new(broker: SharedBroker, store: SharedStore) -> Self {
        Self { broker, store }
    }

    /// Closes the runs that are complete and announces them.
    pub(crate) async fn close_runs(&self) {
        if self.close().await {
            self.announce_all().await;
        }
    }

    /// Does the same, and announces cancelled runs and what another recorder closed and left behind.
    pub(crate) async fn sweep(&self) {
        self.close().await;
        self.announce_all().await;
    }

    /// Whether runs were closed.
    async fn close(&self) -> bool {
        match self.store.close_runs(PAGE).await {
            Ok(runs) => !runs.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "complete runs could not be closed; trying again");
                false
            }
        }
    }

    async fn announce_all(&self) {
        let runs = match self.store.unannounced_runs(PAGE, HOLD).await {
            Ok(runs) => runs,
            Err(error) => {
                tracing::warn!(%error, "runs that ended could not be looked up; trying again");
                return;
            }
        };
        for told in runs {
            if let Err(error) = self.announce(&told).await {
                tracing::warn!(run.id = %told.run.id, %error, "the end of a run could not be announced; trying again");
            }
        }
    }

    async fn announce(&self, told: &Unannounced) -> Result<(), AnnounceError> {
        let run = &told.run;
        let which = ReportLinks::ChangedOrFailed { limit: REPLY_LINKS };
        if run.state == RunState::Cancelled {
            let cancel = Message::of(message_id(run, RUN_CANCELLED), &CancelMessage::new(run.id));
            self.broker.publish(&Target::Broadcast, cancel).await?;
        }
        if let Some(report) = self.store.report(run.id, which).await? {
            self.publish(run, &report).await?;
            let (state, missing, seconds) = (run.state.as_str(), report.missing, report.seconds());
            tracing::info!(run.id = %run.id, run.links = run.links, state, missing, seconds, "run ended");
        }
        self.store.mark_announced(told).await?;
        Ok(())
    }

    async fn publish(&self, run: &Run, report: &Report) -> Result<(), PublishError> {
        // Running again: a parked job was put back meanwhile.
        let Some(event) = EventMessage::run_ended(report) else { return Ok(()) };
        let target = Target::Event(event.event.clone());
        self.broker.publish(&target, Message::of(message_id(run, &event.event), &event)).await?;
        let Some(reply_to) = &run.reply_to else { return Ok(()) };
        let answer = Message::of(message_id(run, "reply"), &ReportMessage::of(report, Lang::En))
            .in_answer_to(reply_to);
        match self.broker.publish(&Target::Reply(reply_to.clone()), answer).await {
            // The client has gone, or reads nothing: nothing is lost, the report is stored.
            Err(error @ (PublishError::Unroutable(_) | PublishError::NotTaken { .. })) => {
                tracing::info!(run.id = %run.id, %error, "nobody takes the report");
                Ok(())
            }
            other => other,
        }
    }
}

/// The same for every try to tell the same. A run may end incomplete several times.
fn message_id(run: &Run, what: &str) -> Uuid {
    let end = run.finished_at.filter(|_| run.state == RunState::Incomplete);
    let name = end.map_or_else(|| what.to_owned(), |end| format!("{what} {}", end.timestamp_micros()));
    Uuid::new_v5(&run.id.0, name.as_bytes())
}
