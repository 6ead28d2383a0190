//! The backlink anywhere in the text: as it is written, and as a browser would see the page's links.

use std::sync::Arc;

use url::Url;

use super::found::Found;
use super::links::Links;
use super::matcher::{Kept, Matcher, Search};
use super::segment::{Segment, followed, parts};

/// One search in one page.
#[derive(Debug)]
pub(super) struct Written {
    search: Search,
    links: Links,
    segment: Segment,
    /// The pattern was found in the tag that is open: whether the link is followed shows at its end.
    pending: bool,
    found: Option<Found>,
}

impl Written {
    /// `page`: the URL that the page came from.
    pub(super) fn new(matcher: Arc<Matcher>, page: &Url) -> Self {
        Self {
            search: Search::new(Arc::clone(&matcher)),
            links: Links::new(matcher, page),
            segment: Segment::default(),
            pending: false,
            found: None,
        }
    }

    /// The page's `<base href>`.
    pub(super) fn set_base(&mut self, href: &str) {
        self.links.set_base(href);
    }

    /// Reads more of the text.
    pub(super) fn push(&mut self, more: &str) {
        if let Search::Keeping(kept) = &mut self.search {
            self.found = self.found.max(kept.push(more));
        }
        for part in parts(more) {
            if self.is_over() {
                return;
            }
            self.push_part(part);
        }
    }

    fn push_part(&mut self, part: &str) {
        if self.pending {
            self.settle(&self.segment.around(part, 0));
        }
        self.scan(part);
        if !self.is_over() {
            self.found = self.found.max(self.links.push(&self.segment, part));
        }
        self.segment.push(part);
    }

    fn scan(&mut self, piece: &str) {
        let mut at = 0;
        while !self.is_over()
            && let Search::Running(scan) = &mut self.search
            && let Some(length) = scan.push(&piece[at..])
        {
            at += length;
            self.settle(&self.segment.around(piece, at));
        }
    }

    /// The pattern was found in this segment.
    fn settle(&mut self, segment: &str) {
        let found = followed(segment);
        self.pending = found.is_none();
        self.found = self.found.max(found);
    }

    /// Whether reading on can change nothing.
    pub(super) fn is_over(&self) -> bool {
        self.found == Some(Found::Followed)
    }

    /// Where the backlink is, now that the text is over.
    pub(super) fn finish(self) -> Option<Found> {
        let Self { search, links, segment, pending, found } = self;
        if found == Some(Found::Followed) {
            return found;
        }
        let at_the_end = || followed(segment.text()).unwrap_or(Found::Followed);
        let written = match search {
            Search::Running(scan) => (scan.ends_with_match() || pending).then(at_the_end),
            Search::Keeping(kept) => Kept::finish(kept),
        };
        found.max(written).max(links.finish(&segment))
    }
}
