//! Which links the inputs have named so far, and where.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fmt;
use std::hash::BuildHasher;

use linkbeat_shared::LinkUrl;

/// Up to so many links near duplicates are looked for: their keys take memory.
const MOST_NEAR: usize = 200_000;
/// Near duplicates that are listed. The others are only counted.
const LISTED: usize = 20;

/// A row, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) source: u32,
    pub(super) line: u32,
}

/// Where each link was first seen, by the hash of its key. Nobody can foresee these hashes, as their key is drawn at
/// random. Of a million links, two differ and have the same hash once in 30 million readings.
#[derive(Default)]
pub(crate) struct Seen {
    exact: HashMap<u64, Place>,
    near: HashMap<u64, Place>,
    hashes: RandomState,
}

impl Seen {
    pub(super) fn reserve(&mut self, links: usize) {
        self.exact.reserve(links);
    }

    /// Takes a link in. `Err`: where it was seen before.
    pub(super) fn take(&mut self, key: &str, place: Place) -> Result<(), Place> {
        match self.exact.entry(self.hashes.hash_one(key)) {
            Entry::Occupied(first) => Err(*first.get()),
            Entry::Vacant(entry) => {
                entry.insert(place);
                Ok(())
            }
        }
    }

    /// Where a link was first seen that most likely is this one.
    pub(super) fn take_near(&mut self, url: &LinkUrl, place: Place) -> Option<Place> {
        if self.near.len() >= MOST_NEAR {
            return None;
        }
        match self.near.entry(self.hashes.hash_one(url.near_key())) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(entry) => {
                entry.insert(place);
                None
            }
        }
    }

    /// Whether the inputs name exactly this link.
    pub(crate) fn has(&self, url: &LinkUrl) -> bool {
        self.exact.contains_key(&self.hashes.hash_one(url.key()))
    }

    /// Whether they name one that most likely is this link.
    pub(crate) fn has_near(&self, url: &LinkUrl) -> bool {
        self.near.contains_key(&self.hashes.hash_one(url.near_key()))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({})", self.exact.len())
    }
}

/// Links that most likely are links of rows before them. As text: a line for each.
#[derive(Debug, Default)]
pub(crate) struct NearLinks {
    first: Vec<String>,
    total: usize,
}

impl NearLinks {
    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn push(&mut self, text: impl FnOnce() -> String) {
        self.total += 1;
        if self.first.len() < LISTED {
            self.first.push(text());
        }
    }
}

impl fmt::Display for NearLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.iter().try_for_each(|near| write!(f, "\n  {near}"))?;
        match self.total - self.first.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
