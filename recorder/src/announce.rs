//! The end of a run: closed by the database's own count, then announced to whoever asked and whoever listens.
//!
//! A recorder claims each end in the database just before it announces it, so no two recorders announce the same end.
//! If that recorder stops in the middle, the claim runs out and another one announces the end again, with the same
//! message ids.
//!
//! This goes on beside the recording. Neither a long report nor a broker that takes no message keeps results from
//! being stored. An answer that nobody takes holds up no other one ([`Places`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::future::join_all;
use linkbeat_broker::{Message, PublishError, SharedBroker, Target};
use linkbeat_shared::wire::{CancelMessage, EventMessage, ReportMessage};
use linkbeat_shared::{Asker, Report, Run, RunId, RunState, RunSummary, derived_id};
use linkbeat_store::{RecorderStore, ReportLinks, StoreError, Unannounced};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::TICK;
use crate::in_hand::InHand;
use crate::outage::Outage;
use crate::places::{AT_ONCE, Place, Places};
use crate::settle::Settler;
use crate::signs::{Sign, Signs};

/// Runs closed in one go.
const PAGE: u32 = 100;
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
    places: Arc<Places>,
    /// First come the changes of a run, then its end.
    in_hand: Arc<InHand>,
    /// More ends may wait to be claimed than there were places.
    left: AtomicBool,
    /// The one run whose end is announced here; `None`: all are.
    only: Option<RunId>,
}

/// An end to be announced, and the place that it takes.
#[derive(Debug)]
struct Claimed {
    claim: Unannounced,
    place: Place,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Another answer to the same asker has been under way for long.
    #[error("whoever asked takes no answer at the moment")]
    AskerStuck,
}

impl Announcer {
    /// `in_hand`: what is being recorded.
    pub(crate) fn new(broker: SharedBroker, store: Arc<dyn RecorderStore>, in_hand: Arc<InHand>) -> Self {
        let closing = Outage::when("complete runs cannot be closed");
        let announcing = Outage::when("ends of runs cannot be announced");
        let settler = Settler::new(broker.clone(), store.clone());
        let (places, left) = (Arc::default(), AtomicBool::new(false));
        Self { broker, store, settler, closing, announcing, places, in_hand, left, only: None }
    }

    /// Leaves the ends of all other runs to others.
    pub(crate) fn only(self, run: RunId) -> Self {
        Self { only: Some(run), settler: self.settler.only(run), ..self }
    }

    /// Closes and announces runs until `recorded_all`, then once more those that the last results ended. It does so at
    /// each sign, and on every tick. The ticks are for runs that get no result (all links removed, none at all), for
    /// cancelled ones, and for what another recorder left behind.
    pub(crate) async fn run(&self, signs: &Signs, recorded_all: &CancellationToken) {
        let (claims, claimed) = mpsc::channel(AT_ONCE);
        let overdue = async {
            recorded_all.cancelled().await;
            sleep(WIND_UP).await;
        };
        let ending = async {
            tokio::join!(
                Box::pin(self.find_ends(signs, recorded_all, claims)),
                Box::pin(self.announce_all(claimed, signs))
            )
        };
        tokio::select! {
            _ = ending => {}
            () = overdue => tracing::warn!("ends of runs were left to be announced by another recorder"),
        }
    }

