//! The order in which the links of a request are planned.

use linkbeat_shared::LinkId;

use crate::error::Fault;
use crate::rows::LinkRow;
use crate::values::{Id, Moment};

/// The ids and hosts of links. A link takes 24 bytes and the length of its host, so a million of them take about 50 MB.
pub(crate) struct Places {
    /// All hosts, one after the other.
    hosts: String,
    links: Vec<Place>,
}

struct Place {
    id: Id,
    /// Where its host begins.
    host: u32,
    /// How long its host is.
    length: u16,
    active: bool,
}

impl Places {
    /// None yet. There will be so many.
    pub(crate) fn with_capacity(links: usize) -> Self {
        Self { hosts: String::new(), links: Vec::with_capacity(links) }
    }

    /// Adds a link.
    pub(crate) fn push(&mut self, row: &LinkRow, now: Moment) -> Result<(), Fault> {
        let too_much = |_| Fault::Refused("the hosts of the given links take too much memory".to_owned());
        self.links.push(Place {
            id: row.id,
            host: u32::try_from(self.hosts.len()).map_err(too_much)?,
            length: u16::try_from(row.host.len()).map_err(too_much)?,
            active: row.is_active(now),
        });
        self.hosts.push_str(&row.host);
        Ok(())
    }

    /// How many links there are.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// All ids, in the order in which the links were added.
    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.links.iter().map(|place| LinkId(place.id.0)).collect()
    }

    /// The active links, ordered by host, then id.
    pub(crate) fn active_by_host(self) -> Self {
        let Self { hosts, mut links } = self;
        links.retain(|place| place.active);
        links.sort_unstable_by_key(|place| (place.host(&hosts), place.id));
        Self { hosts, links }
    }

    /// The ids in pages of this size.
    pub(crate) fn pages(&self, size: usize) -> impl Iterator<Item = Vec<Id>> + Send + '_ {
        self.links.chunks(size).map(|page| page.iter().map(|place| place.id).collect())
    }
}

impl Place {
    fn host<'h>(&self, hosts: &'h str) -> &'h str {
        let start = self.host as usize;
        hosts.get(start..start + usize::from(self.length)).unwrap_or_default()
    }
}
