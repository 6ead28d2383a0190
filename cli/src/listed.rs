//! What a list means for the links that are stored already: which of them it has in another spelling, and which it no
//! longer has.

use linkbeat_shared::{GivenLinks, Link, LinkId};
use linkbeat_store::{LinkChanges, SharedStore};

use crate::ask;
use crate::exit::Failure;
use crate::input::{Input, NearLinks};
use crate::logging::print_note;

/// Links read at once.
const PAGE: u32 = 2_000;
/// Near duplicates are looked for among so many stored links at most: each check of a list reads them.
const MOST_LOOKED_AT: usize = 200_000;
/// Links removed in one transaction.
const BATCH: usize = 1_000;

/// A list that was read, and what is to be done beside storing its links.
pub(crate) struct Listed {
    pub(crate) input: Input,
    /// Links that most likely are one become one.
    pub(crate) merge: bool,
    /// Stored links that the list no longer has are removed.
    pub(crate) prune: bool,
    /// Nobody is asked before.
    pub(crate) is_sure: bool,
    pub(crate) is_quiet: bool,
}

/// Stored links that are not in the list as they are.
#[derive(Default)]
struct Others {
    /// They most likely are links of the list.
    near: Vec<Link>,
    gone: Vec<LinkId>,
    /// Their names.
    names: NearLinks,
}

impl Listed {
    /// Makes the stored links ready for the list. Returns its links.
    pub(crate) async fn meet(self, store: &SharedStore) -> Result<GivenLinks, Failure> {
        let mut others = self.others(store).await?;
        if self.merge {
            for link in &others.near {
                self.merge(store, link).await?;
            }
        } else if !others.near.is_empty() {
            self.tell(&others.near);
        }
        if self.prune {
            if !self.merge {
                others.near.iter().for_each(|link| others.gone.push(link.id));
                others.near.iter().for_each(|link| others.names.push(|| described(link)));
            }
            self.prune(store, &others).await?;
        }
        Ok(self.input.links)
    }

    async fn others(&self, store: &SharedStore) -> Result<Others, Failure> {
        let mut others = Others::default();
        let (mut after, mut looked_at) = (None, 0);
        loop {
            let page = store.links(after, PAGE).await?;
            looked_at += page.len();
            after = page.last().filter(|_| page.len() == PAGE as usize).map(|link| link.id);
            for link in page.into_iter().filter(|link| !self.input.seen.has(&link.url)) {
                if looked_at <= MOST_LOOKED_AT && self.input.seen.has_near(&link.url) {
                    others.near.push(link);
                } else if self.prune {
                    others.gone.push(link.id);
                    others.names.push(|| described(&link));
                }
            }
            if after.is_none() || (looked_at >= MOST_LOOKED_AT && !self.prune) {
                return Ok(others);
            }
        }
    }

    fn tell(&self, near: &[Link]) {
        if self.is_quiet {
            return;
        }
        let mut texts = NearLinks::default();
        for link in near {
            texts.push(|| {
                format!("`{}` ({}) is stored, and the list has it in another spelling", link.url, link.name)
            });
        }
        print_note(format_args!(
            "{} stored may be links of the list:{texts}\n--merge-duplicates makes them one link each, with its history",
            counted(near.len())
        ));
    }

    /// The stored link takes on the URL of the list, with its history. If that is stored too, it goes.
    async fn merge(&self, store: &SharedStore, link: &Link) -> Result<(), Failure> {
        let near = link.url.near_key();
        let Some(listed) = self.input.links.iter().find(|listed| listed.url.near_key() == near) else {
            return Ok(());
        };
        // A list that linkbeat wrote lacks the user and the password.
        let url = listed.url.with_user_of_near(&link.url);
        let what = if store.find_links(&url.key()).await?.iter().any(|other| other.url.key() == url.key()) {
            store.remove_links(&[link.id]).await?;
            "removed, as the list's is stored too"
        } else {
            let changes = LinkChanges { url: Some(url.clone()), ..LinkChanges::default() };
            store.set_link(link.id, &changes).await?;
            "moved there with its history"
        };
        if !self.is_quiet {
            print_note(format_args!("{} is the list's {url}: {what}", link.url));
        }
        Ok(())
    }

    async fn prune(&self, store: &SharedStore, others: &Others) -> Result<(), Failure> {
        if others.gone.is_empty() {
            return Ok(());
        }
        let count = counted(others.gone.len());
        print_note(format_args!("{count} stored that the list no longer has:{}", others.names));
        if !self.is_sure && ask::is_possible() && !ask::confirm("Remove them? Their history stays.") {
            print_note("nothing was removed");
            return Ok(());
        }
        let mut removed = 0;
        for ids in others.gone.chunks(BATCH) {
            removed += store.remove_links(ids).await?;
        }
        print_note(format_args!("{removed} removed"));
        Ok(())
    }
}

fn described(link: &Link) -> String {
    format!("{} ({})", link.name, link.url)
}

fn counted(links: usize) -> String {
    if links == 1 { "1 link".to_owned() } else { format!("{links} links") }
}
