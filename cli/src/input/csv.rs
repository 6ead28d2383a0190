//! CSV (RFC 4180) with a header: `name,url[,page_url][,active][,shown][,backlink]` in any order, and what is kept of a
//! link besides: `group`, `avatar`, `description`, `screenshot`, `feed`, and `tags` (with commas or semicolons between).
//!
//! `link` and `linkpage`, as other friend-link tools write, stand for `url` and `page_url`; columns
//! that nobody knows are ignored.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::lines::Lines;
use super::quote::quote;
use super::row::{Fields, Problem, Row, Rows};
use super::{InputError, Source};

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let mut records = Records::of(text);
    let (line, header) = match records.next() {
        Some((line, Ok(header))) => (line, header),
        // Text with no record is empty, and Source::read lets none through.
        Some((line, Err(problem))) => return Err(bad_header(source, line, problem.message)),
        None => return Err(InputError::Empty { at: source.clone() }),
    };
    let columns = Columns::of(&header).map_err(|problem| bad_header(source, line, problem))?;
    Ok(Box::new(
        records.map(move |(line, record)| Row { line, fields: record.and_then(|r| columns.fields(&r)) }),
    ))
}

fn bad_header(source: &Source, line: usize, problem: String) -> InputError {
    InputError::Header { at: source.clone(), line, problem }
}

/// Which column holds which field.
struct Columns {
    count: usize,
    name: Option<usize>,
    url: usize,
    page_url: Option<usize>,
    active: Option<usize>,
    shown: Option<usize>,
    backlink: Option<usize>,
    group: Option<usize>,
    avatar: Option<usize>,
    description: Option<usize>,
    screenshot: Option<usize>,
    feed: Option<usize>,
    tags: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        let find = |wanted: &str| {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == wanted);
            match (places.next(), places.next()) {
                (Some(_), Some(_)) => Err(format!("the header names `{wanted}` twice")),
                (place, _) => Ok(place.map(|(index, _)| index)),
            }
        };
        let url = find("url")?.or(find("link")?).ok_or_else(|| {
            let found: Vec<String> = header.iter().map(|name| format!("`{}`", quote(name))).collect();
            format!("the header names no column `url`; its columns are {}", found.join(", "))
        })?;
        Ok(Self {
            count: names.len(),
            name: find("name")?,
            url,
            page_url: find("page_url")?.or(find("linkpage")?),
            active: find("active")?,
            shown: find("shown")?,
            backlink: find("backlink")?,
            group: find("group")?,
            avatar: find("avatar")?,
            description: find("description")?,
            screenshot: find("screenshot")?,
            feed: find("feed")?,
            tags: find("tags")?,
        })
    }

    fn fields(&self, record: &StringRecord) -> Result<Fields, Problem> {
        if record.len() != self.count {
            return Err(Problem::of_row(format!(
                "the row has {} columns and the header {}; put a value that contains a comma in double quotes",
                record.len(),
                self.count
            )));
        }
        let text =
            |column: Option<usize>| column.and_then(|index| record.get(index)).unwrap_or("").to_owned();
        Ok(Fields {
            name: text(self.name),
            url: text(Some(self.url)),
            page_url: text(self.page_url),
            active: text(self.active),
            shown: text(self.shown),
            backlink: text(self.backlink),
            group: text(self.group),
            avatar: text(self.avatar),
            description: text(self.description),
            screenshot: text(self.screenshot),
            feed: text(self.feed),
            tags: text(self.tags).split([',', ';']).map(str::to_owned).collect(),
        })
    }
}

/// The records of a text, each with the line in which it begins. Records with only empty cells are skipped.
struct Records<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    lines: Lines<'a>,
}

impl<'a> Records<'a> {
    fn of(text: &'a str) -> Self {
        // flexible: a row with a wrong number of columns is ours to report, with its line.
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        Self { text, reader, lines: Lines::of(text) }
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

/// Whether a quote that is never closed made the last record run over several lines. The reader takes that for a
/// value with line breaks, so the rows in it would be lost without a word.
fn swallows_lines(record: &str) -> bool {
    record.trim_end().contains('\n') && record.matches('"').count() % 2 == 1
}
