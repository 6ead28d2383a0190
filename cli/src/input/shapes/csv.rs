//! CSV (RFC 4180), as spreadsheets and other tools write it: with commas, semicolons or tabs between the columns, with or
//! without a first line that names them, with or without `sep=;` before it.
//!
//! [`super::names`] has the names of the columns. Columns that nobody knows are ignored.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::Look;
use super::names::{Field, NAMES, are_ours, is_url_column, put, same};
use crate::input::lines::Lines;
use crate::input::quote::quote;
use crate::input::row::{Fields, Problem, Row, Rows};
use crate::input::{InputError, Source};
use crate::output::is_formula;

/// What may stand between two columns. The first that gives a URL a column of its own counts.
const SEPARATORS: [char; 3] = [',', '\t', ';'];
/// How many lines are looked at to tell whether a text without a header has columns.
const MOST_LOOKED_AT: usize = 100;

/// Whether the first line names columns, or holds several values. A line that begins with a URL may be a URL with a
/// comma in it. Otherwise one error about the header helps more than an error about every line.
pub(super) fn fits(look: &Look<'_>) -> bool {
    let cells = |separator| look.first.split(separator).map(|cell: &str| cell.trim().trim_matches('"'));
    let holds_url = |separator| cells(separator).skip(1).any(is_address);
    let is_row = look.first.split_once(',').is_some_and(|(column, _)| !column.contains("://"));
    // No URL has a tab in it.
    let has_tab = look.first.contains('\t') && cells('\t').any(is_address);
    separator_line(look.text).is_some()
        || has_header(look)
        || has_tab
        || (!look.first.contains(' ') && holds_url(';'))
        || is_row
        || begins_with_urls(look.text)
}

/// Whether each line is a URL and more columns. A comma may belong to the URL, but not just behind its host. What stands in
/// quotes does not either, nor another URL, nor letters that no URL is written with.
fn begins_with_urls(text: &str) -> bool {
    let is_more = |url: &str, more: &str| {
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let is_host = path.is_none_or(|(_, path)| path.is_empty());
        is_host || !more.is_ascii() || more.starts_with('"') || is_address(more.trim_start())
    };
    let is_row = |line: &str| {
        let columns = line.split_once([',', ';']);
        columns.is_some_and(|(url, more)| is_address(url.trim_start_matches('"')) && is_more(url, more))
    };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(MOST_LOOKED_AT);
    lines.all(is_row)
}

/// Whether the first line names a column with URLs.
pub(super) fn has_header(look: &Look<'_>) -> bool {
    let names_url = |separator| {
        look.first.split(separator).any(|cell: &str| is_url_column(cell.trim().trim_matches('"')))
    };
    // A site may be called `Blog`.
    let is_row = SEPARATORS.into_iter().any(|separator| look.first.split(separator).any(is_address));
    !is_row && SEPARATORS.into_iter().any(names_url)
}

pub(super) fn is_address(cell: &str) -> bool {
    cell.starts_with("http://") || cell.starts_with("https://")
}

fn is_picture(url: &str) -> bool {
    let path = url.trim().split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    [".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg", ".ico"].iter().any(|ending| path.ends_with(ending))
}

/// What the first line says that stands between columns, as spreadsheets write it: `sep=;`.
fn separator_line(text: &str) -> Option<char> {
    let first = text.lines().next()?.trim().trim_matches('"');
    let mut separator = first.strip_prefix("sep=")?.chars();
    separator.next().filter(|it| it.is_ascii() && separator.next().is_none())
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let given = separator_line(text);
    let first = text.lines().skip(usize::from(given.is_some())).find(|line| !line.trim().is_empty());
    let separator = given.unwrap_or_else(|| separator(first.unwrap_or_default()));
    let mut records = Records::of(text, separator, given.is_some());
    let (line, header) = match records.next() {
        Some((line, Ok(header))) => (line, header),
        Some((line, Err(problem))) => return Err(bad_header(source, line, problem.message)),
        None => return Err(InputError::NoLinks { at: source.clone() }),
    };
    let columns = Columns::of(&header).map_err(|problem| bad_header(source, line, problem))?;
    // Without a header the first record is a row already.
    let first = (!columns.are_named).then_some((line, Ok(header)));
    let records = first.into_iter().chain(records);
    Ok(Box::new(
        records.map(move |(line, record)| Row { line, fields: record.and_then(|r| columns.fields(&r)) }),
    ))
}

fn separator(first: &str) -> char {
    let has_url = |separator: &char| {
        let mut cells = first.split(*separator).map(|cell| cell.trim().trim_matches('"'));
        cells.any(|cell| is_url_column(cell) || (is_address(cell) && !cell.contains(SEPARATORS)))
    };
    SEPARATORS.into_iter().find(has_url).unwrap_or(',')
}

fn bad_header(source: &Source, line: usize, problem: String) -> InputError {
    InputError::Header { at: source.clone(), line, problem }
}

