//! Results on their way out: one trait, one file per format.
//!
//! A report and a listing of links are written page by page, as they are read. So a million links never lie in
//! memory whole.
//!
//! Names, URLs and addresses in a result come from strangers. Each format guards against what can
//! happen in it: escape sequences in a terminal, formulas in a spreadsheet, markup in Markdown and XML.

mod csv;
pub(crate) mod dead;
pub(crate) mod explained;
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
mod schedule_words;
pub(crate) mod schedules;
mod summary;
mod table;
pub(crate) mod tokens;
mod words;
pub(crate) mod workers;
mod yaml;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use linkbeat_shared::{Lang, Link, LinkReport, LinkUrl, Run, RunSummary};
use linkbeat_store::ReportLinks;
use serde::{Deserialize, Serialize};

pub(crate) use crate::plain::{self, plain};
pub(crate) use csv::is_formula;

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
    /// The same as json, as a list of YAML
    Yaml,
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

impl Prose {
    /// What stands between two things that are told.
    fn separator(self) -> &'static str {
        match self.lang {
            Lang::En => "; ",
            Lang::Zh => "；",
        }
    }
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
    /// As in files and pipes.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { color: false, width: None };

    /// What standard output can do, if it is where the result goes. `NO_COLOR` and `TERM` decide about colours where
    /// `--color` does not.
    pub(crate) fn detect(to_stdout: bool) -> Self {
        let choice = match anstream::ColorChoice::global() {
            anstream::ColorChoice::Auto if !to_stdout => anstream::ColorChoice::Never,
            anstream::ColorChoice::Auto => anstream::AutoStream::choice(&io::stdout()),
            choice => choice,
        };
        let is_terminal = to_stdout && io::stdout().is_terminal();
        Self {
            color: choice != anstream::ColorChoice::Never,
            width: terminal_size::terminal_size().filter(|_| is_terminal).map(|(width, _)| width.0.into()),
        }
    }
}

/// How URLs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Urls {
    /// Without user names and passwords.
    #[default]
    Redacted,
    /// Whole, in lists of stored links that programs read (`--with-secrets`).
    Whole,
}

impl Urls {
    fn text(self, url: &LinkUrl) -> String {
        match self {
            Self::Redacted => url.to_string(),
            Self::Whole => url.expose().to_owned(),
        }
    }
}

/// How a result is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Matters wherever people read.
    pub(crate) prose: Prose,
    /// Matters to the table alone.
    pub(crate) style: Style,
    /// Matters to lists of stored links that programs read.
    pub(crate) urls: Urls,
    /// Whether a CSV begins with a byte order mark.
    pub(crate) bom: bool,
}

/// The format of that name.
pub(crate) fn format(name: FormatName, Manner { prose, style, urls, bom }: Manner) -> Box<dyn Format> {
    let lang = prose.lang;
    match name {
        FormatName::Table => Box::new(table::Table { prose, style }),
        FormatName::Json => Box::new(json::Json { lang, urls }),
        FormatName::Jsonl => Box::new(jsonl::Jsonl { lang, urls }),
        FormatName::Yaml => Box::new(yaml::Yaml { lang, urls }),
        FormatName::Csv => Box::new(csv::Csv { lang, urls, bom }),
        FormatName::Junit => Box::new(junit::Junit { lang }),
        FormatName::Markdown => Box::new(markdown::Markdown { prose }),
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
