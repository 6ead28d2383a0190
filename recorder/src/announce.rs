//! The end of a run: closed by the database's own count, then announced to whoever asked and whoever listens.
//!
//! A recorder claims each end in the database just before it announces it, so no two recorders announce the same end.
//! If that recorder stops in the middle, the claim runs out and another one announces the end again, with the same
//! message ids.
//!
//! This goes on beside the recording. Neither a long report nor a broker that takes no message keeps results from
//! being stored. Many ends are announced at the same time, so that an answer which nobody takes holds up no other one
//! ([`Places`]).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use linkbeat_broker::{Message, PublishError, SharedBroker, Target};
use linkbeat_shared::wire::{CancelMessage, EventMessage, ReportMessage};
use linkbeat_shared::{Lang, ReplyTo, Report, Run, RunId, RunState, RunSummary, derived_id};
use linkbeat_store::{RecorderStore, ReportLinks, StoreError, Unannounced};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::TICK;
use crate::in_hand::InHand;
use crate::outage::Outage;
use crate::places::{Place, Places};
use crate::settle::Settler;

/// Runs closed in one go.
const PAGE: u32 = 100;
/// Runs claimed in one go. There is a place for it, so its announcement begins at once.
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
    /// First come the changes of a run, then its end.
    in_hand: Arc<InHand>,
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
    /// Another answer to the same asker is under way, and has been for long.
    #[error("whoever asked takes no answer at the moment")]
    AskerStuck,
}

impl Announcer {
    /// `in_hand`: what is being recorded.
    pub(crate) fn new(broker: SharedBroker, store: Arc<dyn RecorderStore>, in_hand: Arc<InHand>) -> Self {
        let closing = Outage::when("complete runs cannot be closed");
        let announcing = Outage::when("ends of runs cannot be announced");
        let settler = Settler::new(broker.clone(), store.clone());
        Self { broker, store, settler, in_hand, closing, announcing, only: None }
    }

    /// Leaves the ends of all other runs to others.
    pub(crate) fn only(self, run: RunId) -> Self {
        Self { only: Some(run), settler: self.settler.only(run), ..self }
    }

    /// Closes and announces runs until `recorded_all`, then once more those that the last results ended. It does so when
    /// it is `woken`, and on every tick. The ticks are for runs that get no result (all links removed, none at all), for
    /// cancelled ones, and for what another recorder left behind.
    pub(crate) async fn run(&self, woken: &Notify, recorded_all: &CancellationToken) {
        let overdue = async {
            recorded_all.cancelled().await;
            sleep(WIND_UP).await;
        };
        let (ended, closed_all) = (Notify::new(), CancellationToken::new());
        let work = async {
            tokio::join!(
                self.close_until(recorded_all, woken, &ended, &closed_all),
                self.announce_until(&closed_all, &ended)
            )
        };
        tokio::select! {
            _ = work => {}
            () = overdue => tracing::warn!("ends of runs were left to be announced by another recorder"),
        }
    }

    /// Settles proposals and closes runs. `ended` is notified when there may be something to announce.
    async fn close_until(
        &self,
        recorded_all: &CancellationToken,
        woken: &Notify,
        ended: &Notify,
        closed_all: &CancellationToken,
    ) {
        let _closed_all = closed_all.clone().drop_guard();
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
            let closed = self.close().await;
            if closed > 0 || sweep {
                self.settler.tell().await;
                ended.notify_one();
            }
            if last {
                return;
            }
            if more || closed >= PAGE as usize {
                woken.notify_one();
            }
        }
    }

    /// Closes the runs that are complete: how many there were.
    async fn close(&self) -> usize {
        match self.store.close_runs(PAGE).await {
            Ok(runs) => {
                self.closing.over();
                runs.len()
            }
            Err(error) => {
                self.closing.met(&error);
                0
            }
        }
    }

    /// Announces what has ended, many at the same time, until all is closed and announced.
    async fn announce_until(&self, closed_all: &CancellationToken, ended: &Notify) {
        let places = Places::default();
        let claims = stream::unfold(&places, |places| async move {
            Some((self.next(places, closed_all, ended).await?, places))
        });
        // As many as there are places.
        claims.for_each_concurrent(None, |(claim, place)| self.announce_in(place, claim)).await;
    }

    /// The next run whose end is to be announced, and a place for it. `None`: all is closed, and there is none.
    async fn next<'a>(
        &self,
        places: &'a Places,
        closed_all: &CancellationToken,
        ended: &Notify,
    ) -> Option<(Unannounced, Place<'a>)> {
        loop {
            let place = places.take().await;
            let last = closed_all.is_cancelled();
            match self.store.unannounced_runs(self.only, CLAIMED, HOLD).await.map(|mut claimed| claimed.pop())
            {
                Ok(Some(claim)) => return Some((claim, place)),
                Ok(None) => self.announcing.over(),
                Err(error) => self.announcing.met(&error),
            }
            drop(place);
            if last {
                return None;
            }
            tokio::select! {
                () = ended.notified() => {}
                () = closed_all.cancelled() => {}
            }
        }
    }

    /// Announces a run, as long as others do not need its place. What is not announced is claimed again later.
    async fn announce_in(&self, place: Place<'_>, claim: Unannounced) {
        let run = claim.run.id;
        let announcing = timeout(LIMIT, self.announce_patiently(&claim, &place));
        match place.make_room.run_until_cancelled(announcing).await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(AnnounceError::AskerStuck))) | None => {
                tracing::info!(run.id = %run, "whoever asked takes no answer for long; trying again in a minute");
            }
            Some(Ok(Err(error))) => {
                tracing::warn!(run.id = %run, %error, "the end of a run could not be announced; trying again");
            }
            Some(Err(_)) => {
                tracing::warn!(run.id = %run, "the end of a run was not announced within {LIMIT:?}; trying again");
            }
        }
    }

    /// Announces a run, again and again while the database is away. As long as it is claimed, nobody else may.
    async fn announce_patiently(&self, claim: &Unannounced, place: &Place<'_>) -> Result<(), AnnounceError> {
        self.in_hand.let_go(claim.run.id).await;
        loop {
            match self.announce(claim, place).await {
                Err(AnnounceError::Store(error)) if error.is_transient() => {
                    self.announcing.met(&error);
                }
                announced => return announced,
            }
            sleep(TICK).await;
        }
    }

    async fn announce(&self, claim: &Unannounced, place: &Place<'_>) -> Result<(), AnnounceError> {
        let run = &claim.run;
        if run.state == RunState::Cancelled {
            let cancel = Message::of(derived_id::cancel_broadcast(run.id), &CancelMessage::new(run.id));
            self.broker.publish(&Target::Broadcast, cancel.traced(run.trace.as_ref())).await?;
        }
        if let Some(summary) = self.store.summary(run.id).await? {
            let (state, missing, seconds) = (run.state.as_str(), summary.missing, summary.seconds());
            self.publish(run, summary, place).await?;
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
    async fn publish(&self, run: &Run, summary: RunSummary, place: &Place<'_>) -> Result<(), AnnounceError> {
        // Running again: a parked job was put back meanwhile.
        let Some(event) = EventMessage::run_ended(&summary) else { return Ok(()) };
        let target = Target::Event(event.event.clone());
        let id = derived_id::run_ended_event(run.id, &event.event, end_told_apart(run));
        self.broker.publish(&target, Message::of(id, &event).traced(run.trace.as_ref())).await?;
        match &run.reply_to {
            Some(to) if place.may_answer(&to.queue) => self.reply(run, summary, to).await,
            Some(_) => Err(AnnounceError::AskerStuck),
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
