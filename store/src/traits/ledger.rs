use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::{
    Asker, CheckResult, CheckSpec, JobId, Link, LinkReport, LinkState, Pinned, RecheckAfter, RequestId, Run,
    RunId, RunSummary, ShowRules,
};
use uuid::Uuid;

use super::{JobKind, PlannedJob};
use crate::Result;
use crate::values::Id;

/// Results become checks, and runs end.
#[async_trait]
pub trait Ledger: Send + Sync + Debug {
    /// Stores results and has `judge` decide what they do to their links, in one transaction.
    ///
    /// Idempotent on (run, link): a result that is stored already changes nothing and comes back as it
    /// was stored. A run that was filed earlier than the one that last touched a link is kept as history
    /// but leaves the link alone, and so is one that was cancelled, or whose link was removed. A check's time
    /// is kept between the beginning of its run and now. What no job asked for is not stored.
    ///
    /// While most links of the run may change alike, a result that would hide or show its link only proposes that, and
    /// leaves the link alone: see [`super::Holds`]. Those on the white list are shown at once.
    ///
    /// Where the judge wants a link checked again, no check is stored: the job that the judge plans is filed
    /// in its place, once per (run, link), and only that job's result counts from then on.
    async fn record(&self, batch: &[JobResults], judge: Arc<dyn Judge>) -> Result<Vec<Recorded>>;

    /// Stores notices that jobs were parked or put back, in one transaction, and returns those jobs that are not
    /// stored.
    ///
    /// A job is parked if it has more *parked* than *requeued* notices. Each notice has an id and counts once. So the
    /// same notices in any order, with repeats, end in the same state. A job that is done
    /// stays done. A run that ended incomplete is running again when a job of it was put back.
    async fn note_parkings(&self, notices: &[ParkingNotice]) -> Result<Vec<JobId>>;

    /// Closes the running runs of which every link has its result or is in a parked job, at most `limit`, and
    /// returns them: as held back, where most of their links change alike; else as finished, or, where results lack, as
    /// incomplete. An incomplete run whose last result came is closed again. A run with proposals that are being
    /// carried out is left until they are.
    async fn close_runs(&self, limit: u32) -> Result<Vec<Run>>;

    /// Closes those of these runs that lack nothing, and claims their ends for `hold`, as [`Ledger::unannounced_runs`]
    /// does: in one step, for runs of which [`Recorded`] says that they are complete. A run that may be held back, that
    /// has proposals or untold changes, or that ended before, is left to [`Ledger::close_runs`].
    async fn end_runs(&self, runs: &[RunId], hold: Duration) -> Result<Vec<Unannounced>>;

    /// Claims runs that ended and whose end has not been announced, at most `limit`: first those that nobody has
    /// claimed yet, oldest first, then those whose claim ran out longest ago. For `hold`, by the database's clock,
    /// nobody else is given them: each end is announced by one recorder. With `only`, that run alone.
    async fn unannounced_runs(
        &self,
        only: Option<RunId>,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Unannounced>>;

    /// Running runs of which somebody wants to hear, and that have more results than when it was last told, at least
    /// `gap` ago by the database's clock; at most `limit`. The caller tells it.
    async fn runs_further(&self, limit: u32, gap: Duration) -> Result<Vec<RunId>>;

    /// Keeps that a run's end was announced. Without effect where the claim is no longer the latest, or the run
    /// has something new to announce.
    async fn mark_announced(&self, announced: &Unannounced) -> Result<()>;

    /// Closes the open jobs of a cancelled run, those after `after`, at most `limit`, so that nobody comes upon them
    /// again; returns the last of them. Results that come for them all the same are kept as ever.
    async fn close_jobs(&self, run: RunId, after: Option<JobId>, limit: u32) -> Result<Option<JobId>>;
}

/// Decides what results do to their links. Pure; the recorder owns it.
pub trait Judge: Send + Sync + Debug {
    /// What a result does to its link. `job` is the kind of job that it came from.
    fn judge(&self, link: &Judged<'_>, result: &CheckResult, rules: &ShowRules, job: JobKind) -> Ruling;

    /// The job that checks a link again. Its id is [`linkbeat_shared::derived_id::recheck_job`].
    fn plan_recheck(&self, run: RunId, link: &Link, check: &CheckSpec) -> PlannedJob;
}

/// The link that a result is about.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its URL, without userinfo.
    pub url: &'a str,
    /// Its state before the result.
    pub state: &'a LinkState,
    /// A person hid or showed it for good.
    pub pin: Option<Pinned>,
    /// A backlink is asked of the link, but the run asks for none: the result says nothing about it.
    pub backlink_left_open: bool,
}

/// What a [`Judge`] decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// The result counts, and this is the link's next state.
    Apply(Box<LinkState>),
    /// The result does not count. The link is checked again after so long, and that result decides. Only where
    /// the rules have a `recheck_after`, and never for the result of a recheck.
    CheckAgain(RecheckAfter),
}

/// The results of one job, or of a part of it.
#[derive(Debug, Clone)]
pub struct JobResults {
    /// The run.
    pub run_id: RunId,
    /// The job.
    pub job_id: JobId,
    /// Its results.
    pub results: Vec<CheckResult>,
}

/// What became of one [`JobResults`].
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// Every result is stored, now or before, or left to a recheck.
    Stored {
        /// The run.
        run_id: RunId,
        /// The request that it carries out.
        request_id: RequestId,
        /// The links that a check of these hid or showed, as the check is stored.
        changed: Vec<LinkReport>,
        /// What is to be done about the run.
        next: Next,
    },
    /// No such job, or not these links: nothing was stored of it.
    NotAskedFor,
    /// The checks of its run are no longer kept: nothing was stored of it.
    HistoryDropped,
}

impl Recorded {
    /// The same, where these runs lack no result any more.
    pub(crate) fn of_a_run_in(mut self, complete: &[Id]) -> Self {
        if let Self::Stored { run_id, next: next @ Next::Nothing, .. } = &mut self
            && complete.contains(&Id(run_id.0))
        {
            *next = Next::End;
        }
        self
    }
}

/// What is to be done about a run after results of it were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It goes on.
    Nothing,
    /// It lacks nothing: see [`Ledger::end_runs`].
    End,
    /// It may be held back, or it ended before: see [`Ledger::close_runs`] and [`super::Holds::settle`].
    Look,
}

/// That a job was parked, or put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkingNotice {
    /// Names the notice.
    pub id: Uuid,
    /// The job.
    pub job_id: JobId,
    /// It was parked; otherwise it was put back.
    pub parked: bool,
    /// Why, for people.
    pub cause: String,
}

/// A run whose end is to be announced, claimed by [`Ledger::unannounced_runs`].
#[derive(Debug, Clone)]
pub struct Unannounced {
    /// The run, as it ended.
    pub run: Run,
    /// What it amounted to.
    pub summary: RunSummary,
    /// Who is told.
    pub askers: Vec<Asker>,
    /// Until when it is claimed, by the database's clock: names the claim.
    pub claimed_until: DateTime<Utc>,
}
