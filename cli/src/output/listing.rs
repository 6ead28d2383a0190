//! What people are shown of links, as columns and cells; the table and Markdown only draw it.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Change, Lang, Link, LinkReport, Report, Run, RunState, Verdict};

use super::Prose;
use super::plain::plain;
use super::remarks::{reason_and_remarks, report_time};
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
    pub(super) fn fixed(heading: &'static str) -> Self {
        Self { heading, least: None, number: false }
    }

    pub(super) fn narrowing(heading: &'static str, least: usize) -> Self {
        Self { heading, least: Some(least), number: false }
    }

    pub(super) fn number(heading: &'static str) -> Self {
        Self { heading, least: None, number: true }
    }
}

impl Cell {
    pub(super) fn of(kind: Kind, text: &str) -> Self {
        Self { text: plain(text), kind }
    }

    pub(super) fn text(text: &str) -> Self {
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
    /// The links of a run that changed (hidden first, then shown), then those that did not pass, then those
    /// that are up but worth a remark.
    pub(super) fn of_report(report: &Report, prose: Prose) -> Self {
        let (words, now) = (words(prose.lang), report_time(report));
        let ranked = report.links.iter().filter_map(|link| {
            let told = reason_and_remarks(link.verdict, link.reason.as_ref(), &link.details, now, prose);
            rank(link, !told.is_empty()).map(|rank| (rank, link, told))
        });
        let mut links: Vec<_> = ranked.collect();
        links.sort_by_key(|(rank, ..)| *rank);
        Self {
            columns: vec![
                Column::fixed(words.change),
                Column::narrowing(words.name, 10),
                Column::narrowing(words.url, 16),
                Column::fixed(words.verdict),
                Column::narrowing(words.reason, 22),
                Column::number(words.milliseconds),
            ],
            rows: links.into_iter().map(|(_, link, told)| report_row(link, &told, prose.lang)).collect(),
        }
    }

    /// Stored links, all of them, as they come; certificates are looked at as of `now`.
    pub(super) fn of_links(links: &[Link], now: DateTime<Utc>, prose: Prose) -> Self {
        let words = words(prose.lang);
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
            rows: links.iter().map(|link| link_row(link, now, prose)).collect(),
        }
        .with(Column::fixed(words.certificate_until), links.iter().map(certificate_until))
    }

    /// One column more, unless all its cells are empty.
    fn with(mut self, column: Column, cells: impl Iterator<Item = String>) -> Self {
        let cells: Vec<_> = cells.collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.columns.push(column);
            for (row, cell) in self.rows.iter_mut().zip(cells) {
                row.push(Cell::text(&cell));
            }
        }
        self
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
        .with(Column::number(words.missing), runs.iter().map(missing))
    }
}

/// Where a link stands in the listing of a report; `None`: nothing to say about it.
fn rank(link: &LinkReport, worth_telling: bool) -> Option<(u8, Option<Verdict>)> {
    match (link.change, link.verdict) {
        (Some(Change::Hidden), verdict) => Some((0, verdict)),
        (Some(Change::Shown), verdict) => Some((1, verdict)),
        (None, verdict @ (None | Some(Verdict::Up))) => worth_telling.then_some((3, verdict)),
        (None, verdict) => Some((2, verdict)),
    }
}

fn report_row(link: &LinkReport, told: &str, lang: Lang) -> Vec<Cell> {
    let verdict = link
        .verdict
        .map_or_else(|| Cell::text(words(lang).white_listed), |verdict| Cell::verdict(verdict, lang));
    vec![
        Cell::change(link.change, lang),
        Cell::text(link.name.as_str()),
        Cell::of(Kind::Url, &link.url.to_string()),
        verdict,
        Cell::text(told),
        Cell::text(&link.elapsed_ms.map(|elapsed| elapsed.to_string()).unwrap_or_default()),
    ]
}

fn link_row(link: &Link, now: DateTime<Utc>, prose: Prose) -> Vec<Cell> {
    let (words, state) = (words(prose.lang), &link.state);
    let told = reason_and_remarks(state.verdict, state.reason.as_ref(), &state.details, now, prose);
    let last_checked = state.last_checked_at.map_or_else(|| words.never.to_owned(), moment);
    vec![
        Cell::text(link.name.as_str()),
        Cell::of(Kind::Url, &link.url.to_string()),
        Cell::yes_no(link.active, words),
        Cell::yes_no(state.shown, words),
        state.verdict.map_or_else(|| Cell::text(""), |verdict| Cell::verdict(verdict, prose.lang)),
        Cell::text(&told),
        Cell::text(&last_checked),
    ]
}

/// The last day on which the certificate holds, where there is one.
fn certificate_until(link: &Link) -> String {
    let certificate = link.state.details.certificate.as_ref();
    certificate.map(|certificate| certificate.expires_at.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// How many links lack a result because their job is parked, where there are any.
fn missing(run: &Run) -> String {
    if run.missing == 0 { String::new() } else { run.missing.to_string() }
}

fn run_row(run: &Run, lang: Lang) -> Vec<Cell> {
    let kind = match run.state {
        RunState::Finished => Kind::Good,
        RunState::Running => Kind::Doubtful,
        RunState::Incomplete | RunState::Cancelled => Kind::Bad,
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