/// Which column holds which field.
struct Columns {
    count: usize,
    are_named: bool,
    are_ours: bool,
    places: Vec<(Field, usize)>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, String> {
        let names: Vec<&str> = header.iter().collect();
        if !names.iter().any(|name| is_url_column(name)) || names.iter().any(|name| is_address(name.trim())) {
            return Self::without_names(header);
        }
        let mut places = Vec::new();
        for (field, known) in NAMES {
            let Some(name) = known.iter().find(|known| names.iter().any(|name| same(name, known))) else {
                continue;
            };
            let mut columns =
                names.iter().enumerate().filter(|(_, found)| same(found, name)).map(|(at, _)| at);
            let column = columns.next();
            if columns.next().is_some() {
                return Err(format!("the header names `{name}` twice"));
            }
            places.extend(column.map(|column| (field, column)));
        }
        let are_ours = are_ours(names.iter().copied());
        Ok(Self { count: names.len(), are_named: true, are_ours, places })
    }

    /// The first column with a URL is the link. The first other one is its name, the next URL its links page.
    fn without_names(record: &StringRecord) -> Result<Self, String> {
        let mut addresses =
            record.iter().enumerate().filter(|(_, cell)| is_address(cell.trim())).map(|(at, _)| at);
        let Some(url) = addresses.next() else {
            let found: Vec<String> = record.iter().map(|name| format!("`{}`", quote(name))).collect();
            return Err(format!("the header names no column `url`; its columns are {}", found.join(", ")));
        };
        let text = |at: usize| record.get(at).unwrap_or_default();
        let page = addresses
            .next()
            .map(|at| (if is_picture(text(at)) { Field::Avatar } else { Field::PageUrl }, at));
        let name = record.iter().position(|cell| !is_address(cell.trim())).map(|at| (Field::Name, at));
        let places = [Some((Field::Url, url)), name, page].into_iter().flatten().collect();
        Ok(Self { count: record.len(), are_named: false, are_ours: false, places })
    }

    fn fields(&self, record: &StringRecord) -> Result<Fields, Problem> {
        let is_padded = record.iter().skip(self.count).all(|cell| cell.trim().is_empty());
        if record.len() < self.count || !is_padded {
            return Err(Problem::of_row(format!(
                "the row has {} columns and the {} {}; put a value that contains a comma in double quotes",
                record.len(),
                if self.are_named { "header" } else { "first row" },
                self.count
            )));
        }
        let mut fields = Fields { is_ours: self.are_ours, ..Fields::default() };
        for (field, column) in &self.places {
            let text = record.get(*column).unwrap_or_default();
            put(&mut fields, *field, without_guard(text).to_owned());
        }
        Ok(fields)
    }
}

/// The records of a text, each with the line in which it begins. Records with only empty cells are skipped.
struct Records<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    lines: Lines<'a>,
    /// The first record says what separates the columns.
    skip_first: bool,
}

impl<'a> Records<'a> {
    fn of(text: &'a str, separator: char, skip_first: bool) -> Self {
        // flexible: a row with a wrong number of columns is ours to report, with its line.
        let mut reader = ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(u8::try_from(separator).unwrap_or(b','));
        Self { text, reader: reader.from_reader(text.as_bytes()), lines: Lines::of(text), skip_first }
    }
    /// What the reader has not read yet, without the line breaks before the next record.
    fn rest(&self) -> &'a str {
        let offset = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        self.text.get(offset..).unwrap_or_default().trim_start_matches(['\r', '\n'])
    }
}

impl Iterator for Records<'_> {
    type Item = (usize, Result<StringRecord, Problem>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = StringRecord::new();
        loop {
            let before = self.rest();
            let read = self.reader.read_record(&mut record);
            let line = self.lines.at(self.text.len() - before.len());
            return match read {
                Ok(false) => None,
                Err(error) => Some((line, Err(Problem::of_row(error.to_string())))),
                Ok(true) if std::mem::take(&mut self.skip_first) => continue,
                Ok(true) if record.iter().all(|cell| cell.trim().is_empty()) => continue,
                Ok(true) if self.rest().is_empty() && swallows_lines(before) => {
                    let message =
                        "a double quote opened here is never closed, so all that follows is one row";
                    Some((line, Err(Problem::of_row(message.to_owned()))))
                }
                Ok(true) => Some((line, Ok(record))),
            };
        }
    }
}

/// What our own CSV wrote before a text that a spreadsheet would take for a formula is taken away again.
fn without_guard(text: &str) -> &str {
    text.strip_prefix('\'').filter(|_| is_formula(text.trim_start_matches('\''))).unwrap_or(text)
}

/// Whether a quote that is never closed made the last record run over several lines. The reader takes that for a
/// value with line breaks, so the rows in it would be lost without a word.
fn swallows_lines(record: &str) -> bool {
    record.trim_end().contains('\n') && record.matches('"').count() % 2 == 1
}
