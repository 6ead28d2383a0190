//! What is kept of a page while it is read.

use std::ops::ControlFlow;

use bytes::Bytes;
use linkbeat_shared::{BodyKind, Reason};
use tokio::time::Instant;

use super::Page;
use super::coding::Stop;
use super::found::Found;
use super::outline::{Outline, Outliner};
use super::packed::Packed;
use super::search::{Search, Searched, Wanted};
use super::text::PageText;
use crate::fetch::progress;
use crate::fetch::reply::Reply;

/// What happens next to the page.
pub(super) enum Step {
    Piece(Bytes),
    /// It goes on, but not now.
    Pause,
    End,
}

/// A page that is being read: decoded, searched, and its outline noted.
pub(super) struct Reading {
    packed: Packed,
    text: PageText,
    outliner: Outliner,
    search: Search,
    /// Bytes that may still be read, after decompression.
    unread: usize,
}

impl Reading {
    /// An error: nothing here undoes its codings.
    pub(super) fn new(reply: &Reply, wanted: Wanted, max_body: usize) -> Result<Self, Stop> {
        Ok(Self {
            packed: Packed::new(&reply.headers)?,
            text: PageText::new(&reply.headers, &reply.url),
            outliner: Outliner::new(&reply.headers),
            search: Search::new(wanted, &reply.url),
            unread: max_body,
        })
    }

    /// Whether something is kept until the page pauses or ends.
    pub(super) fn is_held_back(&self) -> bool {
        self.packed.is_held_back()
    }

    /// How much memory must be had before this step, in bytes: all that the page can ever take. `None`: none.
    pub(super) fn needs(&self, step: &Step) -> Option<usize> {
        let piece = match step {
            Step::Piece(piece) => piece.as_ref(),
            Step::Pause | Step::End => &[],
        };
        // Few compressed bytes may unfold into all that may be read.
        let decodes = !self.packed.holds_back(piece.len()) || piece.is_empty();
        let length = if self.packed.is_packed() && decodes { self.unread } else { piece.len() };
        let grows = decodes && self.search.outgrows(length);
        (self.packed.outgrows(piece.len()) || grows)
            .then(|| self.packed.most(piece) + self.search.most(self.unread))
    }

    /// Takes a step. An error: no further one is needed, or possible.
    pub(super) fn take(&mut self, step: &Step) -> Result<(), Stop> {
        let Self { packed, text, outliner, search, unread } = self;
        let mut reader = |decoded: &[u8]| {
            text.push(&decoded[..decoded.len().min(*unread)], |piece| {
                progress::tell(|chain| chain.reads(piece));
                search.push(piece, outliner);
            });
            let is_longer = decoded.len() > *unread;
            *unread = unread.saturating_sub(decoded.len());
            if is_longer || search.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match step {
            Step::Piece(piece) => packed.push(piece, &mut reader),
            Step::Pause => packed.look(&mut reader),
            Step::End => packed.finish(&mut reader),
        }
    }

    /// Whether reading on can change nothing.
    pub(super) fn is_over(&self) -> bool {
        self.search.is_over()
    }

    /// What the page says, now that no more of it comes. `otherwise`: if the backlink is not in what was read.
    pub(super) async fn finish(mut self, otherwise: Page, deadline: Instant) -> (Page, Outline) {
        if matches!(otherwise, Page::Broken(_)) {
            // What came in before counts.
            let _ = self.take(&Step::Pause);
        }
        let Self { mut text, mut outliner, mut search, .. } = self;
        text.finish(|piece| {
            progress::tell(|chain| chain.reads(piece));
            search.push(piece, &mut outliner);
        });
        let page = match search.finish(deadline).await {
            Searched::Found(found) => Page::Backlink { nofollow: found == Found::Nofollow },
            Searched::TooSlow if matches!(otherwise, Page::NoBacklink { .. }) => {
                Page::Broken(Reason::Body { kind: BodyKind::PatternTooSlow })
            }
            Searched::TooSlow | Searched::Nothing => otherwise,
        };
        (page, outliner.finish())
    }
}
