//! The end of a run: closed by the database's own count, then told to whoever asked and whoever listens.

use chrono::{TimeDelta, Utc};
use linkbeat_broker::{Message, PublishError, SharedBroker, Target};
use linkbeat_shared::wire::{EventMessage, RUN_FINISHED, ReportMessage};
use linkbeat_shared::{Lang, Report, Run};
use linkbeat_store::{ReportLinks, SharedStore, StoreError};
use uuid::Uuid;

/// Runs closed or announced in one go.
const PAGE: u32 = 100;
/// Most links listed in a reply.
const REPLY_LINKS: u32 = 1_000;
/// A run that ended longer ago than this and is not announced was left by somebody who stopped.
const LEFT_BEHIND: TimeDelta = TimeDelta::seconds(3);

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
        match self.store.close_finished_runs(PAGE).await {
            Ok(runs) => self.announce_all(runs).await,
            Err(error) => tracing::warn!(%error, "complete runs could not be closed; trying again"),
        }
    }

    /// Does the same, and announces what another recorder closed and left behind.
    pub(crate) async fn sweep(&self) {
        self.close_runs().await;
        match self.store.unannounced_runs(PAGE).await {
            Ok(runs) => self.announce_all(runs.into_iter().filter(left_behind)).await,
            Err(error) => tracing::warn!(%error, "closed runs could not be looked up; trying again"),
        }
    }

    async fn announce_all(&self, runs: impl IntoIterator<Item = Run>) {
        for run in runs {
            if let Err(error) = self.announce(&run).await {
                tracing::warn!(run.id = %run.id, %error, "the end of a run could not be announced; trying again");
            }
        }
    }

    async fn announce(&self, run: &Run) -> Result<(), AnnounceError> {
        let which = ReportLinks::ChangedOrFailed { limit: REPLY_LINKS };
        if let Some(report) = self.store.report(run.id, which).await? {
            self.publish(run, &report).await?;
            tracing::info!(run.id = %run.id, run.links = run.links, seconds = report.seconds(), "run finished");
        }
        self.store.mark_announced(run.id).await?;
        Ok(())
    }

    async fn publish(&self, run: &Run, report: &Report) -> Result<(), PublishError> {
        let event = Message::of(event_id(run, RUN_FINISHED), &EventMessage::run_finished(report));
        self.broker.publish(&Target::Event(RUN_FINISHED.to_owned()), event).await?;
        let Some(reply_to) = &run.reply_to else { return Ok(()) };
        let answer =
            Message::of(event_id(run, "reply"), &ReportMessage::of(report, Lang::En)).in_answer_to(reply_to);
        match self.broker.publish(&Target::Reply(reply_to.clone()), answer).await {
            // The client has gone: nothing is lost, the report is stored.
            Err(PublishError::Unroutable(queue)) => {
                tracing::info!(run.id = %run.id, queue, "nobody waits for the report any more");
                Ok(())
            }
            other => other,
        }
    }
}

fn left_behind(run: &Run) -> bool {
    run.finished_at.is_none_or(|end| Utc::now() - end > LEFT_BEHIND)
}

fn event_id(run: &Run, what: &str) -> Uuid {
    Uuid::new_v5(&run.id.0, what.as_bytes())
}