    /// Finds runs that are at their end, closes them, and claims their ends.
    async fn find_ends(
        &self,
        signs: &Signs,
        recorded_all: &CancellationToken,
        claims: mpsc::Sender<Claimed>,
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sign = tokio::select! {
                biased;
                () = recorded_all.cancelled() => break,
                // Before the signs: under load there is always one.
                _ = ticks.tick() => None,
                sign = signs.next() => Some(sign),
            };
            match sign {
                None => self.look(true, signs, &claims).await,
                Some(Sign { complete, look }) => {
                    self.end(complete, &claims).await;
                    if look {
                        self.look(false, signs, &claims).await;
                    }
                }
            }
        }
        self.look(true, signs, &claims).await;
        // As long as there is more than can be announced at once.
        while self.left.load(Ordering::Relaxed) {
            self.places.one_left().await;
            self.look(true, signs, &claims).await;
        }
    }

    /// Ends runs of which every result has just been stored.
    async fn end(&self, mut complete: Vec<RunId>, claims: &mpsc::Sender<Claimed>) {
        complete.retain(|run| self.only.is_none_or(|only| only == *run));
        let room = self.places.room();
        if complete.len() > room {
            self.places.make_room();
        }
        // The others are found on a tick.
        complete.truncate(room);
        if complete.is_empty() {
            return;
        }
        match self.store.end_runs(&complete, HOLD).await {
            Ok(ended) => {
                self.closing.over();
                self.hand_on(ended, claims).await;
            }
            Err(error) => self.closing.met(&error),
        }
    }

    /// Carries out proposals, and closes what is complete. Where that ended a run, claims it; with `all`, also whatever
    /// else ended and was not announced.
    async fn look(&self, all: bool, signs: &Signs, claims: &mpsc::Sender<Claimed>) {
        let more = self.settler.settle().await;
        if self.close().await || all || self.left.load(Ordering::Relaxed) {
            self.settler.tell().await;
            self.claim(claims).await;
        }
        if more {
            signs.look();
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

    /// Claims ends of runs, as many as can be announced at once. The others are left, also for other recorders.
    async fn claim(&self, claims: &mpsc::Sender<Claimed>) {
        let room = self.places.room();
        if room == 0 {
            self.places.make_room();
            self.left.store(true, Ordering::Relaxed);
            return;
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        match self.store.unannounced_runs(self.only, limit, HOLD).await {
            Ok(claimed) => {
                self.left.store(claimed.len() == room, Ordering::Relaxed);
                if claimed.is_empty() {
                    self.announcing.over();
                }
                self.hand_on(claimed, claims).await;
            }
            Err(error) => self.announcing.met(&error),
        }
    }

    /// Has them announced. Nobody else takes places, so there is one for each.
    async fn hand_on(&self, claimed: Vec<Unannounced>, claims: &mpsc::Sender<Claimed>) {
        for claim in claimed {
            let Some(place) = self.places.take() else { return };
            if claims.send(Claimed { claim, place }).await.is_err() {
                return;
            }
        }
    }

    /// Announces what was claimed. An answer that takes long holds up none of the others.
    async fn announce_all(&self, claimed: mpsc::Receiver<Claimed>, signs: &Signs) {
        let claimed =
            futures::stream::unfold(claimed, async |mut claimed| Some((claimed.recv().await?, claimed)));
        let announce = |Claimed { claim, place }| async move {
            let goes_on = self.announce_within(&claim, &place).await;
            drop(place);
            // If one failed, the next might fail as well: they are looked for on the next tick.
            if goes_on && self.left.load(Ordering::Relaxed) {
                signs.look();
            }
        };
        claimed.for_each_concurrent(AT_ONCE, announce).await;
    }

    /// Announces a run, as long as others do not need its place. `false`: it failed.
    async fn announce_within(&self, claim: &Unannounced, place: &Place) -> bool {
        let run = &claim.run;
        let announcing = timeout(LIMIT, self.announce_patiently(claim, place));
        match place.make_room.run_until_cancelled(announcing).await {
            Some(Ok(Ok(()))) => return true,
            Some(Ok(Err(AnnounceError::AskerStuck))) | None => {
                tracing::info!(run.id = %run.id, "whoever asked takes no answer for long; trying again in a minute");
                return true;
            }
            Some(Ok(Err(error))) => {
                tracing::warn!(run.id = %run.id, %error, "the end of a run could not be announced; trying again");
            }
            Some(Err(_)) => {
                tracing::warn!(run.id = %run.id, "the end of a run was not announced within {LIMIT:?}; trying again");
            }
        }
        false
    }

    /// Announces a run, again and again while the database is away. As long as it is claimed, nobody else may.
    async fn announce_patiently(&self, claim: &Unannounced, place: &Place) -> Result<(), AnnounceError> {
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

    async fn announce(&self, claim: &Unannounced, place: &Place) -> Result<(), AnnounceError> {
        let run = &claim.run;
        if run.state == RunState::Cancelled {
            let cancel = Message::of(derived_id::cancel_broadcast(run.id), &CancelMessage::new(run.id));
            self.broker.publish(&Target::Broadcast, cancel.traced(run.trace.as_ref())).await?;
        }
        let summary = &claim.summary;
        let ((), told_all) =
            tokio::try_join!(self.publish_event(run, summary), self.reply_to_all(claim, place))?;
        self.close_jobs(run).await?;
        let (state, missing, seconds) = (run.state.as_str(), summary.missing, summary.seconds());
        tracing::info!(run.id = %run.id, run.links = run.links, state, missing, seconds, "run ended");
        if !told_all {
            return Err(AnnounceError::AskerStuck);
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

    async fn publish_event(&self, run: &Run, summary: &RunSummary) -> Result<(), AnnounceError> {
        let Some(event) = EventMessage::run_ended(summary) else { return Ok(()) };
        let target = Target::Event(event.event.clone());
        let id = derived_id::run_ended_event(run.id, &event.event, end_told_apart(run));
        Ok(self.broker.publish(&target, Message::of(id, &event).traced(run.trace.as_ref())).await?)
    }

    /// Answers all who asked, but those who are stuck: whether there are none. A run in which all passed and nothing
    /// changed lists no links.
    async fn reply_to_all(&self, claim: &Unannounced, place: &Place) -> Result<bool, AnnounceError> {
        let Unannounced { run, summary, askers, .. } = claim;
        let (askers, stuck): (Vec<_>, Vec<_>) =
            askers.iter().partition(|asker| place.may_answer(&asker.reply_to.queue));
        if askers.is_empty() {
            return Ok(stuck.is_empty());
        }
        let links = match summary.counts.all_as_before() {
            true => Vec::new(),
            false => self.store.report_links(run.id, ReportLinks::ChangedOrFailed, None, REPLY_LINKS).await?,
        };
        let report = Report::new(summary.clone(), links);
        // One that reads nothing keeps no other waiting. The number of askers is bounded.
        let replies = askers.into_iter().map(|asker| self.reply(run, &report, asker));
        join_all(replies).await.into_iter().collect::<Result<(), _>>()?;
        Ok(stuck.is_empty())
    }

    async fn reply(&self, run: &Run, report: &Report, asker: &Asker) -> Result<(), AnnounceError> {
        let target = Target::Reply(asker.reply_to.clone());
        match self.broker.publish(&target, answer(run, report, asker)).await {
            // The client has gone, or reads nothing: nothing is lost, the report is stored.
            Err(error @ (PublishError::Unroutable(_) | PublishError::NotTaken { .. })) => {
                tracing::info!(run.id = %run.id, %error, "nobody takes the report");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn answer(run: &Run, report: &Report, asker: &Asker) -> Message {
    let correlation_id = asker.reply_to.correlation_id.as_deref();
    let id = derived_id::report_reply(run.id, run.state.as_str(), end_told_apart(run), correlation_id);
    Message::of(id, &ReportMessage::of(report, asker.lang)).traced(run.trace.as_ref())
}

/// What tells one end of a run from its others: a run may end incomplete several times.
fn end_told_apart(run: &Run) -> Option<DateTime<Utc>> {
    run.finished_at.filter(|_| run.state == RunState::Incomplete)
}
