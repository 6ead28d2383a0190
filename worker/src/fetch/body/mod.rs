//! The page: read as far as needed, decoded, and searched for the backlink, all as it arrives.
//!
//! What a check keeps of a page is bounded and mostly small: bytes that wait until the charset is known, and the
//! state of the search. What was found in a part counts, whatever becomes of the rest.

mod anchors;
mod charset;
mod coding;
mod matcher;
mod prescan;
mod text;

use std::ops::ControlFlow;
use std::sync::Arc;

use linkbeat_shared::{BacklinkIn, Phase, Reason};
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::anchors::{Anchors, Found};
use self::coding::{Decoding, Stop};
use self::matcher::{Matcher, Scan};
use self::text::PageText;
use super::reply::{NoPiece, Reply};

pub(super) use self::coding::OFFERED;
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

/// hyper does not understand where the parts of the body end, and the backlink was not found before.
#[derive(Debug)]
pub(super) struct Malformed;

/// Most bytes that are read on when nothing more is to be learnt.
const MAX_DRAINED: usize = 64 << 10;

/// Reads at most `max_body` bytes, after decompression, until `deadline`.
pub(super) async fn search(
    mut reply: Reply,
    wanted: Wanted,
    max_body: usize,
    deadline: Instant,
) -> Result<Page, Malformed> {
    let mut text = PageText::new(&reply.headers, &reply.url);
    let mut search = Search::new(wanted, &reply.url);
    let Ok(mut decoding) = Decoding::new(&reply.headers) else { return Ok(Page::Broken(Reason::Body)) };
    let mut unread = max_body;
    let otherwise = loop {
        let piece = match timeout_at(deadline, reply.piece()).await {
            Ok(Ok(piece)) => piece,
            Ok(Err(NoPiece::Malformed)) => return Err(Malformed),
            Ok(Err(NoPiece::BrokeOff)) => break Page::Broken(Reason::Body),
            Err(_) => break Page::Broken(Reason::Timeout { phase: Phase::Body }),
        };
        let mut reader = |decoded: &[u8]| {
            text.push(&decoded[..decoded.len().min(unread)], |piece| search.push(piece));
            let is_longer = decoded.len() > unread;
            unread = unread.saturating_sub(decoded.len());
            if is_longer || search.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let decoded = match &piece {
            Some(piece) => decoding.push(piece, &mut reader),
            None => decoding.finish(&mut reader),
        };
        match decoded {
            Ok(()) if piece.is_none() => break Page::NoBacklink { truncated: false },
            Ok(()) => {}
            Err(Stop::Undecodable) => break Page::Broken(Reason::Body),
            Err(Stop::Enough) => {
                if search.is_over() {
                    drain(reply).await;
                }
                // So it is, too, where only the search gave up.
                break Page::NoBacklink { truncated: true };
            }
        }
    };
    text.finish(|piece| search.push(piece));
    Ok(search.finish().unwrap_or(otherwise))
}

/// Reads what has already come of the rest: a connection can be used again only behind its last answer.
async fn drain(mut reply: Reply) {
    let mut drained = 0;
    while drained < MAX_DRAINED
        && let Ok(Ok(Some(chunk))) = timeout_at(Instant::now(), reply.piece()).await
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
