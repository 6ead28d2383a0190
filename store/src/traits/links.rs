use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::{
    Attributes, GivenLinks, GroupName, Link, LinkId, LinkName, LinkUrl, Pin, Tag, Verdict, Without,
};

use super::ListedLink;
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

    /// The ids of those links that are wanted, in the order that is asked for: 16 bytes for each.
    async fn link_ids(&self, query: &LinkQuery) -> Result<Vec<LinkId>>;

    /// These links in this order, as far as they are still stored.
    async fn links_of(&self, ids: &[LinkId]) -> Result<Vec<Link>>;

    /// The stored links that `wanted` names: an id, a URL of the same key, or an exact name.
    async fn find_links(&self, wanted: &str) -> Result<Vec<Link>>;

    /// Changes one link by hand; `None` if there is no such link.
    async fn set_link(&self, id: LinkId, changes: &LinkChanges) -> Result<Option<Link>>;

    /// Changes one link by hand if it is still what somebody takes it to be. Both are one transaction.
    async fn set_link_if(&self, id: LinkId, changes: &LinkChanges, still: StillSo) -> Result<LinkSet>;

    /// Changes these links by hand in the same way, as far as they are stored, in one transaction. Returns how many there
    /// were.
    async fn set_links(&self, ids: &[LinkId], changes: &LinkChanges) -> Result<u64>;

    /// Removes links; their checks stay as history. Returns how many there were.
    async fn remove_links(&self, ids: &[LinkId]) -> Result<u64>;
}

/// Whether a link is still what somebody takes it to be.
pub type StillSo = Arc<dyn Fn(&ListedLink) -> bool + Send + Sync>;

/// What became of a change of one link.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkSet {
    /// It is changed: this is the link now.
    Set(Box<ListedLink>),
    /// It was another one already. Nothing is changed.
    Another,
    /// It is not there.
    Gone,
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
    /// The page on which the backlink must stand.
    pub page_url: Option<LinkUrl>,
    /// Whether runs check it. Either value takes away the end of a pause.
    pub active: Option<bool>,
    /// Pauses it until then, whatever `active` says.
    pub paused_until: Option<DateTime<Utc>>,
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
    /// What is said of it no longer.
    pub without: Without,
}

/// Which links are wanted, and in which order. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkQuery {
    /// This stands in their name or URL. Small and capital letters are the same, at least those of ASCII.
    pub text: Option<String>,
    /// Whether runs check them.
    pub active: Option<bool>,
    /// Whether they are shown.
    pub shown: Option<bool>,
    /// Their latest verdict.
    pub verdict: Option<Verdict>,
    /// They were never checked, or not since they were on the white list.
    pub never_checked: bool,
    /// The word for the latest reason, such as `timeout`.
    pub reason: Option<String>,
    /// Their section of the list.
    pub group: Option<GroupName>,
    /// One of their tags.
    pub tag: Option<Tag>,
    /// The host of the page that is fetched.
    pub host: Option<String>,
    /// Their verdict became what it is no earlier.
    pub verdict_since: Option<DateTime<Utc>>,
    /// Less of the checks of the last 30 days reached them, in hundredths of a percent, as of the last rolling up.
    pub reached_below: Option<u32>,
    /// The order.
    pub order: LinkOrder,
}

/// An order of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkOrder {
    /// As they were imported.
    #[default]
    Id,
    /// By name.
    Name,
    /// By host.
    Host,
    /// By verdict; those that were never checked last.
    Verdict,
    /// By the word for the reason; those without one last.
    Reason,
    /// By the time at which the verdict became what it is, the latest first.
    Since,
    /// By the share of checks of the last 30 days that reached them, the least first; those without any last. It is as of
    /// the last rolling up.
    Reachable,
}
