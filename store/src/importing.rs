//! What an import changes: decided here once, carried out by each database.

use std::collections::HashMap;

use linkbeat_shared::{LinkId, NewLink};

use crate::Imported;
use crate::error::Fault;
use crate::rows::LinkRow;

/// The links of an import, each once: of several with the same key the first counts.
pub(crate) struct Import<'a> {
    links: Vec<(String, &'a NewLink)>,
    /// For each link of the input its place in `links`.
    places: Vec<usize>,
}

/// What is to be written, and what the caller is told.
pub(crate) struct ImportChanges {
    /// Links to be added.
    pub(crate) added: Vec<LinkRow>,
    /// Stored links of which something changed, in the order of their ids: rows are locked in that order.
    pub(crate) updated: Vec<LinkRow>,
    pub(crate) imported: Imported,
}

impl<'a> Import<'a> {
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

    /// Compares with the stored links of these keys.
    pub(crate) fn compare(self, stored: Vec<LinkRow>) -> Result<ImportChanges, Fault> {
        let mut stored: HashMap<String, LinkRow> =
            stored.into_iter().map(|row| (row.url_key.clone(), row)).collect();
        let mut ids = Vec::with_capacity(self.links.len());
        let (mut added, mut updated, mut unchanged) = (Vec::new(), Vec::new(), 0);
        for (key, link) in self.links {
            let Some(before) = stored.remove(&key) else {
                let row = LinkRow::new(link, key);
                ids.push(LinkId(row.id.0));
                added.push(row);
                continue;
            };
            let mut after = before.clone();
            after.update(link)?;
            ids.push(LinkId(after.id.0));
            if after == before {
                unchanged += 1;
            } else {
                updated.push(after);
            }
        }
        updated.sort_unstable_by_key(|row| row.id);
        let imported = Imported {
            ids: self.places.into_iter().map(|place| ids[place]).collect(),
            added: added.len() as u64,
            updated: updated.len() as u64,
            unchanged,
        };
        Ok(ImportChanges { added, updated, imported })
    }
}
