//! One run: how far it has come, live, and what became of its links.

use askama::Template;
use axum::extract::{Path, State};
use linkbeat_shared::{Counts, HeldBack, LinkReport, Run, RunId, RunState, Verdict};
use linkbeat_store::{PageOf, ReportLinks, RunLinkSort};

use super::row::short_id;
use crate::pages::answer::{Page, Problem};
use crate::pages::form::Form;
use crate::pages::parts::{Made, Outside, Pager, State as Shown, When, change_word, length, milliseconds};
use crate::pages::visit::Visit;
use crate::pages::wording::Texts;
use crate::pages::{ROWS, told};
use crate::serve::App;

/// How far a run has come: a part of pages that is sent anew while it goes on.
#[derive(Template)]
#[template(path = "parts/progress.html")]
pub(crate) struct Progress {
    v: Visit,
    state: Shown,
    goes_on: bool,
    done: u64,
    links: u64,
    took: String,
    /// What there is so many of.
    counts: Vec<(&'static str, u64)>,
}

impl Progress {
    pub(crate) fn new(v: &Visit, run: &Run, counts: Counts, to_recheck: u64) -> Self {
        Self {
            v: v.clone(),
            state: Shown::of_run(v.t, run.state),
            goes_on: run.state == RunState::Running,
            done: run.done,
            links: run.links,
            took: length(v.t, run.finished_at.unwrap_or(v.now) - run.created_at),
            counts: told_counts(v.t, counts, run.missing, to_recheck),
        }
    }
}

/// What there is so many of. Up, down and without backlink are always told; the others only where there are any.
fn told_counts(t: &Texts, counts: Counts, missing: u64, to_recheck: u64) -> Vec<(&'static str, u64)> {
    let always = [
        (t.verdict_up, counts.up),
        (t.verdict_down, counts.down),
        (t.verdict_no_backlink, counts.no_backlink),
    ];
    let some = [
        (t.verdict_blocked, counts.blocked),
        (t.verdict_refused, counts.refused),
        (t.white_listed, counts.white_listed),
        (t.change_hidden, counts.to_not_show),
        (t.change_shown, counts.to_show),
        (t.would_hide, counts.would_hide),
        (t.would_show, counts.would_show),
        (t.missing, missing),
        (t.to_recheck, to_recheck),
    ];
    always.into_iter().chain(some.into_iter().filter(|(_, count)| *count > 0)).collect()
}

/// A link of a run as a row.
struct Row {
    href: String,
    name: String,
    url: Outside,
    state: Shown,
    why: Option<String>,
    status: Option<u16>,
    elapsed: Option<String>,
    change: Option<&'static str>,
}

impl Row {
    fn new(v: &Visit, link: &LinkReport) -> Self {
        let proposed = link.proposed.map(|change| change_word(v.t, change));
        Self {
            href: v.to(&format!("/links/{}", link.id)),
            name: link.name.to_string(),
            url: Outside::new(&link.url),
            state: Shown::of_check(v.t, link.verdict),
            why: link.reason.as_ref().map(|reason| v.lang.reason_of(reason, link.details.failed)),
            status: link.status,
            elapsed: link.elapsed_ms.map(milliseconds),
            change: link.change.map(|change| change_word(v.t, change)).or(proposed),
        }
    }
}

#[derive(Template)]
#[template(path = "run.html")]
pub(super) struct RunPage {
    v: Visit,
    told: Option<String>,
    id: RunId,
    short: String,
    begun: When,
    ended: Option<When>,
    state: RunState,
    part: String,
    progress: Made,
    held: Option<String>,
    rows: Vec<Row>,
    /// It had results, and its checks are gone by now.
    has_no_checks: bool,
    tabs: Vec<Tab>,
    pager: Pager,
    changes: String,
}

/// One of the lists of a run's links.
struct Tab {
    href: String,
    word: &'static str,
    chosen: bool,
}

impl RunPage {
    /// The address of what can be done with the run.
    fn at(&self, action: &str) -> String {
        self.v.to(&format!("/runs/{}{action}", self.id))
    }

    fn can(&self, action: &str) -> bool {
        match action {
            "cancel" => self.state == RunState::Running,
            "apply" | "discard" => self.state == RunState::HeldBack,
            _ => false,
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    v: Visit,
    Path(id): Path<String>,
    query: Form,
) -> Result<Page<RunPage>, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::NotFound)?;
    let store = &app.ports.store;
    let run = store.run(id).await?.ok_or(Problem::NotFound)?;
    let summary = store.summary(id).await?.ok_or(Problem::NotFound)?;
    let (shown, which, sort) = list_of(query.get("list"));
    let page = query.page(ROWS)?;
    let links = store.browse_run_links(id, which, sort, &page).await?;
    let has_no_checks = links.items.is_empty() && run.done > 0 && {
        let one = PageOf { after: None, limit: 1 };
        store.browse_run_links(id, ReportLinks::All, RunLinkSort::Added, &one).await?.items.is_empty()
    };
    let path = format!("/runs/{id}");
    let pager = Pager::new(&v, &path, &format!("list={shown}"), &page, links.next.as_ref());
    let tab = |(list, word): (&str, &'static str)| Tab {
        href: v.to(&format!("{path}?list={list}")),
        word,
        chosen: list == shown,
    };
    let tabs =
        [("failed", v.t.changed_or_failed), ("slowest", v.t.slowest), ("all", v.t.all)].map(tab).into();
    Ok(Page(RunPage {
        told: told::read(v.t, &query),
        id,
        short: short_id(&id.to_string()),
        begun: When(summary.created_at),
        ended: summary.finished_at.map(When),
        state: summary.state,
        part: format!("run-{id}"),
        progress: Made::of(&Progress::new(&v, &run, summary.counts, summary.to_recheck))?,
        held: summary.held_back.as_ref().map(|held| seen(&v, held)),
        rows: links.items.iter().map(|link| Row::new(&v, link)).collect(),
        has_no_checks,
        tabs,
        pager,
        changes: v.to(&format!("/changes?run={id}")),
        v,
    }))
}

/// Which links a list has, and in which order.
fn list_of(list: Option<&str>) -> (&'static str, ReportLinks, RunLinkSort) {
    match list {
        Some("all") => ("all", ReportLinks::All, RunLinkSort::Added),
        Some("slowest") => {
            let passed = ReportLinks::Of { change: None, verdict: Some(Verdict::Up) };
            ("slowest", passed, RunLinkSort::WorstFirst)
        }
        _ => ("failed", ReportLinks::ChangedOrFailed, RunLinkSort::WorstFirst),
    }
}

fn seen(v: &Visit, held: &HeldBack) -> String {
    held.seen(v.lang) + v.t.full_stop
}
