//! What people are shown of links, as columns and cells; the table and Markdown only draw it.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Change, Lang, Link, Pin, Run, RunState, Verdict, readable_host, readable_url};

use super::Prose;
use super::plain::plain;
use super::remarks::{reason_and_remarks, with_redirect};
use super::words::{self, Words, words};

/// Columns and the cells under them; each row has as many cells as there are columns.
pub(super) struct Listing {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// How far it may be narrowed, in terminal columns; `None`: not at all.
    pub(super) least: Option<usize>,
    /// What becomes of it where the terminal is too narrow for all columns.
    pub(super) when_narrow: WhenNarrow,
    /// Whether its cells are numbers, which stand to the right.
    pub(super) number: bool,
    /// Whether it is left out when all its cells are empty.
    optional: bool,
}

/// What becomes of a column in a terminal that is too narrow for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenNarrow {
    /// It stays.
    Stays,
    /// Only so many characters of its cells are shown, under this heading.
    Shortened(&'static str, usize),
    /// It moves to a line of its own below the row, and is never cut.
    Told,
    /// It follows there, with its heading, if there is room.
    Follows,
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
        Self { heading, least: None, when_narrow: WhenNarrow::Stays, number: false, optional: false }
    }

    pub(super) fn narrowing(heading: &'static str, least: usize) -> Self {
        Self { least: Some(least), ..Self::fixed(heading) }
    }

    pub(super) fn number(heading: &'static str) -> Self {
        Self { number: true, ..Self::fixed(heading) }
    }

    /// What is told of a row: reasons, which are never cut.
    pub(super) fn told(heading: &'static str) -> Self {
        Self { when_narrow: WhenNarrow::Told, ..Self::fixed(heading) }
    }

    pub(super) fn when_narrow(self, when_narrow: WhenNarrow) -> Self {
        Self { when_narrow, ..self }
    }

    fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

impl Cell {
    pub(super) fn of(kind: Kind, text: &str) -> Self {
        Self { text: plain(text), kind }
    }

    pub(super) fn text(text: &str) -> Self {
        Self::of(Kind::Text, text)
    }

    /// A URL as people read it.
    pub(super) fn url(url: &str) -> Self {
        Self::of(Kind::Url, &readable_url(url))
    }

    /// A name, which may be a host.
    pub(super) fn name(name: &str) -> Self {
        Self::text(&readable_host(name))
    }

    fn yes_no(yes: bool, words: &Words) -> Self {
        Self::text(if yes { words.yes } else { words.no })
    }

    pub(super) fn verdict(verdict: Verdict, lang: Lang) -> Self {
        let kind = match verdict {
            Verdict::Up => Kind::Good,
            Verdict::Down => Kind::Bad,
            Verdict::NoBacklink | Verdict::Blocked | Verdict::Refused => Kind::Doubtful,
        };
        Self::of(kind, words::verdict(lang, verdict))
    }

    /// What a run did to a link, or else what it would do.
    pub(super) fn change(change: Option<Change>, proposed: Option<Change>, lang: Lang) -> Self {
        match change {
            None => proposed.map_or_else(
                || Self::text(""),
                |proposed| Self::of(Kind::Doubtful, words::proposed(lang, proposed)),
            ),
            Some(change @ Change::Hidden) => Self::of(Kind::Bad, words::change(lang, change)),
            Some(change @ Change::Shown) => Self::of(Kind::Good, words::change(lang, change)),
        }
    }
}

impl Listing {
    /// A listing that has no rows yet.
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Stored runs, all of them, as they come.
    pub(super) fn of_runs(runs: &[Run], lang: Lang) -> Self {
        let words = words(lang);
        let columns = vec![
            Column::fixed(words.run).when_narrow(WhenNarrow::Shortened(words.run, 13)),
            Column::fixed(words.state),
            Column::number(words.links),
            Column::number(words.done),
            Column::fixed(words.begun).when_narrow(WhenNarrow::Shortened(words.begun, 16)),
            Column::number(words.seconds),
            Column::number(words.missing).optional(),
        ];
        let mut listing = Self { columns, rows: runs.iter().map(|run| run_row(run, lang)).collect() };
        listing.drop_empty_columns();
        listing
    }

    /// Takes away the optional columns whose cells are all empty.
    pub(super) fn drop_empty_columns(&mut self) {
        for index in (0..self.columns.len()).rev() {
            let filled = |row: &Vec<Cell>| !row[index].text.is_empty();
            if self.columns[index].optional && !self.rows.iter().any(filled) {
                self.columns.remove(index);
                self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
            }
        }
    }
}

/// How far names and URLs may be narrowed.
pub(super) const NAME: usize = 10;
pub(super) const URL: usize = 16;

/// The columns of stored links.
pub(super) fn link_columns(lang: Lang) -> Vec<Column> {
    let words = words(lang);
    vec![
        Column::narrowing(words.name, NAME),
        Column::narrowing(words.url, URL),
        Column::fixed(words.active),
        Column::fixed(words.shown),
        Column::fixed(words.verdict),
        Column::told(words.reason),
        Column::fixed(words.last_checked).when_narrow(WhenNarrow::Shortened(words.checked, 10)),
        Column::fixed(words.certificate_until).when_narrow(WhenNarrow::Follows).optional(),
    ]
}

/// A stored link; its certificate is looked at as of `now`.
pub(super) fn link_row(link: &Link, now: DateTime<Utc>, prose: Prose) -> Vec<Cell> {
    let (words, state) = (words(prose.lang), &link.state);
    let told = reason_and_remarks(state.verdict, state.reason.as_ref(), &state.details, now, prose);
    let told = with_redirect(told, &state.details, prose);
    let paused = link.paused_until.map(|until| format!("{} {}", words.paused_until, moment(until)));
    let pinned = link.pin.as_ref().map(|pin| pinned(pin, words));
    let told = [paused, pinned, Some(told).filter(|told| !told.is_empty())];
    let told = told.into_iter().flatten().collect::<Vec<_>>().join(prose.separator());
    let last_checked = state.last_checked_at.map_or_else(|| words.never.to_owned(), moment);
    vec![
        Cell::name(link.name.as_str()),
        Cell::url(&link.url.to_string()),
        Cell::yes_no(link.active, words),
        Cell::yes_no(state.shown, words),
        state.verdict.map_or_else(|| Cell::text(""), |verdict| Cell::verdict(verdict, prose.lang)),
        Cell::text(&told),
        Cell::text(&last_checked),
        Cell::text(&certificate_until(link)),
    ]
}

/// That a person hid or showed it for good, and why.
fn pinned(pin: &Pin, words: &Words) -> String {
    match &pin.note {
        Some(note) => format!("{}: {note}", words.pinned),
        None => words.pinned.to_owned(),
    }
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
        RunState::Running | RunState::HeldBack => Kind::Doubtful,
        RunState::Incomplete | RunState::Discarded | RunState::Cancelled => Kind::Bad,
    };
    let took = run.finished_at.map(|end| (end - run.created_at).as_seconds_f64());
    vec![
        Cell::text(&run.id.to_string()),
        Cell::of(kind, words::state(lang, run.state)),
        Cell::text(&run.links.to_string()),
        Cell::text(&run.done.to_string()),
        Cell::text(&moment(run.created_at)),
        Cell::text(&took.map(|seconds| format!("{seconds:.1}")).unwrap_or_default()),
        Cell::text(&missing(run)),
    ]
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
