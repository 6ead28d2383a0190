//! Results on their way out: one trait, one file per format.
//!
//! A report and a listing of links are written page by page, as they are read. So a million links never lie in
//! memory whole.
//!
//! Names, URLs and addresses in a result come from strangers. Each format guards against what can
//! happen in it: escape sequences in a terminal, formulas in a spreadsheet, markup in Markdown and XML.

mod csv;
pub(crate) mod dead;
pub(crate) mod findings;
mod grid;
pub(crate) mod history_status;
mod json;
mod jsonl;
mod junit;
pub(crate) mod link_history;
mod link_item;
mod listing;
mod long_listing;
mod markdown;
mod reason_word;
mod remarks;
mod report_rows;
mod run_item;
pub(crate) mod schedules;
mod summary;
mod table;
mod words;

use std::io::{self, Write};

use clap::ValueEnum;
use linkbeat_shared::{Lang, Link, LinkReport, Run, RunSummary};
use linkbeat_store::ReportLinks;
use serde::{Deserialize, Serialize};

pub(crate) use crate::plain::{self, plain};

/// The formats by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatName {
    /// For people: what changed and what failed
    Table,
    /// One JSON object: the report message of the broker
    Json,
    /// One JSON object per link, and one for the counts
    Jsonl,
    /// For spreadsheets: one row per link
    Csv,
    /// For Jenkins, GitLab and the like: one test case per link
    Junit,
    /// For a GitHub issue or job summary: what changed and what failed
    Markdown,
}

/// The formats of what is no report: parked messages, the doctor's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// For programs
    Json,
}

/// A way to write results.
pub(crate) trait Format {
    /// Which links of a run the report wants, one selection after the other.
    fn selections(&self, _run: &RunSummary) -> Vec<ReportLinks> {
        vec![ReportLinks::All]
    }

    /// Begins the report of a run. It then takes the links of [`Format::selections`], in that order.
    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport>;

    /// Begins a listing of stored links with their latest state.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] from a format that has no form for it (JUnit).
    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link>;

    /// Writes stored runs; the same errors.
    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()>;
}

/// A result whose beginning is written.
pub(crate) type Begun<'a, T> = io::Result<Box<dyn Pages<T> + 'a>>;

/// A result that takes its items page by page.
pub(crate) trait Pages<T> {
    /// The next items.
    fn page(&mut self, items: &[T]) -> io::Result<()>;

    /// Writes what is left, when there are no more items.
    fn end(self: Box<Self>) -> io::Result<()>;
}

/// What is said to people, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prose {
    /// The language of headings, reasons and remarks.
    pub(crate) lang: Lang,
    /// Certificates that end within so many days are remarked on.
    pub(crate) warn_certificate_days: u32,
}

/// What the table may make use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether words are coloured.
    pub(crate) color: bool,
    /// Columns of the terminal; `None`: as wide as it gets.
    pub(crate) width: Option<usize>,
}

impl Style {
    /// For files and pipes.
    pub(crate) const PLAIN: Self = Self { color: false, width: None };

    /// What standard output can do (`NO_COLOR` and `TERM` are heeded), if it is where the result goes
    /// and is a terminal.
    pub(crate) fn detect(terminal: bool) -> Self {
        if !terminal {
            return Self::PLAIN;
        }
        Self {
            color: anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            width: terminal_size::terminal_size().map(|(width, _)| width.0.into()),
        }
    }
}

/// The format of that name. `style` matters to the table alone, `prose` wherever people read.
pub(crate) fn format(name: FormatName, prose: Prose, style: Style) -> Box<dyn Format> {
    let lang = prose.lang;
    match name {
        FormatName::Table => Box::new(table::Table { prose, style }),
        FormatName::Json => Box::new(json::Json { lang }),
        FormatName::Jsonl => Box::new(jsonl::Jsonl { lang }),
        FormatName::Csv => Box::new(csv::Csv { lang }),
        FormatName::Junit => Box::new(junit::Junit { lang }),
        FormatName::Markdown => Box::new(markdown::Markdown { prose }),
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
