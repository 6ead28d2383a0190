//! What people are shown of links, as columns and cells; the table and Markdown only draw it.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Change, Lang, Link, LinkReport, Report, Run, RunState, Verdict};

use super::plain::plain;
use super::words::{self, Words, words};

/// Columns and the cells under them; each row has as many cells as there are columns.
pub(super) struct Listing {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// One column.
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// How far it may be narrowed, in terminal columns; `None`: not at all.
    pub(super) least: Option<usize>,
    /// Whether its cells are numbers, which stand to the right.
    pub(super) number: bool,
}

/// One cell.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Url,
    Good,
    Doubtful,
    Bad,
}

impl Column {
    fn fixed(heading: &'static str) -> Self {
        Self { heading, least: None, number: false }
    }

    fn narrowing(heading: &'static str, least: usize) -> Self {
        Self { heading, least: Some(least), number: false }
    }

    fn number(heading: &'static str) -> Self {
        Self { heading, least: None, number: true }
    }
}

impl Cell {
    fn of(kind: Kind, text: &str) -> Self {
        Self { text: plain(text), kind }
    }

    fn text(text: &str) -> Self {
        Self::of(Kind::Text, text)
    }

    fn yes_no(yes: bool, words: &Words) -> Self {
        Self::text(if yes { words.yes } else { words.no })
    }

    fn verdict(verdict: Verdict, lang: Lang) -> Self {
        let kind = match verdict {
            Verdict::Up => Kind::Good,
            Verdict::Down => Kind::Bad,
            Verdict::NoBacklink | Verdict::Blocked | Verdict::Refused => Kind::Doubtful,
        };
        Self::of(kind, words::verdict(lang, verdict))
    }

    fn change(change: Option<Change>, lang: Lang) -> Self {
        match change {
            None => Self::text(""),
            Some(change @ Change::Hidden) => Self::of(Kind::Bad, words::change(lang, change)),
            Some(change @ Change::Shown) => Self::of(Kind::Good, words::change(lang, change)),
        }
    }
}

impl Listing {
    /// The links of a run that changed (hidden first, then shown), then those that did not pass.
    pub(super) fn of_report(report: &Report, lang: Lang) -> Self {
        let words = words(lang);
        let mut links: Vec<_> =
            report.links.iter().filter_map(|link| rank(link).map(|rank| (rank, link))).collect();
        links.sort_by_key(|(rank, _)| *rank);
        Self {
            columns: vec![
                Column::fixed(words.change),
                Column::narrowing(words.name, 10),
                Column::narrowing(words.url, 16),
                Column::fixed(words.verdict),
                Column::narrowing(words.reason, 22),
                Column::number(words.milliseconds),
            ],
            rows: links.into_iter().map(|(_, link)| report_row(link, lang)).collect(),
        }
    }

    /// Stored links, all of them, as they come.
    pub(super) fn of_links(links: &[Link], lang: Lang) -> Self {
        let words = words(lang);
        Self {
            columns: vec![
                Column::narrowing(words.name, 10),
                Column::narrowing(words.url, 16),
                Column::fixed(words.active),
                Column::fixed(words.shown),
                Column::fixed(words.verdict),
                Column::narrowing(words.reason, 22),
                Column::fixed(words.last_checked),
            ],
            rows: links.iter().map(|link| link_row(link, lang)).collect(),
        }
    }

    /// Stored runs, all of them, as they come.
    pub(super) fn of_runs(runs: &[Run], lang: Lang) -> Self {
        let words = words(lang);
        Self {
            columns: vec![
                Column::fixed(words.run),
                Column::fixed(words.state),
                Column::number(words.links),
                Column::number(words.done),
                Column::fixed(words.begun),
                Column::number(words.seconds),
            ],
            rows: runs.iter().map(|run| run_row(run, lang)).collect(),
        }
    }
}

/// Where a link stands in the listing of a report; `None`: nothing to say about it.
fn rank(link: &LinkReport) -> Option<(u8, Option<Verdict>)> {
    match (link.change, link.verdict) {
        (Some(Change::Hidden), verdict) => Some((0, verdict)),
        (Some(Change::Shown), verdict) => Some((1, verdict)),
        (None, None | Some(Verdict::Up)) => None,
        (None, verdict) => Some((2, verdict)),
    }
}

fn report_row(link: &LinkReport, lang: Lang) -> Vec<Cell> {
    let verdict = link
        .verdict
        .map_or_else(|| Cell::text(words(lang).white_listed), |verdict| Cell::verdict(verdict, lang));
    vec![
        Cell::change(link.change, lang),
        Cell::text(link.name.as_str()),
        Cell::of(Kind::Url, &link.url.to_string()),
        verdict,
        Cell::text(&link.reason.as_ref().map(|reason| lang.reason(reason)).unwrap_or_default()),
        Cell::text(&link.elapsed_ms.map(|elapsed| elapsed.to_string()).unwrap_or_default()),
    ]
}

fn link_row(link: &Link, lang: Lang) -> Vec<Cell> {
    let (words, state) = (words(lang), &link.state);
    let last_checked = state.last_checked_at.map_or_else(|| words.never.to_owned(), moment);
    vec![
        Cell::text(link.name.as_str()),
        Cell::of(Kind::Url, &link.url.to_string()),
        Cell::yes_no(link.active, words),
        Cell::yes_no(state.shown, words),
        state.verdict.map_or_else(|| Cell::text(""), |verdict| Cell::verdict(verdict, lang)),
        Cell::text(&state.reason.as_ref().map(|reason| lang.reason(reason)).unwrap_or_default()),
        Cell::text(&last_checked),
    ]
}

fn run_row(run: &Run, lang: Lang) -> Vec<Cell> {
    let kind = match run.state {
        RunState::Finished => Kind::Good,
        RunState::Running => Kind::Doubtful,
        RunState::Cancelled => Kind::Bad,
    };
    let took = run.finished_at.map(|end| (end - run.created_at).as_seconds_f64());
    vec![
        Cell::text(&run.id.to_string()),
        Cell::of(kind, words::state(lang, run.state)),
        Cell::text(&run.links.to_string()),
        Cell::text(&run.done.to_string()),
        Cell::text(&moment(run.created_at)),
        Cell::text(&took.map(|seconds| format!("{seconds:.1}")).unwrap_or_default()),
    ]
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
