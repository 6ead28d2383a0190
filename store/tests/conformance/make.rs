//! Links, runs and results for the cases.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    Attributes, Certificate, CheckResult, CheckSpec, Counts, Details, JobId, Link, LinkId, LinkName,
    LinkReport, LinkSelection, LinkState, LinkUrl, NewLink, Note, Reason, RequestId, RunId, ShowRules,
    Verdict, derived_id,
};
use linkbeat_store::{
    Filed, Imported, JobKind, JobResults, Judge, Judged, NewRun, Next, PlannedJob, Planner, Recorded,
    ReportLinks, Ruling, SharedStore, StoredJob,
};

pub(crate) fn url(text: &str) -> LinkUrl {
    LinkUrl::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> LinkName {
    LinkName::parse(text).unwrap()
}

pub(crate) fn link(text: &str) -> NewLink {
    NewLink::from_url(url(text))
}

/// So many links, each on a host of its own.
pub(crate) fn links(count: usize) -> Vec<NewLink> {
    (0..count).map(|n| link(&format!("https://host-{n:06}.example/"))).collect()
}

/// Imports a few links.
pub(crate) trait ImportLinks {
    async fn import_links(&self, links: &[NewLink]) -> linkbeat_store::Result<Imported>;
}

impl ImportLinks for SharedStore {
    async fn import_links(&self, links: &[NewLink]) -> linkbeat_store::Result<Imported> {
        self.import(links.to_vec().into()).await
    }
}

pub(crate) fn new_run(links: LinkSelection) -> NewRun {
    NewRun {
        id: RunId::new(),
        request_id: RequestId::new(),
        kept: None,
        links,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reuse_within: None,
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    }
}

/// What storing results of this run gives that changed no link and did not end it.
pub(crate) async fn nothing_changed(store: &SharedStore, run: RunId) -> Recorded {
    let request_id = store.run(run).await.unwrap().unwrap().request_id;
    Recorded::Stored { run_id: run, request_id, changed: Vec::new(), next: Next::Nothing }
}

/// What the planner was told, and what it made of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) announced: u64,
    pub(crate) links: Vec<Link>,
    /// Results that may count instead of a check. Their links stand in a job of their own, the last one.
    pub(crate) fresh: Vec<CheckResult>,
    pub(crate) jobs: Vec<PlannedJob>,
}

/// Cuts runs into jobs of a fixed size; links called `white …` are on the white list.
#[derive(Debug)]
pub(crate) struct TestPlanner {
    job_links: usize,
    waiting: Vec<LinkId>,
    white: Vec<LinkId>,
    fresh: Vec<LinkId>,
    plan: Arc<Mutex<Plan>>,
}

impl TestPlanner {
    fn job(&self, kind: JobKind, links: Vec<LinkId>) -> Vec<PlannedJob> {
        if links.is_empty() {
            return Vec::new();
        }
        let id = JobId::new();
        let job = PlannedJob { id, kind, links, body: format!("message of {id}").into_bytes() };
        self.plan.lock().unwrap().jobs.push(job.clone());
        vec![job]
    }
}

impl Planner for TestPlanner {
    fn begin(&mut self, _run: RunId, links: u64) {
        self.plan.lock().unwrap().announced = links;
    }

    fn add(&mut self, called: &str, link: JobLinkMessage, fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        let id = LinkId(link.id);
        self.plan.lock().unwrap().links.push(Link {
            id,
            name: name(called),
            url: url(&link.url),
            page_url: link.page_url.as_deref().map(url),
            active: true,
            paused_until: None,
            backlink: link.backlink,
            group: None,
            attributes: Attributes::default(),
            pin: None,
            state: LinkState::default(),
        });
        if self.is_white_listed(called) {
            self.white.push(id);
            return Vec::new();
        }
        if let Some(result) = fresh {
            self.fresh.push(id);
            self.plan.lock().unwrap().fresh.push(result);
            return Vec::new();
        }
        self.waiting.push(id);
        if self.waiting.len() < self.job_links {
            return Vec::new();
        }
        let links = std::mem::take(&mut self.waiting);
        self.job(JobKind::Check, links)
    }

    fn is_white_listed(&self, called: &str) -> bool {
        called.starts_with("white ")
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let (links, white) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.white));
        let mut jobs = self.job(JobKind::Check, links);
        jobs.extend(self.job(JobKind::Known, white));
        let fresh = std::mem::take(&mut self.fresh);
        jobs.extend(self.job(JobKind::Known, fresh));
        jobs
    }
}

/// Files a run in jobs of this size.
pub(crate) async fn file(store: &SharedStore, run: NewRun, job_links: usize) -> (Filed, Plan) {
    let (planner, plan) = planner(job_links);
    let filed = store.file_run(run, planner).await.unwrap();
    let plan = plan.lock().unwrap().clone();
    (filed, plan)
}

/// Cuts a run into jobs of so many links. The other value is what comes of it.
pub(crate) fn planner(job_links: usize) -> (Box<dyn Planner>, Arc<Mutex<Plan>>) {
    let plan = Arc::new(Mutex::new(Plan::default()));
    let planner = TestPlanner {
        job_links,
        waiting: Vec::new(),
        white: Vec::new(),
        fresh: Vec::new(),
        plan: plan.clone(),
    };
    (Box::new(planner), plan)
}

/// Files a run of all stored links in jobs of one link.
pub(crate) async fn file_stored(store: &SharedStore) -> (RunId, Plan) {
    let (filed, plan) = file(store, new_run(LinkSelection::Stored), 1).await;
    (filed.run.id, plan)
}

