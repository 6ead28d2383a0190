//! The links of a feed, as far as blogs may know them.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Place, PublicUrl, Verdict};
use linkbeat_store::{LinkQuery, LinkSort, ListedLink, PageOf, StoreError};

use super::escape::usable;
use super::wanted::Wanted;
use crate::serve::App;

/// The most links of a feed. What comes after is left out.
const MOST: usize = 5_000;

/// Links that are read at once.
const PAGE: u32 = 500;

/// The links of a feed, in the order in which they were added.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) links: Vec<Entry>,
    /// There are more.
    pub(super) truncated: bool,
}

/// A link.
#[derive(Debug)]
pub(super) struct Entry {
    listed: ListedLink,
    pub(super) id: String,
    pub(super) name: String,
    /// Without user and password.
    pub(super) url: String,
    pub(super) group: Option<String>,
    pub(super) avatar: Option<String>,
    pub(super) description: Option<String>,
    pub(super) screenshot: Option<String>,
    pub(super) feed: Option<String>,
    /// The page on which the backlink stands, if it is another one.
    pub(super) page: Option<String>,
    /// Why it is hidden, if it is.
    pub(super) hidden: Option<String>,
}

impl Entries {
    pub(super) async fn read(app: &App, wanted: &Wanted) -> Result<Self, StoreError> {
        let shown = (!wanted.hidden).then_some(true);
        let query = LinkQuery { shown, group: wanted.group.clone(), ..LinkQuery::default() };
        let (mut links, mut page) = (Vec::new(), PageOf { after: None, limit: PAGE });
        loop {
            let read = app.ports.store.browse_links(&query, LinkSort::default(), &page).await?;
            links.extend(read.items.into_iter().map(|listed| Entry::of(listed, wanted)));
            let truncated = read.next.is_some();
            match read.next.filter(|_| links.len() < MOST) {
                Some(next) => page.after = Some(next),
                None => return Ok(Self { links, truncated }),
            }
        }
    }

    /// The groups in the order in which they first come, each with its links.
    pub(super) fn by_group<'e>(
        &'e self,
        links: impl Iterator<Item = &'e Entry>,
    ) -> Vec<(Option<&'e str>, Vec<&'e Entry>)> {
        let mut groups: Vec<(Option<&str>, Vec<&Entry>)> = Vec::new();
        for link in links {
            match groups.iter_mut().find(|(group, _)| *group == link.group.as_deref()) {
                Some((_, members)) => members.push(link),
                None => groups.push((link.group.as_deref(), vec![link])),
            }
        }
        groups
    }

    /// When a link was checked last.
    pub(super) fn checked_at(&self) -> Option<DateTime<Utc>> {
        self.links.iter().filter_map(Entry::checked_at).max()
    }
}

impl Entry {
    fn of(listed: ListedLink, wanted: &Wanted) -> Self {
        let link = &listed.link;
        let (attributes, state) = (&link.attributes, &link.state);
        let place = |place: &Option<Place>| place.as_ref().and_then(|place| usable(place.as_str()));
        let hidden = (!state.shown).then(|| match &state.hidden_reason {
            Some(reason) => wanted.lang.reason_of(reason, state.details.failed),
            None => wanted.say("hidden by hand", "手动隐藏").to_owned(),
        });
        Self {
            id: link.id.0.to_string(),
            name: link.name.to_string(),
            url: PublicUrl::from(&link.url).to_string(),
            group: link.group.as_ref().map(ToString::to_string),
            avatar: place(&attributes.avatar),
            description: attributes.description.as_ref().map(ToString::to_string),
            screenshot: place(&attributes.screenshot),
            feed: place(&attributes.feed),
            page: link.page_url.as_ref().map(|url| PublicUrl::from(url).to_string()),
            hidden,
            listed,
        }
    }

    /// Its labels.
    pub(super) fn tags(&self) -> Vec<String> {
        let tags = self.listed.link.attributes.tags.iter();
        tags.flat_map(|tags| tags.iter().map(ToString::to_string)).collect()
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.listed.link.state.verdict
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.listed.link.state.status
    }

    pub(super) fn elapsed_ms(&self) -> Option<u32> {
        self.listed.link.state.elapsed_ms
    }

    pub(super) fn checked_at(&self) -> Option<DateTime<Utc>> {
        self.listed.link.state.last_checked_at
    }

    /// Failed checks in a row.
    pub(super) fn failed_in_a_row(&self) -> u32 {
        self.listed.link.state.failed_in_a_row
    }

    /// Whether the site answered the last check. A page without the backlink is reached, too.
    pub(super) fn is_reached(&self) -> bool {
        matches!(self.verdict(), Some(Verdict::Up | Verdict::NoBacklink))
    }

    /// Since when it is not reached.
    pub(super) fn unreached_since(&self) -> Option<DateTime<Utc>> {
        self.listed.verdict_since.filter(|_| self.verdict().is_some() && !self.is_reached())
    }

    /// Whether its page links back. `None`: nobody knows, because it was not reached, or is not asked for a backlink.
    pub(super) fn links_back(&self) -> Option<bool> {
        match self.verdict() {
            Some(Verdict::NoBacklink) => Some(false),
            Some(Verdict::Up) if self.listed.link.backlink => Some(true),
            _ => None,
        }
    }

    /// Seconds that the last check took, to hundredths; −1 if the site was not reached. As check-flink has it.
    pub(super) fn latency(&self) -> f64 {
        match self.elapsed_ms() {
            Some(elapsed) if self.is_reached() => (f64::from(elapsed) / 10.0).round() / 100.0,
            _ => -1.0,
        }
    }
}
