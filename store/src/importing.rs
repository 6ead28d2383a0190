//! What an import changes: decided here once, carried out by each database.

use std::collections::{HashMap, HashSet};

use linkbeat_shared::{LinkId, NewLink};

use crate::error::Fault;
use crate::rows::LinkRow;
use crate::traits::Imported;
use crate::values::Moment;

/// How many links of the input are compared and written at once, so that the rows of all never lie in memory.
pub(crate) const PART: usize = 5_000;

/// An import that takes its input in parts. Of several links with the same key the first counts.
#[derive(Default)]
pub(crate) struct Import {
    /// Stored links of which something changes. They are written at the end, in the order of their ids: whoever
    /// locks several rows does it in that order.
    updated: Vec<LinkRow>,
    /// Links that the parts so far have named.
    named: HashSet<LinkId>,
    imported: Imported,
}

/// The links of one part, each once.
pub(crate) struct Part<'a> {
    links: Vec<(String, &'a NewLink)>,
    /// For each link of the part its place in `links`.
    places: Vec<usize>,
}

impl<'a> Part<'a> {
    pub(crate) fn new(input: &'a [NewLink]) -> Self {
        let mut links = Vec::new();
        let mut place_of = HashMap::new();
        let places = input.iter().map(|link| {
            let key = link.url.key();
            *place_of.entry(key).or_insert_with_key(|key| {
                links.push((key.clone(), link));
                links.len() - 1
            })
        });
        let places = places.collect();
        Self { links, places }
    }

    /// What makes each link the same as a stored one.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.links.iter().map(|(key, _)| key.as_str()).collect()
    }
}

impl Import {
    /// Compares a part with the stored links of its keys. Returns the links to be added.
    pub(crate) fn take(
        &mut self,
        part: Part<'_>,
        stored: Vec<LinkRow>,
        now: Moment,
    ) -> Result<Vec<LinkRow>, Fault> {
        let mut stored: HashMap<String, LinkRow> =
            stored.into_iter().map(|row| (row.url_key.clone(), row)).collect();
        let mut ids = Vec::with_capacity(part.links.len());
        let mut added = Vec::new();
        for (key, link) in part.links {
            let id = match stored.remove(&key) {
                Some(row) => self.compare(&row, link)?,
                None => {
                    let row = LinkRow::new(link, key, now);
                    let id = LinkId(row.id.0);
                    self.named.insert(id);
                    added.push(row);
                    id
                }
            };
            ids.push(id);
        }
        self.imported.added += added.len() as u64;
        self.imported.ids.extend(part.places.into_iter().map(|place| ids[place]));
        Ok(added)
    }

    fn compare(&mut self, before: &LinkRow, link: &NewLink) -> Result<LinkId, Fault> {
        let id = LinkId(before.id.0);
        if !self.named.insert(id) {
            // An earlier part has it, and counts.
            return Ok(id);
        }
        let mut after = before.clone();
        after.update(link)?;
        if after == *before {
            self.imported.unchanged += 1;
        } else {
            self.imported.updated += 1;
            self.updated.push(after);
        }
        Ok(id)
    }

    /// The links to be updated, and what the caller is given.
    pub(crate) fn finish(mut self) -> (Vec<LinkRow>, Imported) {
        self.updated.sort_unstable_by_key(|row| row.id);
        (self.updated, self.imported)
    }
}
