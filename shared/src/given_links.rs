//! The links that a request names, read one by one: a list of a million links need not lie in memory as links.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::NewLink;

/// Where links come from. It can be read several times, and gives the same links each time.
pub trait LinkSource: Send + Sync {
    /// How many links it names. Repeats count.
    fn named(&self) -> usize;

    /// Its links in their order, each once: of several with the same [`crate::LinkUrl::key`] only the first.
    fn links(&self) -> Box<dyn Iterator<Item = NewLink> + Send + '_>;
}

impl LinkSource for Vec<NewLink> {
    fn named(&self) -> usize {
        self.len()
    }

    fn links(&self) -> Box<dyn Iterator<Item = NewLink> + Send + '_> {
        let mut seen = HashSet::new();
        Box::new(self.iter().filter(move |link| seen.insert(link.url.key())).cloned())
    }
}

/// The links that a request names. A copy shares them.
#[derive(Clone)]
pub struct GivenLinks(Arc<dyn LinkSource>);

impl GivenLinks {
    /// The links of this source.
    pub fn of(source: impl LinkSource + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// How many links are named. Repeats count.
    pub fn named(&self) -> usize {
        self.0.named()
    }

    /// The links, each once.
    pub fn iter(&self) -> impl Iterator<Item = NewLink> + Send + '_ {
        self.0.links()
    }

    /// The links in pages of `size`, each link once.
    pub fn pages(&self, size: usize) -> impl Iterator<Item = Vec<NewLink>> + Send + '_ {
        let mut links = self.0.links();
        std::iter::from_fn(move || {
            let page: Vec<_> = links.by_ref().take(size).collect();
            (!page.is_empty()).then_some(page)
        })
    }
}

impl From<Vec<NewLink>> for GivenLinks {
    fn from(links: Vec<NewLink>) -> Self {
        Self::of(links)
    }
}

impl PartialEq for GivenLinks {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for GivenLinks {}

/// Only the number: there may be a million.
impl fmt::Debug for GivenLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GivenLinks({})", self.named())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(links: impl IntoIterator<Item = NewLink>) -> Vec<String> {
        links.into_iter().map(|link| link.url.to_string()).collect()
    }

    #[test]
    fn pages_hold_each_link_once_and_can_be_read_again() {
        let named = ["http://a/", "http://b/", "HTTP://A/", "http://c/"];
        let links: Vec<_> = named.iter().map(|url| NewLink::from_url(url.parse().unwrap())).collect();
        let given = GivenLinks::from(links);
        for _ in 0..2 {
            let pages: Vec<_> = given.pages(2).map(urls).collect();
            assert_eq!(pages, [vec!["http://a/", "http://b/"], vec!["http://c/"]]);
        }
        assert_eq!((given.named(), given.iter().count()), (4, 3));
    }
}
