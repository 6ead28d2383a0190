//! Links on their way in: files and standard input, as CSV, JSON or a plain list of URLs.
//!
//! All inputs are read to their end before anything is stored. So somebody with ten bad rows learns about all ten. Two
//! rows are the same link if their [`LinkUrl::key`] is the same, in whichever files they stand.
//!
//! [`LinkUrl::key`]: linkbeat_shared::LinkUrl::key

mod csv;
mod error;
mod format;
mod json;
mod lines;
mod list;
mod quote;
mod row;
mod source;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use linkbeat_shared::NewLink;

pub(crate) use error::{InputError, RowErrors};
pub(crate) use source::Source;

use error::RowError;
use row::Problem;

/// What to do about rows that are no usable link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadRows {
    /// Take nothing at all.
    Refuse,
    /// Leave them out (`--skip-bad-rows`). The first of several duplicates is kept.
    Skip,
}

/// What was read: at least one link.
#[derive(Debug)]
pub(crate) struct Input {
    /// The links, in the order of the inputs.
    pub(crate) links: Vec<NewLink>,
    /// The rows that were left out. There are none with [`BadRows::Refuse`].
    pub(crate) skipped: RowErrors,
}

/// Reads all sources. A link that stands in two of them is a duplicate.
///
/// # Errors
/// A source that cannot be read, or that holds no usable link. With [`BadRows::Refuse`] also any bad row.
pub(crate) fn read_all(sources: &[Source], bad_rows: BadRows) -> Result<Input, InputError> {
    let mut intake = Intake::new(bad_rows);
    for source in sources {
        intake.take(source, &source.read()?)?;
    }
    intake.finish()
}

/// What was read so far.
struct Intake<'a> {
    bad_rows: BadRows,
    links: Vec<NewLink>,
    bad: RowErrors,
    /// Where each link was first seen, by its key.
    seen: HashMap<String, (&'a Source, usize)>,
}

impl<'a> Intake<'a> {
    fn new(bad_rows: BadRows) -> Self {
        Self { bad_rows, links: Vec::new(), bad: RowErrors::default(), seen: HashMap::new() }
    }

    fn take(&mut self, source: &'a Source, text: &str) -> Result<(), InputError> {
        let mut bad = RowErrors::default();
        let mut links = 0_usize;
        for row in format::rows(source, text)? {
            let link = row.fields.and_then(|fields| fields.parse());
            links += usize::from(link.is_ok());
            if let Err(Problem { field, message }) = link.and_then(|link| self.keep(source, row.line, link)) {
                bad.push(RowError { source: source.clone(), line: row.line, field, message });
            }
        }
        match (links, self.bad_rows) {
            (0, _) if bad.total() == 0 => Err(InputError::NoLinks { at: source.clone() }),
            (0, BadRows::Skip) => Err(InputError::NothingLeft { at: source.clone(), bad }),
            _ => {
                self.bad.append(bad);
                Ok(())
            }
        }
    }

    fn keep(&mut self, source: &'a Source, line: usize, link: NewLink) -> Result<(), Problem> {
        match self.seen.entry(link.url.key()) {
            Entry::Occupied(entry) => {
                let (source, line) = entry.get();
                let url = quote::quote(entry.key());
                Err(Problem::of("url", format!("`{url}` is the same link as {source}:{line}; keep one")))
            }
            Entry::Vacant(entry) => {
                entry.insert((source, line));
                self.links.push(link);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Input, InputError> {
        if self.bad_rows == BadRows::Refuse && self.bad.total() > 0 {
            return Err(InputError::BadRows(self.bad));
        }
        Ok(Input { links: self.links, skipped: self.bad })
    }
}

#[cfg(test)]
mod tests;
