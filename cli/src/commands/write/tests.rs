//! A result is written while it is read.

use std::io::{self, Write};
use std::sync::Arc;

use chrono::Utc;
use clap::ValueEnum;
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    CheckResult, CheckSpec, Details, JobId, Lang, Link, LinkId, LinkSelection, LinkState, LinkUrl, NewLink,
    Reason, RequestId, RunId, RunSummary, ShowRules, Verdict,
};
use linkbeat_store::{
    JobKind, JobResults, Judge, Judged, LinkQuery, NewRun, OpenMode, PlannedJob, Planner, Ruling,
    SharedStore, open,
};

use super::stream;
use crate::output::{self, FormatName, Manner, Prose, Style, Urls};

/// More than the rows that a table holds back to find its widths.
const LINKS: usize = 15_000;
/// Links of a job, and results stored at once.
const JOB: usize = 5_000;

#[tokio::test]
async fn reports_and_listings_are_written_while_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, run) = checked_links(folder.path()).await;
    for name in FormatName::value_variants() {
        let prose = Prose { lang: Lang::En, warn_certificate_days: 14 };
        let manner = Manner { prose, style: Style::PLAIN, urls: Urls::Redacted, bom: false };
        let format = output::format(*name, manner);
        let mut report = Watch::new(&store);
        stream::report(&*format, &*store, &run, &mut report).await.unwrap();
        if *name == FormatName::Markdown {
            assert!(report.bytes < 65_536, "it may hold its rows, as these are bounded: {}", report.bytes);
        } else {
            report.assert_early(*name);
        }
        if *name == FormatName::Junit {
            continue;
        }
        let mut listing = Watch::new(&store);
        stream::links(&*format, &store, &LinkQuery::default(), &mut listing).await.unwrap();
        listing.assert_early(*name);
        let mut none = Watch::new(&store);
        let shown = LinkQuery { shown: Some(true), ..LinkQuery::default() };
        stream::links(&*format, &store, &shown, &mut none).await.unwrap();
        assert_eq!(none.read_at_first_link, None, "{name:?}: all links are hidden");
    }
    store.close().await;
}

#[tokio::test]
async fn a_file_keeps_what_it_holds_when_the_database_fails_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let (store, run) = checked_links(folder.path()).await;
    let results = tempfile::tempdir().unwrap();
    let file = results.path().join("report.json");
    std::fs::write(&file, "yesterday").unwrap();
    let mut settings = crate::settings::Settings::default();
    settings.output.format = FormatName::Json;
    let mut args = crate::args::OutputArgs::default();
    args.output = Some(file.clone());
    // The summary was read, so the report begins. Its links cannot be read.
    store.close().await;
    super::report(&settings, &args, &*store, &run, "").await.unwrap_err();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "yesterday");
    assert_eq!(std::fs::read_dir(results.path()).unwrap().count(), 1);
}

/// Takes a result, and notes how many pages had been read when its first link came.
struct Watch<'a> {
    store: &'a SharedStore,
    read_before: u64,
    read_at_first_link: Option<u64>,
    lines: usize,
    bytes: usize,
}

impl<'a> Watch<'a> {
    fn new(store: &'a SharedStore) -> Self {
        let read_before = store.activity().tally().succeeded;
        Self { store, read_before, read_at_first_link: None, lines: 0, bytes: 0 }
    }

    fn pages_read(&self) -> u64 {
        self.store.activity().tally().succeeded - self.read_before
    }

    /// A table holds back 10,000 links, any other format a page.
    fn assert_early(&self, name: FormatName) {
        let (first, all) = (self.read_at_first_link.unwrap(), self.pages_read());
        assert!(self.lines >= LINKS, "{name:?}: {} lines", self.lines);
        assert!(
            first <= 6 && first < all,
            "{name:?}: {first} of {all} pages were read before the first link came"
        );
    }
}

impl Write for Watch<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.read_at_first_link.is_none() && text.windows(3).any(|text| text == b"://") {
            self.read_at_first_link = Some(self.pages_read());
        }
        self.lines += text.iter().filter(|byte| **byte == b'\n').count();
        self.bytes += text.len();
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A database with a finished run that hid all its links.
async fn checked_links(folder: &std::path::Path) -> (SharedStore, RunSummary) {
    let url = format!("sqlite://{}", folder.join("linkbeat.db").display()).parse().unwrap();
    let store = open(&url, OpenMode::Migrate).await.unwrap();
    let link = |n: usize| NewLink::from_url(LinkUrl::parse(&format!("http://host-{n}.example/")).unwrap());
    let run = NewRun {
        id: RunId::new(),
        request_id: RequestId::new(),
        kept: None,
        links: LinkSelection::given((0..LINKS).map(link).collect()),
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reuse_within: None,
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    let run = store.file_run(run, Box::new(Jobs::default())).await.unwrap().run;
    let open = store.open_jobs(linkbeat_store::OpenJobs::OfRun(run.id), None, 1_000).await.unwrap();
    for job in open {
        let results =
            serde_json::from_slice::<Vec<LinkId>>(&job.body).unwrap().into_iter().map(down).collect();
        store
            .record(&[JobResults { run_id: run.id, job_id: job.id, results }], Arc::new(HideAll))
            .await
            .unwrap();
    }
    assert_eq!(store.close_runs(1).await.unwrap().len(), 1);
    let run = store.summary(run.id).await.unwrap().unwrap();
    assert_eq!(run.counts.to_not_show, LINKS as u64);
    (store, run)
}

/// Jobs whose message names their links.
#[derive(Default)]
struct Jobs(Vec<LinkId>);

impl Planner for Jobs {
    fn begin(&mut self, _: RunId, _: u64) {}

    fn add(&mut self, _: &str, link: JobLinkMessage, _fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        self.0.push(LinkId(link.id));
        if self.0.len() == JOB { self.finish() } else { Vec::new() }
    }

    fn is_white_listed(&self, _name: &str) -> bool {
        false
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let links = std::mem::take(&mut self.0);
        if links.is_empty() {
            return Vec::new();
        }
        let body = serde_json::to_vec(&links).unwrap();
        vec![PlannedJob { id: JobId::new(), kind: JobKind::Check, links, body }]
    }
}

fn down(link_id: LinkId) -> CheckResult {
    CheckResult {
        link_id,
        verdict: Some(Verdict::Down),
        reason: Some(Reason::Status { code: 404 }),
        status: Some(404),
        elapsed_ms: 12,
        checked_at: Utc::now(),
        details: Details::default(),
        phases: None,
    }
}

/// Hides every link. It never asks for a recheck.
#[derive(Debug)]
struct HideAll;

impl Judge for HideAll {
    fn judge(&self, link: &Judged<'_>, result: &CheckResult, _: &ShowRules, _: JobKind) -> Ruling {
        Ruling::Apply(Box::new(LinkState { shown: false, verdict: result.verdict, ..link.state.clone() }))
    }

    fn plan_recheck(&self, _: RunId, link: &Link, _: &CheckSpec) -> PlannedJob {
        unreachable!("{} is not checked again", link.url)
    }
}
