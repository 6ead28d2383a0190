//! The page: read as far as needed, decoded, and searched for the backlink, all as it arrives.
//!
//! What a check keeps of a page is bounded and mostly small: bytes that wait until the charset is known, and the
//! state of the search. What was found in a part counts, whatever becomes of the rest.

mod anchors;
mod charset;
mod coding;
mod found;
mod label;
mod letters;
mod links;
mod matcher;
mod outline;
mod prescan;
mod refresh;
mod segment;
mod spelling;
mod tag;
mod text;
mod written;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{BacklinkIn, Phase, Reason};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::anchors::Anchors;
use self::coding::{Decoding, Stop};
use self::found::Found;
use self::matcher::Matcher;
use self::outline::Outliner;
use self::segment::parts;
use self::text::PageText;
use self::written::Written;
use super::reply::{NoPiece, Reply};

pub(super) use self::coding::OFFERED;
pub(crate) use self::letters::{Letters, Script};
pub(super) use self::matcher::Matchers;
pub(crate) use self::outline::Outline;

/// What the page says about the backlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// Nobody asked, or the status had decided before.
    NotRead,
    /// The backlink is there.
    Backlink {
        /// It stands only in links with `rel=nofollow`, `ugc` or `sponsored`.
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

/// How long an outline is waited for where the status alone decides, and how much of the page is read for it.
const PATIENCE: Duration = Duration::from_millis(250);
const MAX_PEEKED: usize = 32 << 10;

/// Searches the page and reads its outline: at most `max_body` bytes, after decompression, until `deadline`.
pub(super) async fn search(
    mut reply: Reply,
    wanted: Wanted,
    max_body: usize,
    deadline: Instant,
) -> Result<(Page, Outline), Malformed> {
    let mut text = PageText::new(&reply.headers, &reply.url);
    let mut outliner = Outliner::new(&reply.headers);
    let mut search = Search::new(wanted, &reply.url);
    let Ok(mut decoding) = Decoding::new(&reply.headers) else {
        return Ok((Page::Broken(Reason::Body), outliner.finish()));
    };
    let mut unread = max_body;
    let otherwise = loop {
        let piece = match timeout_at(deadline, reply.piece()).await {
            Ok(Ok(piece)) => piece,
            Ok(Err(NoPiece::Malformed)) => return Err(Malformed),
            Ok(Err(NoPiece::BrokeOff)) => break Page::Broken(Reason::Body),
            Err(_) => break Page::Broken(Reason::Timeout { phase: Phase::Body }),
        };
        let mut reader = |decoded: &[u8]| {
            text.push(&decoded[..decoded.len().min(unread)], |piece| search.push(piece, &mut outliner));
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
    text.finish(|piece| search.push(piece, &mut outliner));
    Ok((search.finish().unwrap_or(otherwise), outliner.finish()))
}

/// Reads the outline alone, as far as it comes soon. The status has decided, so nothing is waited for long.
pub(super) async fn peek(mut reply: Reply, deadline: Instant) -> Outline {
    let mut outliner = Outliner::new(&reply.headers);
    let Ok(mut decoding) = Decoding::new(&reply.headers) else { return outliner.finish() };
    if !is_html(&reply.headers) {
        return outliner.finish();
    }
    let mut text = PageText::new(&reply.headers, &reply.url);
    let until = deadline.min(Instant::now() + PATIENCE);
    let mut unread = MAX_PEEKED;
    loop {
        let Ok(Ok(piece)) = timeout_at(until, reply.piece()).await else { break };
        let mut reader = |decoded: &[u8]| {
            text.push(&decoded[..decoded.len().min(unread)], |piece| outliner.push(piece));
            unread = unread.saturating_sub(decoded.len());
            if unread == 0 || outliner.is_enough() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let decoded = match &piece {
            Some(piece) => decoding.push(piece, &mut reader),
            None => decoding.finish(&mut reader),
        };
        if decoded.is_err() || piece.is_none() {
            break;
        }
    }
    drain(reply).await;
    text.finish(|piece| outliner.push(piece));
    outliner.finish()
}

/// Whether the answer is a page. Without a type, browsers look and mostly find one.
fn is_html(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return true };
    let kind = kind.as_bytes().to_ascii_lowercase();
    memchr::memmem::find(&kind, b"html").is_some()
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
    Text(Box<Written>),
    Anchors(Box<Anchors>),
}

impl Search {
    fn new(wanted: Wanted, page: &Url) -> Self {
        match wanted.place {
            BacklinkIn::Text => Self::Text(Box::new(Written::new(wanted.matcher, page))),
            BacklinkIn::Anchor => Self::Anchors(Box::new(Anchors::new(wanted.matcher, page))),
        }
    }

    /// Reads more of the text, and lets the outline go first: it tells the page's base.
    fn push(&mut self, more: &str, outliner: &mut Outliner) {
        let had_base = outliner.outline().base.is_some();
        parts(more).for_each(|part| outliner.push(part));
        match self {
            Self::Text(written) => {
                if let Some(base) = outliner.outline().base.as_deref().filter(|_| !had_base) {
                    written.set_base(base);
                }
                written.push(more);
            }
            Self::Anchors(anchors) => anchors.push(more),
        }
    }

    /// Whether reading on can change nothing.
    fn is_over(&self) -> bool {
        match self {
            Self::Text(written) => written.is_over(),
            Self::Anchors(anchors) => anchors.is_over(),
        }
    }

    /// The backlink, if it is there.
    fn finish(self) -> Option<Page> {
        let found = match self {
            Self::Text(written) => written.finish(),
            Self::Anchors(anchors) => anchors.found(),
        };
        Some(Page::Backlink { nofollow: found? == Found::Nofollow })
    }
}