/// A result of this verdict, a moment ago.
pub(crate) fn result(link_id: LinkId, verdict: Verdict) -> CheckResult {
    let up = verdict == Verdict::Up;
    CheckResult {
        link_id,
        verdict: Some(verdict),
        reason: (!up).then_some(Reason::Status { code: 500 }),
        status: Some(if up { 200 } else { 500 }),
        elapsed_ms: 42,
        checked_at: Utc::now(),
        details: Details::default(),
        phases: None,
    }
}

/// All that a check can see besides its verdict.
pub(crate) fn details() -> Details {
    Details {
        redirects: vec!["https://a.example/\"quoted\"".into(), "http://b.example/中".into()],
        certificate: Some(Certificate {
            expires_at: "2026-12-31T23:59:59Z".parse().unwrap(),
            issuer: "Let's Encrypt".into(),
        }),
        notes: [Note::Downgraded, Note::Nofollow].into(),
        ..Details::default()
    }
}

pub(crate) fn white_listed(link_id: LinkId) -> CheckResult {
    CheckResult { verdict: None, reason: None, status: None, elapsed_ms: 0, ..result(link_id, Verdict::Up) }
}

/// The results of one planned job, all of the same verdict.
pub(crate) fn results(run_id: RunId, job: &PlannedJob, verdict: Verdict) -> JobResults {
    let result = |id: &LinkId| match job.kind {
        JobKind::Check | JobKind::Recheck => result(*id, verdict),
        JobKind::Known => white_listed(*id),
    };
    JobResults { run_id, job_id: job.id, results: job.links.iter().map(result).collect() }
}

/// Records one verdict for all links of these jobs.
pub(crate) async fn record(
    store: &SharedStore,
    run: RunId,
    jobs: &[PlannedJob],
    verdict: Verdict,
) -> Vec<Recorded> {
    let batch: Vec<JobResults> = jobs.iter().map(|job| results(run, job, verdict)).collect();
    store.record(&batch, judge()).await.unwrap()
}

/// The plainest of judges: what passes is shown, all else is hidden, after a recheck where one is asked for.
#[derive(Debug)]
struct TestJudge;

pub(crate) fn judge() -> Arc<dyn Judge> {
    Arc::new(TestJudge)
}

impl Judge for TestJudge {
    fn judge(&self, link: &Judged<'_>, result: &CheckResult, rules: &ShowRules, job: JobKind) -> Ruling {
        let state = link.state;
        let passed = matches!(result.verdict, None | Some(Verdict::Up));
        match rules.recheck_after {
            Some(after) if state.shown && !passed && job != JobKind::Recheck => {
                return Ruling::CheckAgain(after);
            }
            _ => {}
        }
        Ruling::Apply(Box::new(LinkState {
            shown: passed,
            hidden_reason: if passed { None } else { result.reason.clone() },
            verdict: result.verdict,
            reason: result.reason.clone(),
            status: result.status,
            elapsed_ms: Some(result.elapsed_ms),
            details: result.details.clone(),
            phases: result.phases.as_deref().copied(),
            known: state.known.clone(),
            last_checked_at: Some(result.checked_at),
            last_run_id: None,
            passed_in_a_row: if passed { state.passed_in_a_row + 1 } else { 0 },
            failed_in_a_row: if passed { 0 } else { state.failed_in_a_row + 1 },
        }))
    }

    /// Its body names the run and the link, in the manner of [`TestPlanner`].
    fn plan_recheck(&self, run: RunId, link: &Link, _check: &CheckSpec) -> PlannedJob {
        let id = derived_id::recheck_job(run, link.id);
        let body = format!("{} {}", link.id, link.url.expose()).into_bytes();
        PlannedJob { id, kind: JobKind::Recheck, links: vec![link.id], body }
    }
}

/// The link that a recheck of [`TestJudge`] is about, and its URL.
pub(crate) fn recheck(job: &StoredJob) -> (LinkId, String) {
    let body = String::from_utf8(job.body.clone()).unwrap();
    let (link, url) = body.split_once(' ').unwrap();
    (link.parse().unwrap(), url.to_owned())
}

/// A run in numbers.
pub(crate) async fn counts(store: &SharedStore, run: RunId) -> Counts {
    store.summary(run).await.unwrap().unwrap().counts
}

/// What a run made of its links, read in pages of two.
pub(crate) async fn report_links(store: &SharedStore, run: RunId) -> Vec<LinkReport> {
    selected(store, run, ReportLinks::All).await
}

/// The same, of some of its links.
pub(crate) async fn selected(store: &SharedStore, run: RunId, which: ReportLinks) -> Vec<LinkReport> {
    let mut links: Vec<LinkReport> = Vec::new();
    loop {
        let after = links.last().map(|link| link.id);
        let page = store.report_links(run, which, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            return links;
        }
        links.extend(page);
    }
}

/// What a run made of one link.
pub(crate) async fn reported_of(store: &SharedStore, run: RunId, link: LinkId) -> LinkReport {
    let reported = report_links(store, run).await.into_iter().find(|reported| reported.id == link);
    reported.unwrap_or_else(|| panic!("{run} has no check of {link}"))
}

/// The one stored link of this URL.
pub(crate) async fn stored(store: &SharedStore, url: &str) -> Link {
    let mut found = store.find_links(url).await.unwrap();
    assert_eq!(found.len(), 1, "{url}");
    found.remove(0)
}

/// A moment as both databases keep it.
pub(crate) fn micros(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_micros()
}
