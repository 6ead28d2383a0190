//! The search for the backlink in one page.
//!
//! Most patterns are searched while the page arrives, and nothing is kept of it. For the others its text is kept, and
//! searched whenever it has doubled: so a page may end early, and the cost stays linear in its length. Such a search
//! gets a millisecond of the runtime's thread. If that is not enough, this page and all later ones are searched when they
//! are there, on a thread of their own, until the deadline.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::BacklinkIn;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::anchors::{Anchors, MAX_PARSER};
use super::finder::Finder;
use super::found::Found;
use super::matcher::Matcher;
use super::outline::Outliner;
use super::segment::parts;
use super::work::Work;
use super::written::Written;

/// Length in bytes at which a kept text is searched for the first time.
const FIRST_SEARCH: usize = 16 << 10;
/// Bytes of a text that are kept, or read by the parser of links, before memory is taken for more.
const MAX_SMALL: usize = 16 << 10;
/// A slow search gets this long even where the page took all the time.
const GRACE: Duration = Duration::from_millis(250);

/// What is searched, and where.
#[derive(Debug, Clone)]
pub(in super::super) struct Wanted {
    /// The pattern.
    pub(in super::super) matcher: Arc<Matcher>,
    /// In the text, or in links alone.
    pub(in super::super) place: BacklinkIn,
}

/// What a search came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Searched {
    Found(Found),
    Nothing,
    /// It was given up.
    TooSlow,
}

/// One search.
pub(super) enum Search {
    /// As the page arrives.
    Arriving(View),
    /// In the text that is kept.
    Keeping(Box<Kept>),
}

/// A reader of the page.
pub(super) enum View {
    Text(Box<Written>),
    Anchors(Box<Anchors>),
}

/// The text so far.
pub(super) struct Kept {
    wanted: Wanted,
    page: Url,
    base: Option<String>,
    text: String,
    search_at: usize,
    found: Option<Found>,
}

impl Search {
    /// `page`: the URL that the page came from.
    pub(super) fn new(wanted: Wanted, page: &Url) -> Self {
        if wanted.matcher.machine().is_some() {
            return Self::Arriving(View::new(wanted, page, Work::in_all()));
        }
        Self::Keeping(Box::new(Kept {
            wanted,
            page: page.clone(),
            base: None,
            text: String::new(),
            search_at: FIRST_SEARCH,
            found: None,
        }))
    }

    /// Reads more of the text, and lets the outline go first: it tells the page's base.
    pub(super) fn push(&mut self, more: &str, outliner: &mut Outliner) {
        let had_base = outliner.outline().base.is_some();
        parts(more).for_each(|part| outliner.push(part));
        let new_base = outliner.outline().base.as_deref().filter(|_| !had_base);
        match self {
            Self::Arriving(view) => {
                view.set_base(new_base);
                view.push(more);
            }
            Self::Keeping(kept) => {
                kept.base = kept.base.take().or_else(|| new_base.map(str::to_owned));
                kept.push(more);
            }
        }
    }

    /// Whether so many more bytes of text need memory that must be had before.
    pub(super) fn outgrows(&self, more: usize) -> bool {
        match self {
            Self::Arriving(View::Text(_)) => false,
            Self::Arriving(View::Anchors(anchors)) => anchors.read() + more > MAX_SMALL,
            Self::Keeping(kept) => kept.text.len() + more > MAX_SMALL,
        }
    }

    /// Most memory that so many more bytes of text can take.
    pub(super) fn most(&self, more: usize) -> usize {
        match self {
            Self::Arriving(View::Text(_)) => 0,
            Self::Arriving(View::Anchors(_)) => MAX_PARSER,
            // While a text grows, the old one is there as well.
            Self::Keeping(kept) => {
                let parser = if kept.wanted.place == BacklinkIn::Anchor { MAX_PARSER } else { 0 };
                2 * (kept.text.len() + more) + parser
            }
        }
    }

    /// Whether reading on can change nothing.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Arriving(view) => view.is_over(),
            Self::Keeping(kept) => kept.found == Some(Found::Followed),
        }
    }

    /// The backlink, now that the text is over.
    pub(super) async fn finish(self, deadline: Instant) -> Searched {
        match self {
            Self::Arriving(view) => view.finish(),
            // In a box: few patterns are like that, and all checks would be larger for it.
            Self::Keeping(kept) => Box::pin(kept.finish(deadline)).await,
        }
    }
}

impl View {
    fn new(wanted: Wanted, page: &Url, work: Work) -> Self {
        let Wanted { matcher, place } = wanted;
        match place {
            BacklinkIn::Text => Self::Text(Box::new(Written::new(matcher, work, page))),
            BacklinkIn::Anchor => Self::Anchors(Box::new(Anchors::new(Finder::new(matcher, work), page))),
        }
    }

