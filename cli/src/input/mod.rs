//! Links on their way in: files and standard input, in one of several [`shapes`].
//!
//! All inputs are read to their end before anything is stored. So somebody with ten bad rows learns about all ten. Two
//! rows are the same link if their [`LinkUrl::key`] is the same, in whichever files they stand.
//!
//! [`LinkUrl::key`]: linkbeat_shared::LinkUrl::key

mod charset;
mod error;
mod kept;
mod lines;
mod quote;
mod row;
mod seen;
mod shapes;
mod source;

use std::fmt;

use linkbeat_shared::{GivenLinks, NewLink};

pub(crate) use error::{InputError, RowErrors};
pub(crate) use seen::{NearLinks, Seen};
pub(crate) use source::Source;

use error::RowError;
use kept::Keeping;
use row::{Problem, Row};
use seen::Place;
use source::Decoded;

/// What to do about rows that are no usable link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadRows {
    /// Take nothing at all.
    Refuse,
    /// Leave them out (`--skip-bad-rows`). The first of several duplicates is kept.
    Skip,
}

/// What to do about rows that most likely are one link ([`linkbeat_shared::LinkUrl::near_key`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NearRows {
    /// Take all, and point them out.
    Tell,
    /// Take only the first (`--merge-duplicates`). So it is with rows that are the same link for certain.
    Merge,
}

/// What was read: at least one link.
#[derive(Debug)]
pub(crate) struct Input {
    /// The links, in the order of the inputs.
    pub(crate) links: GivenLinks,
    /// The rows that were left out. There are none with [`BadRows::Refuse`].
    pub(crate) skipped: RowErrors,
    /// What each input was read as.
    pub(crate) read: Vec<ReadAs>,
    /// Links that most likely are links of rows before them.
    pub(crate) near: NearLinks,
    /// Tells whether a link is among them.
    pub(crate) seen: Seen,
}

/// What an input was read as. As text: `friends.yml: read as YAML in GB18030`.
#[derive(Debug)]
pub(crate) struct ReadAs {
    source: Source,
    shape: &'static str,
    /// Its encoding, if it is not UTF-8.
    charset: Option<&'static str>,
    /// It is UTF-8, and the name of the file says the shape.
    pub(crate) is_expected: bool,
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
pub(crate) fn read_all(
    sources: &[Source],
    bad_rows: BadRows,
    near_rows: NearRows,
) -> Result<Input, InputError> {
    let mut intake = Intake::new(bad_rows, near_rows);
    for source in sources {
        intake.take(source.clone(), source.read()?)?;
    }
    intake.finish()
}

/// Reads a list that somebody sent under this name. It is taken whole or not at all.
///
/// # Errors
/// As [`read_all`].
pub(crate) fn read_sent(name: &str, list: Vec<u8>) -> Result<Input, InputError> {
    let source = Source::File(name.into());
    let mut intake = Intake::new(BadRows::Refuse, NearRows::Tell);
    let text = source.decode(list)?;
    intake.take(source, text)?;
    intake.finish()
}

/// What was read so far.
struct Intake {
    bad_rows: BadRows,
    near_rows: NearRows,
    /// The inputs that were read.
    read: Vec<ReadAs>,
    kept: Keeping,
    bad: RowErrors,
    seen: Seen,
    near: NearLinks,
}

impl Intake {
    fn new(bad_rows: BadRows, near_rows: NearRows) -> Self {
        Self {
            bad_rows,
            near_rows,
            read: Vec::new(),
            kept: Keeping::new(),
            bad: RowErrors::default(),
            seen: Seen::default(),
            near: NearLinks::default(),
        }
    }

    fn take(&mut self, source: Source, Decoded { text, charset }: Decoded) -> Result<(), InputError> {
        let mut bad = RowErrors::default();
        let mut links = 0_usize;
        self.seen.reserve(expected_links(&text));
        let shape = shapes::of(&source, &text);
        let is_expected = charset.is_none() && (shape.is_named_by(&source) || source.is_url());
        self.read.push(ReadAs { source: source.clone(), shape: shape.name, charset, is_expected });
        for Row { line, fields } in shape.rows(&source, &text)? {
            let parsed = fields.and_then(|fields| fields.parse());
            links += usize::from(parsed.is_ok());
            match parsed.and_then(|link| Ok((self.is_new(&link, line)?, link))) {
                Ok((false, _)) => {}
                Ok((true, link)) => self.kept.push(&link).map_err(|error| source.unreadable(error))?,
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

    /// Whether the link is taken: no row before was of the same one.
    fn is_new(&mut self, link: &NewLink, line: usize) -> Result<bool, Problem> {
        let key = link.url.key();
        let place = Place { source: bounded(self.read.len() - 1), line: bounded(line) };
        let merges = self.near_rows == NearRows::Merge;
        if let Err(first) = self.seen.take(&key, place) {
            let (url, first) = (quote::quote(&key), self.name(first));
            let problem = || Problem::of("url", format!("`{url}` is the same link as {first}; keep one"));
            return if merges { Ok(false) } else { Err(problem()) };
        }
        let Some(first) = self.seen.take_near(&link.url, place) else { return Ok(true) };
        let (here, first) = (self.name(place), self.name(first));
        self.near.push(|| format!("{here}: `{}` looks like the link of {first}", quote::quote(&key)));
        Ok(!merges)
    }

    fn name(&self, Place { source, line }: Place) -> String {
        let source = self.read.get(source as usize).map(|read| read.source.to_string()).unwrap_or_default();
        format!("{source}:{line}")
    }

    fn finish(self) -> Result<Input, InputError> {
        if self.bad_rows == BadRows::Refuse && self.bad.total() > 0 {
            return Err(InputError::BadRows(self.bad));
        }
        let kept = self.kept.finish().map_err(|error| Source::Stdin.unreadable(error))?;
        let links = GivenLinks::of(kept);
        Ok(Input { links, skipped: self.bad, read: self.read, near: self.near, seen: self.seen })
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
