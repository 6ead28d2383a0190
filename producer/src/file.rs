use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linkbeat_shared::schedule::stored_request;
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{CheckResult, LinkSelection, Request, RunId, RunSize, TraceContext};
use linkbeat_store::{
    Account, Filed, FiledTask, Filing, KeptRequest, NewRun, NewTask, PlannedJob, Planner, StoreError,
    StoredJob,
};

use crate::plan::JobPlanner;

/// A run of more jobs, or of more bytes, is read back from the database to be published.
const KEPT_JOBS: usize = 64;
const KEPT_BYTES: usize = 256 << 10;

/// Files a request as a run with all its jobs, in one transaction. Nothing is published: see [`crate::Outbox`].
/// The same request id again gives the run that exists.
pub async fn file<S: Filing + ?Sized>(store: &Arc<S>, request: Request) -> Result<Filed, StoreError> {
    file_keeping(store, request, None).await.map(|(filed, _)| filed)
}

/// The same; gives the jobs as well, if they are few, and none otherwise.
pub(crate) async fn file_keeping<S: Filing + ?Sized>(
    store: &Arc<S>,
    request: Request,
    account: Option<&Account>,
) -> Result<(Filed, Vec<StoredJob>), StoreError> {
    let Prepared { run, planner, kept } = Prepared::from(request);
    let filed = match account {
        None => store.file_run(run, planner).await?,
        Some(account) => store.file_asked(run, planner, account).await?,
    };
    tracing::info!(run.id = %filed.run.id, run.links = filed.run.links, existed = filed.existed, "run filed");
    Ok((filed, kept.jobs()))
}

/// Files a request together with the Celery client's task that makes it, which nobody has seen yet. Gives the jobs of its
/// run as well, as [`file_keeping`].
pub(crate) async fn file_task<S: Filing + ?Sized>(
    store: &Arc<S>,
    task: NewTask,
    request: Request,
    account: Option<&Account>,
) -> Result<(FiledTask, Vec<StoredJob>), StoreError> {
    let Prepared { run, planner, kept } = Prepared::from(request);
    let filed = store.file_task(task, run, planner, account).await?;
    if let FiledTask::New(Filed { run, existed, .. }) = &filed {
        tracing::info!(run.id = %run.id, run.links = run.links, existed, "run filed");
    }
    Ok((filed, kept.jobs()))
}

/// A request as the store files it.
pub(crate) struct Prepared {
    pub(crate) run: NewRun,
    pub(crate) planner: Box<dyn Planner>,
    pub(crate) kept: KeptJobs,
}

impl From<Request> for Prepared {
    fn from(mut request: Request) -> Self {
        let (links, kept_request) = kept_request(&mut request);
        let planner = JobPlanner::new(request.check.clone(), request.white_list);
        let (planner, kept) = Keeping::around(planner, request.trace.clone());
        let run = NewRun {
            id: RunId::new(),
            request_id: request.id,
            kept: kept_request,
            links,
            check: request.check,
            rules: request.rules,
            reuse_within: request.reuse_within,
            reply_to: request.reply_to,
            lang: request.lang,
            progress: request.progress,
            trace: request.trace,
        };
        Self { run, planner: Box::new(planner), kept: KeptJobs(kept) }
    }
}

/// What is kept of a request, and its links, which are taken out of it.
fn kept_request(request: &mut Request) -> (LinkSelection, Option<KeptRequest>) {
    let links = std::mem::replace(&mut request.links, LinkSelection::Stored);
    let listed = matches!(links, LinkSelection::Given(_));
    if !listed {
        request.links = links.clone();
    }
    // One with a huge white list is not kept, and so cannot be repeated.
    let kept = stored_request(request).ok().map(|request| KeptRequest { request, listed });
    (links, kept)
}

/// The jobs of a run that is filed, once it is.
pub(crate) struct KeptJobs(Arc<Mutex<Kept>>);

impl KeptJobs {
    /// The jobs, if they are few, and none otherwise.
    pub(crate) fn jobs(self) -> Vec<StoredJob> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).jobs
    }
}

/// The jobs of a small run. They were just made, so they need not be read back to be published.
#[derive(Debug, Default)]
struct Kept {
    jobs: Vec<StoredJob>,
    bytes: usize,
    too_many: bool,
    run_size: RunSize,
    trace: Option<TraceContext>,
}

impl Kept {
    fn keep(&mut self, jobs: &[PlannedJob]) {
        self.bytes += jobs.iter().map(|job| job.body.len()).sum::<usize>();
        self.too_many |= self.jobs.len() + jobs.len() > KEPT_JOBS || self.bytes > KEPT_BYTES;
        if self.too_many {
            self.jobs = Vec::new();
            return;
        }
        self.jobs.extend(jobs.iter().map(|job| StoredJob {
            id: job.id,
            kind: job.kind,
            body: job.body.clone(),
            due_in: Duration::ZERO,
            run_size: self.run_size,
            trace: self.trace.clone(),
        }));
    }
}

/// A planner whose jobs are kept while they are few.
#[derive(Debug)]
struct Keeping {
    planner: JobPlanner,
    kept: Arc<Mutex<Kept>>,
}

impl Keeping {
    fn around(planner: JobPlanner, trace: Option<TraceContext>) -> (Self, Arc<Mutex<Kept>>) {
        let kept = Arc::new(Mutex::new(Kept { trace, ..Kept::default() }));
        (Self { planner, kept: kept.clone() }, kept)
    }

    fn keep(&self, jobs: Vec<PlannedJob>) -> Vec<PlannedJob> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).keep(&jobs);
        jobs
    }
}

impl Planner for Keeping {
    fn begin(&mut self, run: RunId, links: u64) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).run_size = RunSize::of(links);
        self.planner.begin(run, links);
    }

    fn add(&mut self, name: &str, link: JobLinkMessage, fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        let jobs = self.planner.add(name, link, fresh);
        self.keep(jobs)
    }

    fn is_white_listed(&self, name: &str) -> bool {
        self.planner.is_white_listed(name)
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let jobs = self.planner.finish();
        self.keep(jobs)
    }
}
