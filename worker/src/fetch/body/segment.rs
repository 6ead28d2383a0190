//! The text since the last `<`: one tag and what stands behind it.
//!
//! A page comes in pieces that are cut anywhere. This keeps the part that is still open, so that a whole tag can be
//! read when its end has come. It is bounded: of a longer one, as scripts are, only the latest part is kept.

use memchr::memrchr;

use super::found::Found;
use super::tag;

/// Most bytes of text that are looked at in one go.
const MAX_PART: usize = 16 << 10;
/// Most bytes kept.
pub(super) const MAX: usize = 8 << 10;
/// Bytes that are kept of what is over the limit, so that nothing is lost that is cut there.
const OVERLAP: usize = 1 << 10;

/// What is kept of the page's text.
#[derive(Debug, Default)]
pub(super) struct Segment {
    text: String,
}

impl Segment {
    /// The text since the last `<`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// More of the page was read. Returns the old text where it was too long to go on with.
    pub(super) fn push(&mut self, piece: &str) {
        if let Some(start) = memrchr(b'<', piece.as_bytes()) {
            let open = &piece[start..];
            let kept = if open.len() <= MAX { open } else { &open[back(open, OVERLAP)..] };
            self.text.clear();
            self.text.push_str(kept);
        } else if self.text.len() + piece.len() <= MAX {
            self.text.push_str(piece);
        } else {
            // What is in the middle of a script or of prose is no tag any more.
            let latest = [&self.text[back(&self.text, OVERLAP)..], piece].concat();
            self.text = latest[back(&latest, OVERLAP)..].to_owned();
        }
    }

    /// The segment in which the byte before `end` of `piece` stands, to the end of the piece.
    pub(super) fn around(&self, piece: &str, end: usize) -> String {
        match memrchr(b'<', &piece.as_bytes()[..end]) {
            Some(start) => cut(&piece[start..], MAX).to_owned(),
            None => [self.text.as_str(), cut(piece, MAX)].concat(),
        }
    }
}

/// How search engines take the link that the segment begins with. `None`: its tag has not ended yet.
pub(super) fn followed(segment: &str) -> Option<Found> {
    if !tag::is_link(segment) {
        return Some(Found::Followed);
    }
    let end = tag::end(segment)?;
    let rel = tag::attribute(&segment[..end], "rel").unwrap_or_default();
    Some(if tag::is_not_counted(&rel) { Found::Nofollow } else { Found::Followed })
}

/// The text in parts of a bounded length: what looks at a part keeps copies of it.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        // A character has four bytes at most, so no part is empty.
        let (part, behind) = rest.split_at(boundary(rest, MAX_PART));
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

/// At most so many bytes from the start, without cutting a character.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..boundary(text, most)]
}

/// Where the last bytes begin, about `most` of them.
fn back(text: &str, most: usize) -> usize {
    boundary(text, text.len().saturating_sub(most))
}

/// The last place up to `at` where a character begins or the text ends.
pub(super) fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
