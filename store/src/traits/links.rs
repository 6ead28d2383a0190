use std::fmt::Debug;

use async_trait::async_trait;
use linkbeat_shared::{Attributes, GivenLinks, GroupName, Link, LinkId, LinkName, LinkUrl, Pin};

use crate::Result;

/// The stored links.
#[async_trait]
pub trait Links: Send + Sync + Debug {
    /// Adds links, or updates the stored ones of the same [`linkbeat_shared::LinkUrl::key`]: what is
    /// `Some` is taken over, except that `shown` and `pin` count for new links only. Nothing else changes. A URL without
    /// userinfo leaves that of the stored one as it is: linkbeat writes URLs without it.
    async fn import(&self, links: GivenLinks) -> Result<Imported>;

    /// Stored links in the order of their ids, those after `after`, at most `limit`.
    async fn links(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Link>>;

    /// The stored links that `wanted` names: an id, a URL of the same key, or an exact name.
    async fn find_links(&self, wanted: &str) -> Result<Vec<Link>>;

    /// Changes one link by hand; `None` if there is no such link.
    async fn set_link(&self, id: LinkId, changes: &LinkChanges) -> Result<Option<Link>>;

    /// Removes links; their checks stay as history. Returns how many there were.
    async fn remove_links(&self, ids: &[LinkId]) -> Result<u64>;
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The links' ids, in the order of the input, each once.
    pub ids: Vec<LinkId>,
    /// Links that were not stored before.
    pub added: u64,
    /// Stored links of which something changed.
    pub updated: u64,
    /// Stored links that were the same already.
    pub unchanged: u64,
}

/// Changes of one link by hand; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkChanges {
    /// Its name.
    pub name: Option<LinkName>,
    /// What to fetch. The link keeps its history. Another link must not have this URL.
    pub url: Option<LinkUrl>,
    /// The page on which the backlink must stand; `Some(None)` takes it away.
    pub page_url: Option<Option<LinkUrl>>,
    /// Whether runs check it.
    pub active: Option<bool>,
    /// Whether it is shown. Either value clears the hidden reason, both counts in a row, and the pin.
    pub shown: Option<bool>,
    /// Whether a backlink is asked of it.
    pub backlink: Option<bool>,
    /// Hides or shows it for good; `Some(None)` leaves it to checks again, as it is.
    pub pin: Option<Option<Pin>>,
    /// The section of the list that it stands in.
    pub group: Option<GroupName>,
    /// What else is said of it. Attributes that are not named stay.
    pub attributes: Attributes,
}
