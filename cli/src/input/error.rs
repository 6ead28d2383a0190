//! What can be wrong with an input. Each error says what is wrong and where (`file:line`), and has advice.

use std::borrow::Cow;
use std::fmt;
use std::io;

use super::Source;

/// How many bad rows are kept and listed. The others are only counted.
const LISTED: usize = 20;

/// An input that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// No such file, a directory, no permission, …
    #[error("{at}: cannot be read: {error}")]
    Unreadable { at: Source, error: io::Error, advice: Option<Cow<'static, str>> },
    /// Over the size limit.
    #[error("{at}: is larger than {} MiB", limit >> 20)]
    TooLarge { at: Source, limit: u64 },
    /// Nothing but white space.
    #[error("{at}: is empty")]
    Empty { at: Source },
    /// An encoding that nobody knows, or no text at all.
    #[error("{at}:{line}: is not text (in UTF-8, the first bad byte is at offset {offset})")]
    NotText { at: Source, line: usize, offset: usize },
    /// A CSV header without the needed columns.
    #[error("{at}:{line}: {problem}")]
    Header { at: Source, line: usize, problem: String },
    /// JSON that breaks JSON's grammar.
    #[error("{at}:{line}:{column}: is not valid JSON: {problem}")]
    Json { at: Source, line: usize, column: usize, problem: String },
    /// YAML that breaks YAML's grammar.
    #[error("{at}:{line}:{column}: is not valid YAML: {problem}")]
    Yaml { at: Source, line: usize, column: usize, problem: String },
    /// OPML that breaks XML's grammar.
    #[error("{at}:{line}: is not valid XML: {problem}")]
    Xml { at: Source, line: usize, problem: String },
    /// TOML that breaks TOML's grammar.
    #[error("{at}:{line}: is not valid TOML: {problem}")]
    Toml { at: Source, line: usize, problem: String },
    /// HTML that cannot be taken in.
    #[error("{at}: cannot be read as HTML: {problem}")]
    Html { at: Source, problem: String },
    /// JSON or YAML of another form.
    #[error("{at}: is {shape} without a list of links")]
    NoList { at: Source, shape: &'static str },
    /// A header, comments or brackets, and nothing else.
    #[error("{at}: lists no link")]
    NoLinks { at: Source },
    /// Not one good row, while bad rows are skipped.
    #[error("{at}: no usable link is left without the bad rows; correct them\n{bad}")]
    NothingLeft { at: Source, bad: RowErrors },
    /// Bad rows, while none is allowed.
    #[error("{0}")]
    BadRows(RowErrors),
}

impl InputError {
    /// What to do about it. It is a sentence of its own if the error has several lines.
    pub(crate) fn advice(&self) -> Option<Cow<'static, str>> {
        let advice = match self {
            Self::Unreadable { advice, .. } => return advice.clone(),
            Self::NotText { .. } => "convert it to UTF-8, for example with iconv",
            Self::TooLarge { .. } => "split it into several files",
            Self::Empty { .. } => "write one URL per line, or CSV or JSON with names and URLs",
            Self::Header { .. } => {
                "the first line of a CSV names its columns, separated by commas: url (or link), and as you like \
                 name, page_url (or linkpage), active, shown, backlink, group, avatar, description, screenshot, feed, \
                 tags"
            }
            Self::Yaml { problem, .. } if problem.contains("found a tab") => {
                "YAML is indented with spaces, not with tabs"
            }
            Self::Json { .. }
            | Self::Yaml { .. }
            | Self::Xml { .. }
            | Self::Toml { .. }
            | Self::Html { .. } => "correct it there",
            Self::NoList { .. } => {
                r#"write [{"name": …, "url": …}, …] or {"link_list": [{"name": …, "link": …}, …]}"#
            }
            Self::NoLinks { .. } => "write at least one",
            // It stands in the first line.
            Self::NothingLeft { .. } => return None,
            Self::BadRows(_) => "Correct them, or import only the good rows with --skip-bad-rows",
        };
        Some(advice.into())
    }
}

/// A row that is no usable link.
#[derive(Debug)]
pub(crate) struct RowError {
    /// Where it stands.
    pub(super) source: Source,
    /// The line it begins in, from 1.
    pub(super) line: usize,
    /// The column or field at fault, where one is.
    pub(super) field: Option<&'static str>,
    /// What is wrong with it.
    pub(super) message: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.source, self.line)?;
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Bad rows: how many there are, and the first of them. As text: a line with the number, then a line for each row.
#[derive(Debug, Default)]
pub(crate) struct RowErrors {
    first: Vec<RowError>,
    total: usize,
}

impl RowErrors {
    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn push(&mut self, error: RowError) {
        self.total += 1;
        if self.first.len() < LISTED {
            self.first.push(error);
        }
    }

    pub(super) fn append(&mut self, later: Self) {
        self.total += later.total;
        self.first.extend(later.first);
        self.first.truncate(LISTED);
    }
}

impl fmt::Display for RowErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = if self.total == 1 { "row" } else { "rows" };
        write!(f, "{} bad {rows}:", self.total)?;
        for error in &self.first {
            write!(f, "\n  {error}")?;
        }
        match self.total - self.first.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
