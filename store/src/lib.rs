//! linkbeat's database: one [`Store`] trait, kept by PostgreSQL and by SQLite.
//!
//! The only crate that names diesel. The trait speaks in the words of `linkbeat-shared`; the rules
//! themselves come in from outside as plain functions ([`Rule`], [`Planner`]), because they must run
//! inside the store's transactions but belong to the recorder and the producer.

mod database_url;
mod error;
mod filing;
mod importing;
mod inspect;
mod inspection;
mod migrations;
mod open;
mod parking;
mod postgres;
mod recording;
mod reporting;
mod rows;
mod schema;
mod server;
mod sqlite;
mod values;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    CheckResult, CheckSpec, JobId, Link, LinkId, LinkName, LinkReport, LinkSelection, LinkState, NewLink,
    RecheckAfter, ReplyTo, RequestId, Run, RunId, ShowRules,
};
use linkbeat_vitals::Activity;
use uuid::Uuid;

pub use database_url::DatabaseUrl;
pub use error::StoreError;
pub use inspect::inspect;
pub use inspection::{DatabaseInspection, Schema, ServerInspection, TableRights};
pub use migrations::{Migrated, OpenMode};
pub use open::{migrate, open};
pub use reporting::{ReportLinks, Reports};

/// What every method gives.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Any store, shared between the roles of a process.
pub type SharedStore = Arc<dyn Store>;

/// Decides what a result does to its link, from the link's last state. Pure; the recorder owns it.
pub type Rule = fn(&LinkState, &CheckResult, &ShowRules) -> Ruling;

/// What a [`Rule`] decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// The result counts, and this is the link's next state.
    Apply(LinkState),
    /// The result does not count: the link is looked at again after so long, and that look decides. Never where
    /// the rules have no `recheck_after`, as those have not that are handed in for the second look.
    LookAgain(RecheckAfter),
}

/// Links, runs, jobs and checks, kept safe. Every method is one transaction: done wholly or not at all.
#[async_trait]
pub trait Store: Reports + Send + Sync + std::fmt::Debug {
    // ---- links -------------------------------------------------------------------------------------

    /// Adds links, or updates the stored ones of the same [`linkbeat_shared::LinkUrl::key`]: what is
    /// `Some` is taken over, except that `shown` counts for new links only. Nothing else changes.
    async fn import_links(&self, links: &[NewLink]) -> Result<Imported>;

