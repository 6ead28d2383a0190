//! Links of which something is known: they are stored, and a run has results for them.

use std::sync::Arc;

use chrono::Utc;
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    CheckResult, CheckSpec, Details, JobId, Link, LinkId, LinkSelection, LinkState, NewLink, Reason,
    RequestId, RunId, ShowRules, Verdict,
};
use linkbeat_store::{JobKind, JobResults, Judge, Judged, NewRun, PlannedJob, Planner, Ruling, SharedStore};

/// Stores these links.
pub(crate) async fn links(store: &SharedStore, links: Vec<NewLink>) -> Vec<LinkId> {
    store.import(links.into()).await.unwrap().ids
}

/// A run of all links, in which each gets its verdict from `verdict`.
pub(crate) async fn checked(store: &SharedStore, verdict: impl Fn(LinkId) -> Verdict) -> RunId {
    let (id, job) = (RunId::new(), JobId::new());
    let run = NewRun {
        id,
        request_id: RequestId::new(),
        kept: None,
        links: LinkSelection::Stored,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reuse_within: None,
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    store.file_run(run, Box::new(OneJob { job, links: Vec::new() })).await.unwrap();
    let links = store.links(None, 1_000).await.unwrap();
    let results = links.iter().map(|link| result(link.id, verdict(link.id))).collect();
    store.record(&[JobResults { run_id: id, job_id: job, results }], Arc::new(Plain)).await.unwrap();
    id
}

fn result(link_id: LinkId, verdict: Verdict) -> CheckResult {
    let reason = match verdict {
        Verdict::Up => None,
        Verdict::NoBacklink => Some(Reason::BacklinkMissing { truncated: false }),
        _ => Some(Reason::Status { code: 500 }),
    };
    let status = Some(if matches!(verdict, Verdict::Up | Verdict::NoBacklink) { 200 } else { 500 });
    let (checked_at, details) = (Utc::now(), Details::default());
    CheckResult {
        link_id,
        verdict: Some(verdict),
        reason,
        status,
        elapsed_ms: 1_234,
        checked_at,
        details,
        phases: None,
    }
}

/// Puts all links into one job.
#[derive(Debug)]
struct OneJob {
    job: JobId,
    links: Vec<LinkId>,
}

impl Planner for OneJob {
    fn begin(&mut self, _: RunId, _: u64) {}

    fn is_white_listed(&self, _: &str) -> bool {
        false
    }

    fn add(&mut self, _: &str, link: JobLinkMessage, _: Option<CheckResult>) -> Vec<PlannedJob> {
        self.links.push(LinkId(link.id));
        Vec::new()
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let links = std::mem::take(&mut self.links);
        vec![PlannedJob { id: self.job, kind: JobKind::Check, links, body: b"a job".to_vec() }]
    }
}

/// Shows what passes, and hides all else.
#[derive(Debug)]
pub(crate) struct Plain;

impl Judge for Plain {
    fn judge(&self, link: &Judged<'_>, result: &CheckResult, _: &ShowRules, _: JobKind) -> Ruling {
        let shown = result.verdict == Some(Verdict::Up);
        Ruling::Apply(Box::new(LinkState {
            shown,
            hidden_reason: if shown { None } else { result.reason.clone() },
            verdict: result.verdict,
            reason: result.reason.clone(),
            status: result.status,
            elapsed_ms: Some(result.elapsed_ms),
            last_checked_at: Some(result.checked_at),
            failed_in_a_row: if shown { 0 } else { link.state.failed_in_a_row + 1 },
            ..link.state.clone()
        }))
    }

    fn plan_recheck(&self, _: RunId, _: &Link, _: &CheckSpec) -> PlannedJob {
        unreachable!("nothing is checked again")
    }
}
