//! A run whose results are recorded.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use chrono::Utc;
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    CheckResult, CheckSpec, JobId, Lang, LinkId, LinkSelection, LinkUrl, NewLink, RequestId, RunId, ShowRules,
};
use linkbeat_store::{JobKind, JobResults, NewRun, PlannedJob, Planner, SharedStore};

use crate::messages::up;

/// Links of a job.
pub const JOB: usize = 16;
/// Jobs of a batch: about what a recorder takes at once.
pub const BATCH: usize = 64;

/// Files a run of so many links, and gives the results of its jobs in batches.
///
/// # Errors
/// The database fails.
pub async fn file(store: &SharedStore, links: usize) -> anyhow::Result<Vec<Vec<JobResults>>> {
    let link = |n: usize| LinkUrl::parse(&format!("https://recorded-{n}.example/")).map(NewLink::from_url);
    let links = (0..links).map(link).collect::<Result<Vec<_>, _>>().context("a URL")?;
    let run = NewRun {
        id: RunId::new(),
        request_id: RequestId::new(),
        kept: None,
        links: LinkSelection::given(links),
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reuse_within: None,
        reply_to: None,
        lang: Lang::En,
        progress: false,
        trace: None,
    };
    let (planner, jobs) = Jobs::new();
    let run_id = store.file_run(run, Box::new(planner)).await?.run.id;
    let jobs = jobs.lock().map_err(|_| anyhow::anyhow!("planning panicked"))?.split_off(0);
    let results = jobs.into_iter().map(|(job_id, links)| JobResults {
        run_id,
        job_id,
        results: links.into_iter().map(up_now).collect(),
    });
    let results: Vec<JobResults> = results.collect();
    Ok(results.chunks(BATCH).map(<[JobResults]>::to_vec).collect())
}

fn up_now(link: LinkId) -> CheckResult {
    CheckResult { checked_at: Utc::now(), ..up(link) }
}

type Planned = Arc<Mutex<Vec<(JobId, Vec<LinkId>)>>>;

/// Cuts a run into jobs, and remembers them.
struct Jobs {
    waiting: Vec<LinkId>,
    planned: Planned,
}

impl Jobs {
    fn new() -> (Self, Planned) {
        let planned = Planned::default();
        (Self { waiting: Vec::new(), planned: planned.clone() }, planned)
    }
}

impl Planner for Jobs {
    fn begin(&mut self, _: RunId, _: u64) {}

    fn add(&mut self, _: &str, link: JobLinkMessage, _fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        self.waiting.push(LinkId(link.id));
        if self.waiting.len() < JOB { Vec::new() } else { self.finish() }
    }

    fn is_white_listed(&self, _name: &str) -> bool {
        false
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let links = std::mem::take(&mut self.waiting);
        if links.is_empty() {
            return Vec::new();
        }
        let id = JobId::new();
        if let Ok(mut planned) = self.planned.lock() {
            planned.push((id, links.clone()));
        }
        vec![PlannedJob { id, kind: JobKind::Check, links, body: b"{}".to_vec() }]
    }
}