    /// Stored links in the order of their ids, those after `after`, at most `limit`.
    async fn links(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Link>>;

    /// The stored links that `wanted` names: an id, a URL of the same key, or an exact name.
    async fn find_links(&self, wanted: &str) -> Result<Vec<Link>>;

    /// Changes one link by hand; `None` if there is no such link.
    async fn set_link(&self, id: LinkId, changes: &LinkChanges) -> Result<Option<Link>>;

    /// Removes links; their checks stay as history. Returns how many there were.
    async fn remove_links(&self, ids: &[LinkId]) -> Result<u64>;

    // ---- requests and runs -------------------------------------------------------------------------

    /// Files a run and its jobs, or finds the run that this request id has already. Such a run's report goes
    /// to the latest `reply_to`, also when it was announced before.
    ///
    /// The active links that `run.links` selects are handed to `planner` ordered by the host of the page
    /// to fetch, then id, in pages: a run of a million links never lies in memory whole.
    async fn file_run(&self, run: NewRun, planner: Box<dyn Planner>) -> Result<Filed>;

    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<Run>>;

    /// The latest runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<Run>>;

    /// Stops a running run and gives it as it is now; one that has ended stays as it is. `None` if there is
    /// no such run. Results that are still on their way are kept as history and leave their links alone.
    /// Its end is among the [`Store::unannounced_runs`] then.
    async fn cancel_run(&self, id: RunId) -> Result<Option<Run>>;

    // ---- jobs: the outbox --------------------------------------------------------------------------

    /// Jobs that are neither done nor parked, in the order of their ids, those after `after`, at most `limit`.
    async fn open_jobs(&self, which: OpenJobs, after: Option<JobId>, limit: u32) -> Result<Vec<StoredJob>>;

    /// Running runs with jobs that were never published, rechecks apart, in the order in which they were filed, at
    /// most `limit`.
    async fn unpublished_runs(&self, which: Unpublished, limit: u32) -> Result<Vec<UnpublishedRun>>;

    /// Notes that the broker has taken responsibility for these jobs, now.
    async fn mark_published(&self, jobs: &[JobId]) -> Result<()>;

    /// Closes the open jobs of a cancelled run, those after `after`, at most `limit`, so that nobody comes upon them
    /// again; returns the last of them. Results that come for them all the same are kept as ever.
    async fn close_jobs(&self, run: RunId, after: Option<JobId>, limit: u32) -> Result<Option<JobId>>;

    /// Takes note that jobs were parked or put back, in one transaction, and returns those of them that are not
    /// stored.
    ///
    /// A job is parked while more notices say that it was parked than say that it was put back; each notice
    /// counts once. So the same notices in any order, with repeats, end in the same state. A job that is done
    /// stays done. A run that ended incomplete is running again when a job of it was put back.
    async fn note_parkings(&self, notices: &[ParkingNotice]) -> Result<Vec<JobId>>;

    /// Has the parked jobs of a run open again, as if all were put back, and returns how many: for a process
    /// whose own queue of parked messages ended with it.
    async fn reopen_parked(&self, run: RunId) -> Result<u64>;

    // ---- results -----------------------------------------------------------------------------------

    /// Stores results and applies `rule` to their links, in one transaction.
    ///
    /// Idempotent on (run, link): a result that is stored already changes nothing and comes back as it
    /// was stored. A run that was filed earlier than the one that last touched a link is kept as history
    /// but leaves the link alone, and so is one that was cancelled, or whose link was removed. A check's time
    /// is kept between the beginning of its run and now. What no job asked for is not stored.
    ///
    /// Where the rule looks again no check is stored: a job of kind [`JobKind::Recheck`] for that link is filed
    /// in its place, once per (run, link), and only that job's result counts from then on.
    async fn record(&self, batch: &[JobResults], rule: Rule) -> Result<Vec<Recorded>>;

    /// Closes the running runs of which every link has its result or is in a parked job, at most `limit`, and
    /// returns them: as finished, or, where results lack, as incomplete. An incomplete run whose last result
    /// came is finished now.
    async fn close_runs(&self, limit: u32) -> Result<Vec<Run>>;

    /// Claims runs that ended and whose end has not been announced, at most `limit`: first those that nobody has
    /// claimed yet, oldest first, then those whose claim ran out longest ago. For `hold`, by the database's clock,
    /// nobody else is given them: each end is told by one recorder. With `only`, that run alone.
    async fn unannounced_runs(
        &self,
        only: Option<RunId>,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Unannounced>>;

    /// Notes that a run's end was announced. Without effect where the claim is no longer the latest, or the run
    /// has something new to tell.
    async fn mark_announced(&self, told: &Unannounced) -> Result<()>;

    // ---- upkeep ------------------------------------------------------------------------------------

    /// Whether `holder` has the lease of this name from now on for `length`, by the database's clock. Nobody
    /// else gets it until then; whoever has it may take it again, or, with a length of zero, give it up.
    async fn lease(&self, name: &str, holder: Uuid, length: Duration) -> Result<bool>;

    /// Counts the calls above; what the database answered has succeeded, whatever it said.
    fn activity(&self) -> &Activity;

    /// Ends all connections.
    async fn close(&self);
}

/// Turns links into jobs, page by page. The producer owns it.
pub trait Planner: Send {
    /// Comes first. Says how many links there will be.
    fn begin(&mut self, run: RunId, links: u64);
    /// Takes the next link, as it is stored and as a job carries it. Returns the jobs that are complete with it.
    fn add(&mut self, name: &str, link: JobLinkMessage) -> Vec<PlannedJob>;
    /// Comes last. Returns the jobs that are left.
    fn finish(&mut self) -> Vec<PlannedJob>;
}

/// A job to be stored and then published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    /// Its id.
    pub id: JobId,
    /// Where it is published to.
    pub kind: JobKind,
    /// The links it covers.
    pub links: Vec<LinkId>,
    /// The message, ready to be sent.
    pub body: Vec<u8>,
}

/// Where a job is published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// To the workers: the links are to be checked.
    Check,
    /// Straight to the recorder: the links are on the white list.
    WhiteListed,
    /// To the workers, when it is due: one link that was about to be hidden is looked at again.
    Recheck,
}

