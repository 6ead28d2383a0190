//! What an import changes: decided here once, carried out by each database.

use std::collections::HashMap;

use linkbeat_shared::NewLink;

use crate::error::Fault;
use crate::places::Places;
use crate::rows::LinkRow;
use crate::traits::Imported;
use crate::values::{Id, Moment};

/// How many links of the input are compared and written at once, so that the rows of all never lie in memory.
pub(crate) const PART: usize = 2_000;

/// An import that takes its input in parts.
pub(crate) struct Import {
    /// All links of the parts so far.
    pub(crate) places: Places,
    added: u64,
    unchanged: u64,
    /// Stored links of which something changes.
    changed: Vec<Id>,
}

/// Some links, each with what makes it the same as a stored one.
pub(crate) struct Part(Vec<(String, NewLink)>);

impl Part {
    pub(crate) fn new(links: Vec<NewLink>) -> Self {
        Self(links.into_iter().map(|link| (link.url.key(), link)).collect())
    }

    pub(crate) fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// The stored links of this part that it changes, as they are to be.
    pub(crate) fn changes(self, stored: Vec<LinkRow>) -> Result<Vec<LinkRow>, Fault> {
        let mut stored = by_key(stored);
        let mut changes = Vec::new();
        for (key, link) in self.0 {
            let Some(before) = stored.remove(&key) else { continue };
            let after = updated(&before, &link)?;
            if after != before {
                changes.push(after);
            }
        }
        Ok(changes)
    }
}

impl Import {
    /// Begins an import of so many links.
    pub(crate) fn of(links: usize) -> Self {
        Self { places: Places::with_capacity(links), added: 0, unchanged: 0, changed: Vec::new() }
    }

    /// Compares a part with the stored links of its keys. Returns the links to be added.
    pub(crate) fn take(
        &mut self,
        part: Part,
        stored: Vec<LinkRow>,
        now: Moment,
    ) -> Result<Vec<LinkRow>, Fault> {
        let mut stored = by_key(stored);
        let mut added = Vec::new();
        for (key, link) in part.0 {
            if let Some(before) = stored.remove(&key) {
                let after = updated(&before, &link)?;
                self.places.push(&after, now)?;
                if after == before {
                    self.unchanged += 1;
                } else {
                    self.changed.push(after.id);
                }
            } else {
                let row = LinkRow::new(&link, key, now);
                self.places.push(&row, now)?;
                added.push(row);
            }
        }
        self.added += added.len() as u64;
        Ok(added)
    }

    /// The stored links that are to be changed, in the order of their ids: whoever locks several rows does it in that
    /// order.
    pub(crate) fn changed(&mut self) -> &[Id] {
        self.changed.sort_unstable();
        &self.changed
    }

    /// What the caller is given.
    pub(crate) fn imported(&self) -> Imported {
        Imported {
            ids: self.places.ids(),
            added: self.added,
            updated: self.changed.len() as u64,
            unchanged: self.unchanged,
        }
    }
}

fn by_key(stored: Vec<LinkRow>) -> HashMap<String, LinkRow> {
    stored.into_iter().map(|row| (row.url_key.clone(), row)).collect()
}

fn updated(before: &LinkRow, link: &NewLink) -> Result<LinkRow, Fault> {
    let mut after = before.clone();
    after.update(link)?;
    Ok(after)
}
