//! The page: read as far as needed, decoded, and searched for the backlink, all as it arrives.
//!
//! What a check keeps of a page is bounded and mostly small: undecoded bytes until the charset is known,
//! and the state of the search. What was found in a part counts, whatever becomes of the rest.

mod anchors;
mod charset;
mod matcher;
mod prescan;
mod text;

use std::sync::Arc;

use linkbeat_shared::{BacklinkIn, Phase, Reason};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::anchors::{Anchors, Found};
use self::matcher::{Matcher, Scan};
use self::text::PageText;

pub(super) use self::matcher::Matchers;

/// What the page says about the backlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// Nobody asked, or the status had decided before.
    NotRead,
    /// The backlink is there.
    Backlink {
        /// It stands only in links with `rel=nofollow`. Known where the backlink is searched in anchors.
        nofollow: bool,
    },
    /// It is not, in the part of the page that was read.
    NoBacklink {
        /// The page is longer than that part.
        truncated: bool,
    },
    /// The page ended early, before the backlink was found.
    Broken(Reason),
}

/// What is searched, and where.
pub(super) struct Wanted {
    /// The pattern.
    pub(super) matcher: Arc<Matcher>,
    /// In the text, or in links alone.
    pub(super) place: BacklinkIn,
}

/// Most bytes that are read on when nothing more is to be learnt.
const MAX_DRAINED: usize = 64 << 10;

/// Reads at most `max_body` bytes, after decompression, until `deadline`.
pub(super) async fn search(
    mut response: Response,
    wanted: Wanted,
    max_body: usize,
    deadline: Instant,
) -> Page {
    let mut text = PageText::new(&response);
    let mut search = Search::new(wanted, response.url());
    let mut unread = max_body;
    let otherwise = loop {
        let chunk = match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break Page::NoBacklink { truncated: false },
            Ok(Err(_)) => break Page::Broken(Reason::Body),
            Err(_) => break Page::Broken(Reason::Timeout { phase: Phase::Body }),
        };
        text.push(&chunk[..chunk.len().min(unread)], |piece| search.push(piece));
        if search.is_over() {
            drain(response).await;
            // So it is only where the search gave up.
            break Page::NoBacklink { truncated: true };
        }
        if chunk.len() > unread {
            break Page::NoBacklink { truncated: true };
        }
        unread -= chunk.len();
    };
    text.finish(|piece| search.push(piece));
    search.finish().unwrap_or(otherwise)
}

/// Reads what has already come of the rest: a connection can be used again only behind its last answer.
async fn drain(mut response: Response) {
    let mut drained = 0;
    while drained < MAX_DRAINED
        && let Ok(Ok(Some(chunk))) = timeout_at(Instant::now(), response.chunk()).await
    {
        drained += chunk.len();
    }
}

enum Search {
    Text(Scan),
    Anchors(Box<Anchors>),
}

impl Search {
    fn new(wanted: Wanted, page: &Url) -> Self {
        match wanted.place {
            BacklinkIn::Text => Self::Text(Scan::new(wanted.matcher)),
            BacklinkIn::Anchor => Self::Anchors(Box::new(Anchors::new(wanted.matcher, page))),
        }
    }

    fn push(&mut self, more: &str) {
        match self {
            Self::Text(scan) => scan.push(more),
            Self::Anchors(anchors) => anchors.push(more),
        }
    }

    /// Whether reading on can change nothing.
    fn is_over(&self) -> bool {
        match self {
            Self::Text(scan) => scan.found(),
            Self::Anchors(anchors) => anchors.is_over(),
        }
    }

    /// The backlink, if it is there.
    fn finish(self) -> Option<Page> {
        let found = match self {
            Self::Text(scan) => scan.finish().then_some(Found::Followed),
            Self::Anchors(anchors) => anchors.found(),
        };
        Some(Page::Backlink { nofollow: found? == Found::Nofollow })
    }
}