/// A job of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// Its id.
    pub id: JobId,
    /// Where it is published to.
    pub kind: JobKind,
    /// The message, ready to be sent.
    pub body: Vec<u8>,
    /// How long it is to wait yet, by the database's clock; zero: it is due.
    pub due_in: Duration,
}

/// Which open jobs to list. Jobs of cancelled runs are never listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenJobs {
    /// Of one run, all.
    OfRun(RunId),
    /// Of one run, those never published.
    UnpublishedOfRun(RunId),
    /// Of any run, those last published so long ago, by the database's clock, with no result since then, and due
    /// for so long, and not done.
    PublishedFor(Duration),
    /// Of any run, rechecks that were never published.
    Rechecks,
    /// Of one run, rechecks that were never published.
    RechecksOfRun(RunId),
}

/// Which runs with unpublished jobs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpublished {
    /// This one, if it has any.
    OfRun(RunId),
    /// Those on which nobody works: the job that is next was filed so long ago, by the database's clock, and the one
    /// before it was published no later.
    IdleFor(Duration),
}

/// A run with jobs that were never published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpublishedRun {
    /// Its id.
    pub id: RunId,
    /// When it was filed.
    pub created_at: DateTime<Utc>,
    /// Some of its jobs were published already.
    pub begun: bool,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The links' ids, in the order of the input.
    pub ids: Vec<LinkId>,
    /// Links that were not stored before.
    pub added: u64,
    /// Stored links of which something changed.
    pub updated: u64,
    /// Stored links that were the same already.
    pub unchanged: u64,
}

/// Changes of one link by hand; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkChanges {
    /// Its name.
    pub name: Option<LinkName>,
    /// The page on which the backlink must stand; `Some(None)` takes it away.
    pub page_url: Option<Option<linkbeat_shared::LinkUrl>>,
    /// Whether runs check it.
    pub active: Option<bool>,
    /// Whether it is shown. Either value clears the hidden reason and both counts in a row.
    pub shown: Option<bool>,
    /// Whether a backlink is asked of it.
    pub backlink: Option<bool>,
}

/// A run to be filed.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The request it carries out.
    pub request_id: RequestId,
    /// Which links; of either kind only the active ones.
    pub links: LinkSelection,
    /// How each link is checked.
    pub check: CheckSpec,
    /// When a link is hidden and shown.
    pub rules: ShowRules,
    /// Where the report goes when the run ends.
    pub reply_to: Option<ReplyTo>,
}

/// What filing a run gave.
#[derive(Debug, Clone)]
pub struct Filed {
    /// The run.
    pub run: Run,
    /// The request had been filed before; nothing was changed now but to whom its report goes.
    pub existed: bool,
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

/// A run whose end is to be announced, claimed by [`Store::unannounced_runs`].
#[derive(Debug, Clone)]
pub struct Unannounced {
    /// The run, as it ended.
    pub run: Run,
    /// Until when it is claimed, by the database's clock: names the claim.
    pub claimed_until: DateTime<Utc>,
}

/// What became of one [`JobResults`].
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// Every result is stored, now or before, or left to a recheck.
    Stored {
        /// The run.
        run_id: RunId,
        /// The links that have a check, as it is stored.
        links: Vec<LinkReport>,
    },
    /// No such job, or not these links: nothing was stored of it.
    NotAskedFor,
}
