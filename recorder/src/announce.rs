//! The end of a run: closed by the database's own count, then announced to whoever asked and whoever listens.
//!
//! A recorder claims each end in the database just before it announces it, so no two recorders announce the same end.
//! If that recorder stops in the middle, the claim runs out and another one announces the end again, with the same
//! message ids.
//!
//! This goes on beside the recording. Neither a long report nor a broker that takes no message keeps results from
//! being stored.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use linkbeat_broker::{Message, PublishError, SharedBroker, Target};
use linkbeat_shared::wire::{CancelMessage, EventMessage, ReportMessage};
use linkbeat_shared::{Lang, ReplyTo, Report, Run, RunId, RunState, RunSummary, derived_id};
use linkbeat_store::{RecorderStore, ReportLinks, StoreError, Unannounced};
use tokio::sync::{Mutex, Notify};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::TICK;
use crate::outage::Outage;
use crate::settle::Settler;

/// Runs closed in one go.
const PAGE: u32 = 100;
/// Runs claimed in one go. They are announced one after the other; those that wait are left for other recorders.
const CLAIMED: u32 = 1;
/// Jobs closed in one go.
const JOBS: u32 = 5_000;
/// Most links listed in a reply.
const REPLY_LINKS: u32 = 1_000;
/// How long announcing one run may take, tries included. A statement of its report may take the database 30 s.
const LIMIT: Duration = Duration::from_secs(50);
/// How long a claim holds. After that another recorder announces the end. Whoever had the claim must have given up by
/// then, because only the latest claim may be marked as announced.
const HOLD: Duration = Duration::from_secs(60);
const _: () = assert!(LIMIT.as_secs() < HOLD.as_secs());
/// How long the announcements may go on when the recording has ended.
const WIND_UP: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct Announcer {
    broker: SharedBroker,
    store: Arc<dyn RecorderStore>,
    settler: Settler,
    closing: Outage,
    announcing: Outage,
    /// The one run whose end is announced here; `None`: all are.
    only: Option<RunId>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Announcer {
    pub(crate) fn new(broker: SharedBroker, store: Arc<dyn RecorderStore>) -> Self {
        let closing = Outage::when("complete runs cannot be closed");
        let announcing = Outage::when("ends of runs cannot be announced");
        let settler = Settler::new(broker.clone(), store.clone());
        Self { broker, store, settler, closing, announcing, only: None }
    }

    /// Leaves the ends of all other runs to others.
    pub(crate) fn only(self, run: RunId) -> Self {
        Self { only: Some(run), settler: self.settler.only(run), ..self }
    }

    /// Closes and announces runs until `recorded_all`, then once more those that the last results ended. It does so when
    /// it is `woken`, and on every tick. The ticks are for runs that get no result (all links removed, none at all), for
    /// cancelled ones, and for what another recorder left behind.
    ///
    /// While a batch is `in_hand` it announces nothing: first come the changes of a run, then its end.
    pub(crate) async fn run(&self, woken: &Notify, in_hand: &Mutex<()>, recorded_all: &CancellationToken) {
        let overdue = async {
            recorded_all.cancelled().await;
            sleep(WIND_UP).await;
        };
        tokio::select! {
            () = self.close_and_announce_until(woken, in_hand, recorded_all) => {}
            () = overdue => tracing::warn!("ends of runs were left to be announced by another recorder"),
        }
    }

    async fn close_and_announce_until(
        &self,
        woken: &Notify,
        in_hand: &Mutex<()>,
        recorded_all: &CancellationToken,
    ) {
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
            let more = self.settler.settle().await;
            if self.close().await || sweep {
                self.announce_all(in_hand).await;
            }
            if more {
                woken.notify_one();
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
    async fn announce_all(&self, in_hand: &Mutex<()>) {
        self.settler.tell().await;
        loop {
            drop(in_hand.lock().await);
            let claimed = match self.store.unannounced_runs(self.only, CLAIMED, HOLD).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    self.announcing.met(&error);
                    return;
                }
            };
            if claimed.is_empty() {
                self.announcing.over();
                return;
            }
            for claim in &claimed {
                if !self.announce_within(claim).await {
                    // The next might fail as well, so it is not claimed.
                    return;
                }
            }
            self.close().await;
        }
    }

    /// Whether it was announced.
    async fn announce_within(&self, claim: &Unannounced) -> bool {
        let run = &claim.run;
        match timeout(LIMIT, self.announce_patiently(claim)).await {
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

    /// Announces a run, again and again while the database is away. As long as it is claimed, nobody else may.
    async fn announce_patiently(&self, claim: &Unannounced) -> Result<(), AnnounceError> {
        loop {
            match self.announce(claim).await {
                Err(AnnounceError::Store(error)) if error.is_transient() => {
                    self.announcing.met(&error);
                }
                announced => return announced,
            }
            sleep(TICK).await;
        }
    }

    async fn announce(&self, claim: &Unannounced) -> Result<(), AnnounceError> {
        let run = &claim.run;
        if run.state == RunState::Cancelled {
            let cancel = Message::of(derived_id::cancel_broadcast(run.id), &CancelMessage::new(run.id));
            self.broker.publish(&Target::Broadcast, cancel.traced(run.trace.as_ref())).await?;
        }
        if let Some(summary) = self.store.summary(run.id).await? {
            let (state, missing, seconds) = (run.state.as_str(), summary.missing, summary.seconds());
            self.publish(run, summary).await?;
            self.close_jobs(run).await?;
            tracing::info!(run.id = %run.id, run.links = run.links, state, missing, seconds, "run ended");
        }
        self.store.mark_announced(claim).await?;
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
        let id = derived_id::run_ended_event(run.id, &event.event, end_told_apart(run));
        self.broker.publish(&target, Message::of(id, &event).traced(run.trace.as_ref())).await?;
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
    let id = derived_id::report_reply(run.id, run.state.as_str(), end_told_apart(run));
    Message::of(id, &ReportMessage::of(report, Lang::En)).traced(run.trace.as_ref())
}

/// What tells one end of a run from its others: a run may end incomplete several times.
fn end_told_apart(run: &Run) -> Option<DateTime<Utc>> {
    run.finished_at.filter(|_| run.state == RunState::Incomplete)
}
