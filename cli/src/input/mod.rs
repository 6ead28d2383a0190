//! Links on their way in: files and standard input, in one of several [`shapes`].
//!
//! All inputs are read to their end before anything is stored. So somebody with ten bad rows learns about all ten. Two
//! rows are the same link if their [`LinkUrl::key`] is the same, in whichever files they stand.
//!
//! [`LinkUrl::key`]: linkbeat_shared::LinkUrl::key

mod error;
mod kept;
mod lines;
mod quote;
mod row;
mod shapes;
mod source;

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fmt;
use std::hash::BuildHasher;

use linkbeat_shared::{GivenLinks, NewLink};

pub(crate) use error::{InputError, RowErrors};
pub(crate) use source::Source;

use error::RowError;
use kept::Keeping;
use row::{Problem, Row};
use source::Decoded;

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
    /// What each input was read as, if its name does not say so.
    pub(crate) read: Vec<ReadAs>,
}

/// What an input was read as. As text: `friends.yml: read as YAML in GB18030`.
#[derive(Debug)]
pub(crate) struct ReadAs {
    source: Source,
    shape: &'static str,
    /// Its encoding, if it is not UTF-8.
    charset: Option<&'static str>,
    /// It is UTF-8, and the name of the file says the shape.
    is_expected: bool,
}

impl fmt::Display for ReadAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: read as {}", self.source, self.shape)?;
        self.charset.map_or(Ok(()), |charset| write!(f, " in {charset}"))
    }
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

/// What was read so far.
struct Intake {
    bad_rows: BadRows,
    /// The inputs that were read.
    read: Vec<ReadAs>,
    kept: Keeping,
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
            read: Vec::new(),
            kept: Keeping::new(),
            bad: RowErrors::default(),
            seen: HashMap::new(),
            hashes: RandomState::new(),
        }
    }

    fn take(&mut self, source: Source, Decoded { text, charset }: Decoded) -> Result<(), InputError> {
        let mut bad = RowErrors::default();
        let mut links = 0_usize;
        self.seen.reserve(expected_links(&text));
        let shape = shapes::of(&source, &text);
        let is_expected = charset.is_none() && shape.is_named_by(&source);
        self.read.push(ReadAs { source: source.clone(), shape: shape.name, charset, is_expected });
        for Row { line, fields } in shape.rows(&source, &text)? {
            let parsed = fields.and_then(|fields| fields.parse().map(|link| (fields, link)));
            links += usize::from(parsed.is_ok());
            match parsed.and_then(|(fields, link)| self.first_of(&link, line).map(|()| fields)) {
                Ok(fields) => self.kept.push(&fields).map_err(|error| source.unreadable(error))?,
                Err(Problem { field, message }) => {
                    bad.push(RowError { source: source.clone(), line, field, message });
                }
            }
        }
        match (links, self.bad_rows) {
            (0, _) if bad.total() == 0 => Err(InputError::NoLinks { at: source }),
            (0, BadRows::Skip) => Err(InputError::NothingLeft { at: source, bad }),
            _ => {
                self.bad.append(bad);
                Ok(())
            }
        }
    }

    /// That no row before was of the same link.
    fn first_of(&mut self, link: &NewLink, line: usize) -> Result<(), Problem> {
        let key = link.url.key();
        let place = Place { source: bounded(self.read.len() - 1), line: bounded(line) };
        match self.seen.entry(self.hashes.hash_one(&key)) {
            Entry::Occupied(first) => {
                let Place { source, line } = *first.get();
                let first = self.read.get(source as usize).map(|first| first.source.to_string());
                let first = first.unwrap_or_default();
                let url = quote::quote(&key);
                Err(Problem::of("url", format!("`{url}` is the same link as {first}:{line}; keep one")))
            }
            Entry::Vacant(entry) => {
                entry.insert(place);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Input, InputError> {
        if self.bad_rows == BadRows::Refuse && self.bad.total() > 0 {
            return Err(InputError::BadRows(self.bad));
        }
        let kept = self.kept.finish().map_err(|error| Source::Stdin.unreadable(error))?;
        let read = self.read.into_iter().filter(|read| !read.is_expected).collect();
        Ok(Input { links: GivenLinks::of(kept), skipped: self.bad, read })
    }
}

/// Most links that a text has if each has a line or an object of its own. Room for their hashes is made once: growing
/// would take it twice for a moment. A link is never shorter than `http://a` and a line break.
fn expected_links(text: &str) -> usize {
    let links = 1 + text.bytes().filter(|byte| matches!(byte, b'\n' | b'{')).count();
    links.min(text.len() / "http://a\n".len())
}

/// A source has less than 2^32 lines, as it has less bytes.
fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod samples_tests;
#[cfg(test)]
mod tests;
