//! The backlink anywhere in the text: as it is written, and as a browser would see the page's links.

use std::sync::Arc;

use url::Url;

use super::finder::Finder;
use super::found::Found;
use super::links::Links;
use super::matcher::{Matcher, Scan};
use super::segment::{MAX, Segment, boundary, cut, followed, parts};
use super::work::Work;

/// What it costs to look at the tag around a match, in visited states.
const TAG: usize = MAX / 4;

/// One search in one page.
#[derive(Debug)]
pub(super) struct Written {
    /// By the automaton, where the pattern has one.
    scan: Option<Scan>,
    finder: Finder,
    links: Links,
    segment: Segment,
    /// The pattern was found in the tag that is open: whether the link is followed shows at its end.
    pending: bool,
    found: Option<Found>,
}

impl Written {
    /// `page`: the URL that the page came from.
    pub(super) fn new(matcher: Arc<Matcher>, work: Work, page: &Url) -> Self {
        Self {
            scan: matcher.machine().map(Scan::new),
            finder: Finder::new(matcher, work),
            links: Links::new(page),
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
            self.found = self.found.max(self.links.push(&mut self.finder, &self.segment, part));
        }
        self.segment.push(part);
    }

    fn scan(&mut self, piece: &str) {
        let mut at = 0;
        while !self.is_over()
            && let Some(scan) = &mut self.scan
            && let Some(length) = scan.push(&piece[at..])
        {
            at += length;
            self.settle(&self.segment.around(piece, at));
        }
    }

    /// The pattern was found in this segment.
    fn settle(&mut self, segment: &str) {
        self.finder.spend(TAG);
        let found = followed(segment);
        self.pending = found.is_none();
        self.found = self.found.max(found);
    }

    /// Reads a text that is there as a whole, or a first part of it. For patterns without an automaton.
    pub(super) fn read(&mut self, text: &str, is_whole: bool) {
        self.find_all(text, is_whole);
        self.push(text);
    }

    fn find_all(&mut self, text: &str, is_whole: bool) {
        let mut at = 0;
        while !self.is_over()
            && let Some(end) = self.finder.next_end(text, at)
            // At the end of a part, `$` and `\b` may yet turn out otherwise.
            && (is_whole || end < text.len())
        {
            self.finder.spend(TAG);
            let back = boundary(text, end.saturating_sub(MAX));
            let start = text[back..end].rfind('<').map_or(back, |start| back + start);
            self.found = self.found.max(followed(cut(&text[start..], MAX)).or(Some(Found::Followed)));
            // An empty match is found again at its own end.
            let Some(next) = text[end..].chars().next() else { return };
            at = if end > at { end } else { end + next.len_utf8() };
        }
    }

    /// Whether reading on can change nothing.
    pub(super) fn is_over(&self) -> bool {
        self.found == Some(Found::Followed) || self.finder.is_exhausted()
    }

    /// Whether it has given up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.finder.is_exhausted()
    }

    /// What was found so far.
    pub(super) fn found(&self) -> Option<Found> {
        self.found
    }

    /// Where the backlink is, now that the text is over, and whether the search has given up.
    pub(super) fn finish(self) -> (Option<Found>, bool) {
        let Self { scan, mut finder, links, segment, pending, found } = self;
        if found == Some(Found::Followed) {
            return (found, false);
        }
        let at_the_end = || followed(segment.text()).unwrap_or(Found::Followed);
        let written = scan.filter(|scan| scan.ends_with_match() || pending).map(|_| at_the_end());
        let linked = links.finish(&mut finder, &segment);
        (found.max(written).max(linked), finder.is_exhausted())
    }
}
