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

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use linkbeat_shared::{GivenLinks, LinkSource, NewLink};

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
    pub(crate) links: GivenLinks,
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
        intake.take(source.clone(), source.read()?)?;
    }
    intake.finish()
}

/// What was read so far. Of each link only a hash is kept: [`Texts`] parses its row again when the link is needed.
struct Intake {
    bad_rows: BadRows,
    texts: Texts,
    bad: RowErrors,
    /// Where each link was first seen, by the hash of its key. Nobody can foresee these hashes, as their key is drawn at
    /// random. Of a million links, two differ and have the same hash once in 30 million readings.
    seen: HashMap<u64, Place>,
    hashes: RandomState,
}

/// A row, for messages.
#[derive(Clone, Copy)]
struct Place {
    source: u32,
    line: u32,
}

impl Intake {
    fn new(bad_rows: BadRows) -> Self {
        Self {
            bad_rows,
            texts: Texts::default(),
            bad: RowErrors::default(),
            seen: HashMap::new(),
            hashes: RandomState::new(),
        }
    }

    fn take(&mut self, source: Source, text: String) -> Result<(), InputError> {
        let mut bad = RowErrors::default();
        let mut links = 0_usize;
        self.seen.reserve(expected_links(&text));
        for row in format::rows(&source, &text)? {
            let link = row.fields.and_then(|fields| fields.parse());
            links += usize::from(link.is_ok());
            if let Err(Problem { field, message }) = link.and_then(|link| self.keep(&source, row.line, &link))
            {
                bad.push(RowError { source: source.clone(), line: row.line, field, message });
            }
            self.texts.rows += 1;
        }
        match (links, self.bad_rows) {
            (0, _) if bad.total() == 0 => Err(InputError::NoLinks { at: source }),
            (0, BadRows::Skip) => Err(InputError::NothingLeft { at: source, bad }),
            _ => {
                self.bad.append(bad);
                self.texts.texts.push((source, text));
                Ok(())
            }
        }
    }

    fn keep(&mut self, source: &Source, line: usize, link: &NewLink) -> Result<(), Problem> {
        let key = link.url.key();
        let place = Place { source: bounded(self.texts.texts.len()), line: bounded(line) };
        match self.seen.entry(self.hashes.hash_one(&key)) {
            Entry::Occupied(first) => {
                self.texts.repeats.insert(self.texts.rows);
                let Place { source: first, line } = *first.get();
                let first = self.texts.texts.get(first as usize).map_or(source, |(source, _)| source);
                let url = quote::quote(&key);
                Err(Problem::of("url", format!("`{url}` is the same link as {first}:{line}; keep one")))
            }
            Entry::Vacant(entry) => {
                entry.insert(place);
                self.texts.links += 1;
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Input, InputError> {
        if self.bad_rows == BadRows::Refuse && self.bad.total() > 0 {
            return Err(InputError::BadRows(self.bad));
        }
        Ok(Input { links: GivenLinks::of(self.texts), skipped: self.bad })
    }
}

/// Most links that a text has if each has a line of its own. Room for their hashes is made once: growing would take it
/// twice for a moment. A link is never shorter than `http://a` and a line break.
fn expected_links(text: &str) -> usize {
    let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    lines.min(text.len() / "http://a\n".len())
}

/// A source has less than 2^32 lines, as it has less bytes.
fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The texts of all sources. Their rows were parsed before, to learn which are bad. They are parsed again for each
/// reading, as the texts take far less memory than the links.
#[derive(Default)]
struct Texts {
    texts: Vec<(Source, String)>,
    rows: usize,
    links: usize,
    /// Good rows whose link stood in a row before, counted through all texts.
    repeats: HashSet<usize>,
}

impl LinkSource for Texts {
    fn named(&self) -> usize {
        self.links
    }

    fn links(&self) -> Box<dyn Iterator<Item = NewLink> + Send + '_> {
        let rows =
            self.texts.iter().flat_map(|(source, text)| format::rows(source, text).into_iter().flatten());
        let once = rows.enumerate().filter(|(row, _)| !self.repeats.contains(row));
        Box::new(once.filter_map(|(_, row)| row.fields.and_then(|fields| fields.parse()).ok()))
    }
}

#[cfg(test)]
mod tests;
