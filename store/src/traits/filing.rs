use std::fmt::Debug;

use async_trait::async_trait;
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    Asker, CheckResult, CheckSpec, JobId, Lang, LinkId, LinkSelection, ReplyTo, RequestId, ReuseWithin, Run,
    RunId, ShowRules, TraceContext,
};

use super::{CeleryTask, JobKind, NewTask};
use crate::Result;
use crate::account::Account;

/// Requests become runs and jobs.
#[async_trait]
pub trait Filing: Send + Sync + Debug {
    /// Files a run and its jobs, or finds the run that this request id has already. The report of such a run goes
    /// to every `reply_to` that was given for it, also when its end was announced before.
    ///
    /// The active links that `run.links` selects are handed to `planner` ordered by the host of the page
    /// to fetch, then id, in pages: a run of a million links never lies in memory whole.
    async fn file_run(&self, run: NewRun, planner: Box<dyn Planner>) -> Result<Filed>;

    /// The same for an app, within its limits. [`StoreError::OverLimit`](crate::StoreError::OverLimit): it asked for too
    /// much, and nothing was filed. A run that it has already counts for nothing more.
    async fn file_asked(&self, run: NewRun, planner: Box<dyn Planner>, account: &Account) -> Result<Filed>;

    /// Keeps a Celery client's task that nobody has seen yet, and files its run, in one transaction. Of a task that is
    /// known nothing is filed.
    async fn file_task(
        &self,
        task: NewTask,
        run: NewRun,
        planner: Box<dyn Planner>,
        account: Option<&Account>,
    ) -> Result<FiledTask>;
}

/// Turns links into jobs, page by page. The producer owns it.
pub trait Planner: Send {
    /// Comes first. Says how many links there will be.
    fn begin(&mut self, run: RunId, links: u64);
    /// Takes the next link, as it is stored and as a job carries it, and the result that may count instead of a new check.
    /// Returns the jobs that are complete with it.
    fn add(&mut self, name: &str, link: JobLinkMessage, fresh: Option<CheckResult>) -> Vec<PlannedJob>;
    /// Whether a link of this name is on the white list, and so not to be checked.
    fn is_white_listed(&self, name: &str) -> bool;
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

/// A run to be filed.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The request it carries out.
    pub request_id: RequestId,
    /// What is kept of the request, so that it can be made again; `None`: nothing.
    pub kept: Option<KeptRequest>,
    /// Which links; of either kind only the active ones.
    pub links: LinkSelection,
    /// How each link is checked.
    pub check: CheckSpec,
    /// When a link is hidden and shown.
    pub rules: ShowRules,
    /// How old the latest result of a link may be to count instead of a new check.
    pub reuse_within: Option<ReuseWithin>,
    /// Where the report goes when the run ends.
    pub reply_to: Option<ReplyTo>,
    /// The language of the report's texts.
    pub lang: Lang,
    /// How far the run has come is announced while it goes on.
    pub progress: bool,
    /// The trace of the request.
    pub trace: Option<TraceContext>,
}

/// What a run was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// The request without the list that it may have had, as [`linkbeat_shared::schedule::stored_request`] gives it.
    pub request: String,
    /// It had a list. Its links are those of the run's jobs.
    pub listed: bool,
}

impl NewRun {
    /// Who is told how the run ended.
    pub fn asker(&self) -> Option<Asker> {
        let lang = self.lang;
        self.reply_to.clone().map(|reply_to| Asker { reply_to, lang })
    }
}

/// A list of no more links is filed in the fewest steps: whoever asks for it need not be told that it goes on.
pub const SHORT_LIST: usize = 100;

/// So many may wait for the report of one run.
pub const MOST_ASKERS: usize = 100;

/// What filing the run of a task gave.
#[derive(Debug, Clone)]
pub enum FiledTask {
    /// The task is kept, and its run is filed.
    New(Filed),
    /// The task is known.
    Known(CeleryTask),
}

/// What filing a run gave.
#[derive(Debug, Clone)]
pub struct Filed {
    /// The run.
    pub run: Run,
    /// The request had been filed before; nothing was changed now but to whom its report goes.
    pub existed: bool,
    /// Whoever asks is told how the run ends; false: [`MOST_ASKERS`] others are already.
    pub heard: bool,
}