    /// The page's `<base href>`, where it is new. A reader of links finds it itself.
    fn set_base(&mut self, href: Option<&str>) {
        if let (Self::Text(written), Some(href)) = (self, href) {
            written.set_base(href);
        }
    }

    fn push(&mut self, more: &str) {
        match self {
            Self::Text(written) => written.push(more),
            Self::Anchors(anchors) => anchors.push(more),
        }
    }

    /// Reads a text that is there as a whole, or a first part of it.
    fn read(&mut self, text: &str, is_whole: bool) {
        match self {
            Self::Text(written) => written.read(text, is_whole),
            Self::Anchors(anchors) => parts(text).for_each(|part| anchors.push(part)),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Text(written) => written.is_over(),
            Self::Anchors(anchors) => anchors.is_over(),
        }
    }

    /// What was found so far.
    fn so_far(&self) -> Searched {
        match self {
            Self::Text(written) => searched(written.found(), written.is_exhausted()),
            Self::Anchors(anchors) => searched(anchors.found(), anchors.is_exhausted()),
        }
    }

    fn finish(self) -> Searched {
        match self {
            Self::Text(written) => {
                let (found, is_exhausted) = written.finish();
                searched(found, is_exhausted)
            }
            Self::Anchors(anchors) => searched(anchors.found(), anchors.is_exhausted()),
        }
    }
}

fn searched(found: Option<Found>, is_exhausted: bool) -> Searched {
    match found {
        Some(found) => Searched::Found(found),
        None if is_exhausted => Searched::TooSlow,
        None => Searched::Nothing,
    }
}

impl Kept {
    fn push(&mut self, more: &str) {
        self.text.push_str(more);
        if self.text.len() < self.search_at || self.wanted.matcher.is_slow() {
            return;
        }
        self.search_at = self.text.len() * 2;
        let mut view = self.view(Work::inline());
        view.read(&self.text, false);
        match view.so_far() {
            Searched::Found(found) => self.found = self.found.max(Some(found)),
            Searched::Nothing => {}
            Searched::TooSlow => self.wanted.matcher.note_slow(),
        }
    }

    async fn finish(self: Box<Self>, deadline: Instant) -> Searched {
        if self.found == Some(Found::Followed) {
            return Searched::Found(Found::Followed);
        }
        if !self.wanted.matcher.is_slow() {
            let searched = self.whole(Work::inline());
            if searched != Searched::TooSlow {
                return searched;
            }
            self.wanted.matcher.note_slow();
        }
        let until = deadline.max(Instant::now() + GRACE);
        let place = Arc::clone(self.wanted.matcher.slow()).acquire_owned();
        let Ok(Ok(place)) = timeout_at(until, place).await else { return Searched::TooSlow };
        let search = spawn_blocking(move || {
            let _place = place;
            self.whole(Work::until(until.into_std()))
        });
        search.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends.
            Err(_) => Searched::TooSlow,
        })
    }

    fn whole(&self, work: Work) -> Searched {
        let mut view = self.view(work);
        view.read(&self.text, true);
        view.finish()
    }

    fn view(&self, work: Work) -> View {
        let mut view = View::new(self.wanted.clone(), &self.page, work);
        view.set_base(self.base.as_deref());
        view
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::BacklinkPattern;
    use reqwest::header::HeaderMap;

    use super::super::matcher::Matchers;
    use super::*;

    async fn found_in<'a>(pattern: &str, pieces: impl IntoIterator<Item = &'a str>) -> bool {
        let matcher = Matchers::default().get(&BacklinkPattern::parse(pattern).unwrap());
        let page = Url::parse("http://a.example/").unwrap();
        let mut search = Search::new(Wanted { matcher, place: BacklinkIn::Text }, &page);
        let mut outliner = Outliner::new(&HeaderMap::new());
        pieces.into_iter().for_each(|piece| search.push(piece, &mut outliner));
        matches!(search.finish(Instant::now()).await, Searched::Found(_))
    }

    #[tokio::test]
    async fn the_end_of_a_part_is_not_the_end() {
        let part = "x".repeat(FIRST_SEARCH - 2);
        for (pattern, rest, expected) in
            [("me$", "you", false), (r"\bme\b", "you", false), (r"\bme\b", " ", true), ("me$", "", true)]
        {
            assert_eq!(found_in(pattern, [&part, " me", rest]).await, expected, "{pattern} {rest:?}");
        }
    }

    #[tokio::test]
    async fn a_slow_search_finds_what_there_is_in_its_time() {
        let page = "a".repeat(20_000);
        let slow = r"(?:a?){40}a{40}Z\b";
        assert!(!found_in(slow, [page.as_str()]).await);
        assert!(found_in(slow, [page.as_str(), "Z."]).await);
        assert!(found_in(slow, [page.as_str(), "Z é"]).await);
    }
}
