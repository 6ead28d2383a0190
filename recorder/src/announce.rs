//! The end of a run: closed by the database's own count, then told to whoever asked and whoever listens.
//!
//! Each end is claimed in the database just before it is told, so that of several recorders one tells it. Where
//! that one stops in the middle another tells it again when the claim has run out, with the same message ids.
//!
//! This goes on beside the recording: neither a long report nor a broker that takes no message keeps results from
//! being stored.

use std::time::Duration;

use linkbeat_broker::{Message, PublishError, SharedBroker, Target};
use linkbeat_shared::wire::{CancelMessage, EventMessage, RUN_CANCELLED, ReportMessage};
use linkbeat_shared::{Lang, ReplyTo, Report, Run, RunId, RunState, RunSummary};
use linkbeat_store::{ReportLinks, SharedStore, StoreError, Unannounced};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::TICK;
use crate::outage::Outage;

/// Runs closed in one go.
const PAGE: u32 = 100;
/// Runs claimed in one go: they are told one after the other, and those that wait can be told by others.
const CLAIMED: u32 = 1;
/// Jobs closed in one go.
const JOBS: u32 = 5_000;
/// Most links listed in a reply.
const REPLY_LINKS: u32 = 1_000;
/// How long announcing one run may take, tries included. A statement of its report may take the database 30 s.
const LIMIT: Duration = Duration::from_secs(50);
/// How long a recorder that claimed a run has to announce its end; then another does. Whoever is still at it must
/// have given up by then: of two that overtake each other neither could note that it was told.
const HOLD: Duration = Duration::from_secs(60);
const _: () = assert!(LIMIT.as_secs() < HOLD.as_secs());
/// How long the announcements may go on when the recording has ended.
const WIND_UP: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct Announcer {
    broker: SharedBroker,
    store: SharedStore,
    closing: Outage,
    telling: Outage,
    /// The one run whose end is told here; `None`: all are.
    only: Option<RunId>,
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
        let closing = Outage::when("complete runs cannot be closed");
        let telling = Outage::when("ends of runs cannot be told");
        Self { broker, store, closing, telling, only: None }
    }

    /// Leaves the ends of all other runs to others.
    pub(crate) fn only(self, run: RunId) -> Self {
        Self { only: Some(run), ..self }
    }

    /// Closes and announces runs until `recorded_all`, then once more what the last results ended. It looks when
    /// it is `woken`, and on every tick: for runs without results of their own (all links removed, none at all),
    /// cancelled ones, and what another recorder left behind.
    pub(crate) async fn run(&self, woken: &Notify, recorded_all: &CancellationToken) {
        let overdue = async {
            recorded_all.cancelled().await;
            sleep(WIND_UP).await;
        };
        tokio::select! {
            () = self.look_until(woken, recorded_all) => {}
            () = overdue => tracing::warn!("ends of runs were left to be announced by another recorder"),
        }
    }

    async fn look_until(&self, woken: &Notify, recorded_all: &CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sweep = tokio::select! {
                biased;
                () = recorded_all.cancelled() => true,
                _ = ticks.tick() => true,
                () = woken.notified() => false,
            };
            let last = recorded_all.is_cancelled();
            if self.close().await || sweep {
                self.announce_all().await;
            }
            if last {
                return;
            }
        }
    }

    /// Closes the runs that are complete: whether there were any.
    async fn close(&self) -> bool {
        match self.store.close_runs(PAGE).await {
            Ok(runs) => {
                self.closing.over();
                !runs.is_empty()
            }
            Err(error) => {
                self.closing.met(&error);
                false
            }
        }
    }

    /// Announces what has ended, one run after the other; in between others are closed.
    async fn announce_all(&self) {
        loop {
            let claimed = match self.store.unannounced_runs(self.only, CLAIMED, HOLD).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    self.telling.met(&error);
                    return;
                }
            };
            if claimed.is_empty() {
                self.telling.over();
                return;
            }
            for told in &claimed {
                if !self.announce_within(told).await {
                    // So it might be with the next: it is not claimed for nothing.
                    return;
                }
            }
            self.close().await;
        }
    }

    /// Whether it was announced.
    async fn announce_within(&self, told: &Unannounced) -> bool {
        let run = &told.run;
        match timeout(LIMIT, self.announce_patiently(told)).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::warn!(run.id = %run.id, %error, "the end of a run could not be announced; trying again");
            }
            Err(_) => {
                tracing::warn!(run.id = %run.id, "the end of a run was not announced within {LIMIT:?}; trying again");
            }
        }
        false
    }

    /// Announces a run, again and again while the database is away: nobody else may, as long as it is claimed.
    async fn announce_patiently(&self, told: &Unannounced) -> Result<(), AnnounceError> {
        loop {
            match self.announce(told).await {
                Err(AnnounceError::Store(error)) if error.is_transient() => {
                    self.telling.met(&error);
                }
                announced => return announced,
            }
            sleep(TICK).await;
        }
    }

    async fn announce(&self, told: &Unannounced) -> Result<(), AnnounceError> {
        let run = &told.run;
        if run.state == RunState::Cancelled {
            let cancel = Message::of(message_id(run, RUN_CANCELLED), &CancelMessage::new(run.id));
            self.broker.publish(&Target::Broadcast, cancel).await?;
        }
        if let Some(summary) = self.store.summary(run.id).await? {
            let (state, missing, seconds) = (run.state.as_str(), summary.missing, summary.seconds());
            self.publish(run, summary).await?;
            self.close_jobs(run).await?;
            tracing::info!(run.id = %run.id, run.links = run.links, state, missing, seconds, "run ended");
        }
        self.store.mark_announced(told).await?;
        Ok(())
    }

    /// Nobody works on the jobs of a cancelled run: what is left of them is closed.
    async fn close_jobs(&self, run: &Run) -> Result<(), StoreError> {
        let mut last = None;
        while run.state == RunState::Cancelled
            && let Some(closed) = self.store.close_jobs(run.id, last, JOBS).await?
        {
            last = Some(closed);
        }
        Ok(())
    }

    /// Publishes the event of the run's end, and the reply if one was asked for.
    async fn publish(&self, run: &Run, summary: RunSummary) -> Result<(), AnnounceError> {
        // Running again: a parked job was put back meanwhile.
        let Some(event) = EventMessage::run_ended(&summary) else { return Ok(()) };
        let target = Target::Event(event.event.clone());
        self.broker.publish(&target, Message::of(message_id(run, &event.event), &event)).await?;
        match &run.reply_to {
            Some(reply_to) => self.reply(run, summary, reply_to).await,
            None => Ok(()),
        }
    }

    async fn reply(&self, run: &Run, summary: RunSummary, to: &ReplyTo) -> Result<(), AnnounceError> {
        let links = self.store.report_links(run.id, ReportLinks::ChangedOrFailed, None, REPLY_LINKS).await?;
        let answer = answer(run, &Report::new(summary, links));
        match self.broker.publish(&Target::Reply(to.clone()), answer).await {
            // The client has gone, or reads nothing: nothing is lost, the report is stored.
            Err(error @ (PublishError::Unroutable(_) | PublishError::NotTaken { .. })) => {
                tracing::info!(run.id = %run.id, %error, "nobody takes the report");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn answer(run: &Run, report: &Report) -> Message {
    Message::of(message_id(run, "reply"), &ReportMessage::of(report, Lang::En))
}

/// The same for every try to tell the same. A run may end incomplete several times.
fn message_id(run: &Run, what: &str) -> Uuid {
    let end = run.finished_at.filter(|_| run.state == RunState::Incomplete);
    let name = end.map_or_else(|| what.to_owned(), |end| format!("{what} {}", end.timestamp_micros()));
    Uuid::new_v5(&run.id.0, name.as_bytes())
}
