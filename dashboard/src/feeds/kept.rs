//! Feeds are kept in memory for a moment. So many readers at once cost what one costs.
//!
//! Whoever the gate lets through gets the same, so what is kept goes by what is asked alone.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{Lang, LinkId};
use linkbeat_store::{ChangeQuery, ListedChange, ListedLink, PageOf};

use super::answer::{Answer, NoFeed};
use super::wanted::Wanted;
use crate::fresh::{Fresh, Length, Room};
use crate::serve::App;

/// Feeds that are kept, and their bytes together.
const FEEDS: usize = 256;
const BYTES: usize = 32 << 20;

/// Links that are kept for their badges.
const LINKS: usize = 1_000;

/// Reading a large feed rests for so many times as long as it took, up to a limit.
const TIMES: u32 = 19;
const LONGEST: Duration = Duration::from_secs(60);

/// What is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    feeds: Fresh<Asked, Answer, NoFeed>,
    links: Fresh<LinkId, Arc<ListedLink>, NoFeed>,
    changes: Fresh<u32, Arc<Vec<ListedChange>>, NoFeed>,
}

/// What a feed goes by. Labels are for badges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    name: &'static str,
    hidden: bool,
    group: Option<String>,
    is_chinese: bool,
}

impl Kept {
    /// Each is kept for so long at least.
    pub(crate) fn new(least: Duration) -> Self {
        let length = Length { least, times: TIMES, most: LONGEST };
        Self {
            feeds: Fresh::new(length, Room { answers: FEEDS, weight: BYTES, weigh: Answer::weight }),
            links: Fresh::new(length, Room { answers: LINKS, weight: 0, weigh: |_| 0 }),
            changes: Fresh::new(length, Room { answers: 1, weight: 0, weigh: |_| 0 }),
        }
    }

    /// Something was changed over this dashboard: it is told at once.
    pub(crate) fn forget(&self) {
        self.feeds.forget();
        self.links.forget();
        self.changes.forget();
    }
}

/// The feed of this name, as it is kept. Otherwise `made` makes it.
pub(super) async fn feed(
    app: &App,
    name: &'static str,
    wanted: &Wanted,
    made: impl Future<Output = Result<Answer, NoFeed>>,
) -> Result<Answer, NoFeed> {
    let group = wanted.group.as_ref().map(ToString::to_string);
    let asked = Asked { name, hidden: wanted.hidden, group, is_chinese: wanted.lang == Lang::Zh };
    app.feeds.feeds.get(asked, made).await
}

pub(super) async fn link(app: &App, id: LinkId) -> Result<Arc<ListedLink>, NoFeed> {
    let reading = async {
        let found = app.ports.store.listed_link(id).await?;
        found.map(Arc::new).ok_or(NoFeed::NoLink)
    };
    app.feeds.links.get(id, reading).await
}

/// The newest changes.
pub(super) async fn changes(app: &App, most: u32) -> Result<Arc<Vec<ListedChange>>, NoFeed> {
    let reading = async {
        let page = PageOf { after: None, limit: most };
        Ok(Arc::new(app.ports.store.browse_changes(&ChangeQuery::default(), &page).await?.items))
    };
    app.feeds.changes.get(most, reading).await
}
