//! The page: read as far as needed, decoded, and searched for the backlink, all as it arrives.
//!
//! What a check keeps of a page is bounded and mostly small: bytes that wait until the charset is known, and the
//! state of the search. What was found in a part counts, whatever becomes of the rest.

mod anchors;
mod charset;
mod coding;
mod finder;
mod found;
mod label;
mod lazy;
mod letters;
mod links;
mod matcher;
mod outline;
mod packed;
mod prescan;
mod reading;
mod refresh;
mod search;
mod segment;
mod spelling;
mod tag;
mod text;
mod work;
mod written;

use std::ops::ControlFlow;
use std::time::Duration;

use linkbeat_shared::{Phase, Reason};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::{Instant, timeout_at};

use self::coding::Stop;
use self::outline::Outliner;
use self::packed::Packed;
use self::reading::{Reading, Step};
use self::text::PageText;
use super::progress;
use super::reply::{NoPiece, Reply};
use crate::limits::{For, Memory, NoMemory};

pub(super) use self::coding::OFFERED;
pub(crate) use self::letters::{Letters, Script};
pub(super) use self::matcher::Matchers;
pub(crate) use self::outline::Outline;
pub(super) use self::search::Wanted;

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

impl Page {
    /// `None`: not found. Otherwise whether it stands only in links that do not count.
    pub(super) fn has_backlink(&self) -> Option<bool> {
        match self {
            Self::Backlink { nofollow } => Some(*nofollow),
            Self::NotRead | Self::NoBacklink { .. } | Self::Broken(_) => None,
        }
    }
}

/// Why a page could not be read at all.
#[derive(Debug)]
pub(super) enum Unread {
    /// hyper does not understand where the parts of the body end, and the backlink was not found before.
    Malformed,
    /// Other checks hold the memory that it needs.
    NoMemory,
}

/// How much a page may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    /// Bytes that are read, after decompression.
    pub(super) max_body: usize,
    /// What all pages share.
    pub(super) memory: &'a Memory,
}

/// Most bytes that are read on when nothing more is to be learnt.
const MAX_DRAINED: usize = 64 << 10;

/// How long an outline is waited for where the status alone decides, and how much of the page is read for it.
const PATIENCE: Duration = Duration::from_millis(250);
const MAX_PEEKED: usize = 32 << 10;
/// A page that pauses for so long is searched as far as it came.
const PAUSE: Duration = Duration::from_millis(250);

/// Searches the page and reads its outline: at most `max_body` bytes, after decompression, until `deadline`. The time
/// in which it waits for memory does not count.
pub(super) async fn search(
    mut reply: Reply,
    wanted: Wanted,
    limits: Limits<'_>,
    mut deadline: Instant,
) -> Result<(Page, Outline), Unread> {
    let mut share = None;
    let Ok(mut page) = Reading::new(&reply, wanted, limits.max_body) else {
        return Ok((Page::Broken(Reason::BROKE_OFF), Outliner::new(&reply.headers).finish()));
    };
    let otherwise = loop {
        let pause = if page.is_held_back() { deadline.min(Instant::now() + PAUSE) } else { deadline };
        let step = match timeout_at(pause, reply.piece()).await {
            Ok(Ok(Some(piece))) => {
                progress::tell(|chain| chain.comes(piece.len()));
                Step::Piece(piece)
            }
            Ok(Ok(None)) => Step::End,
            Ok(Err(NoPiece::Malformed)) => return Err(Unread::Malformed),
            Ok(Err(NoPiece::BrokeOff)) => break Page::Broken(Reason::BROKE_OFF),
            Err(_) if pause < deadline => Step::Pause,
            Err(_) => break Page::Broken(Reason::Timeout { phase: Phase::Body }),
        };
        if share.is_none()
            && let Some(bytes) = page.needs(&step)
        {
            let began = Instant::now();
            let had = limits.memory.share(For::Body, bytes).await;
            share = Some(had.map_err(|NoMemory| Unread::NoMemory)?);
            deadline += began.elapsed();
        }
        match page.take(&step) {
            Ok(()) if matches!(step, Step::End) => break Page::NoBacklink { truncated: false },
            Ok(()) => {}
            Err(Stop::Undecodable) => break Page::Broken(Reason::BROKE_OFF),
            Err(Stop::Enough) => {
                if page.is_over() {
                    drain(&mut reply).await;
                }
                // So it is, too, where only the search gave up.
                break Page::NoBacklink { truncated: true };
            }
        }
    };
    // A search that takes long needs no connection.
    drop(reply);
    Ok(page.finish(otherwise, deadline).await)
}

/// Reads the outline alone, as far as it comes soon. The status has decided, so nothing is waited for long.
pub(super) async fn peek(mut reply: Reply, deadline: Instant) -> Outline {
    let mut outliner = Outliner::new(&reply.headers);
    let Ok(mut packed) = Packed::new(&reply.headers) else { return outliner.finish() };
    if !is_html(&reply.headers) {
        return outliner.finish();
    }
    let mut text = PageText::new(&reply.headers, &reply.url);
    let until = deadline.min(Instant::now() + PATIENCE);
    let mut unread = MAX_PEEKED;
    let mut reader = |decoded: &[u8]| {
        text.push(&decoded[..decoded.len().min(unread)], |piece| outliner.push(piece));
        unread = unread.saturating_sub(decoded.len());
        if unread == 0 || outliner.is_enough() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    // What is compressed is not decoded before it is over, so that nobody can make us keep a decoder.
    while let Ok(Ok(Some(piece))) = timeout_at(until, reply.piece()).await {
        progress::tell(|chain| chain.comes(piece.len()));
        if packed.outgrows(piece.len()) || packed.push(&piece, &mut reader).is_err() {
            break;
        }
    }
    let _ = packed.look(&mut reader);
    drain(&mut reply).await;
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
async fn drain(reply: &mut Reply) {
    let mut drained = 0;
    while drained < MAX_DRAINED
        && let Ok(Ok(Some(chunk))) = timeout_at(Instant::now(), reply.piece()).await
    {
        drained += chunk.len();
    }
}
