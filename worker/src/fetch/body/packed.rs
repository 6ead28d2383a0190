//! A compressed page, with as few decoders as possible.
//!
//! A decoder holds up to 17 MiB, and a site that sends a few bytes and then nothing would make us hold it. So the first
//! bytes are kept as they came. They are decoded when the page ends or pauses, by a decoder that is dropped at once.
//! Only a page that goes on beyond them gets a decoder of its own, for which memory was taken before.

use std::ops::ControlFlow;

use reqwest::header::HeaderMap;

use super::coding::{Codings, Decoding, Stop};

/// Most compressed bytes that are kept as they came.
const MAX_HELD: usize = 16 << 10;

/// Takes the decoded page, piece by piece, and says whether to go on.
type Reader<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// The codings of one answer, and what came of its body.
pub(super) struct Packed {
    codings: Codings,
    held: Vec<u8>,
    /// Decoded bytes that were handed on, of what is held.
    handed_on: usize,
    /// Something came since it was decoded last.
    is_new: bool,
    decoding: Option<Decoding>,
}

impl Packed {
    /// By the headers of an answer.
    pub(super) fn new(headers: &HeaderMap) -> Result<Self, Stop> {
        let codings = Codings::of(headers)?;
        Ok(Self { codings, held: Vec::new(), handed_on: 0, is_new: false, decoding: None })
    }

    /// Whether the page is compressed at all.
    pub(super) fn is_packed(&self) -> bool {
        !self.codings.is_empty()
    }

    /// Whether something is kept that was not decoded yet.
    pub(super) fn is_held_back(&self) -> bool {
        self.is_new
    }

    /// Whether so many more bytes are only kept.
    pub(super) fn holds_back(&self, more: usize) -> bool {
        self.is_packed() && self.decoding.is_none() && !self.outgrows(more)
    }

    /// Whether so many more bytes need a decoder that stays.
    pub(super) fn outgrows(&self, more: usize) -> bool {
        self.is_packed() && self.decoding.is_none() && self.held.len() + more > MAX_HELD
    }

    /// Most memory that such a decoder takes, in bytes. `next`: what comes next of the page.
    pub(super) fn most(&self, next: &[u8]) -> usize {
        self.codings.memory(self.held.first().or(next.first()).copied())
    }

    /// Takes more of the page. Hands on what is certain to go on, and keeps the rest until it ends or pauses.
    pub(super) fn push(&mut self, bytes: &[u8], reader: Reader<'_>) -> Result<(), Stop> {
        if !self.is_packed() {
            return if reader(bytes).is_break() { Err(Stop::Enough) } else { Ok(()) };
        }
        if let Some(decoding) = &mut self.decoding {
            return decoding.push(bytes, reader);
        }
        if self.holds_back(bytes.len()) {
            self.held.extend_from_slice(bytes);
            self.is_new = true;
            return Ok(());
        }
        let decoding = self.decoding.insert(self.codings.decoding());
        let held = std::mem::take(&mut self.held);
        let mut reader = skipping(self.handed_on, reader);
        decoding.push(&held, &mut reader)?;
        decoding.push(bytes, &mut reader)
    }

    /// Decodes what is kept, as far as that goes: the page pauses, or broke off.
    pub(super) fn look(&mut self, reader: Reader<'_>) -> Result<(), Stop> {
        if !std::mem::take(&mut self.is_new) {
            return Ok(());
        }
        let (skipped, mut read) = (self.handed_on, 0);
        let mut reader = skipping(skipped, reader);
        let mut counting = |piece: &[u8]| {
            read += piece.len();
            reader(piece)
        };
        let decoded = self.codings.decoding().push(&self.held, &mut counting);
        self.handed_on = read.max(skipped);
        decoded
    }

    /// Decodes the rest, now that the page is over.
    pub(super) fn finish(&mut self, reader: Reader<'_>) -> Result<(), Stop> {
        if let Some(decoding) = &mut self.decoding {
            return decoding.finish(reader);
        }
        if self.held.is_empty() {
            // Servers also say of an empty page that it is compressed.
            return Ok(());
        }
        let mut decoding = self.codings.decoding();
        let mut reader = skipping(self.handed_on, reader);
        decoding.push(&self.held, &mut reader)?;
        decoding.finish(&mut reader)
    }
}

/// Passes over what was handed on before.
fn skipping(mut left: usize, reader: Reader<'_>) -> impl FnMut(&[u8]) -> ControlFlow<()> {
    move |piece| {
        let skipped = left.min(piece.len());
        left -= skipped;
        let new = &piece[skipped..];
        if new.is_empty() { ControlFlow::Continue(()) } else { reader(new) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use reqwest::header::{CONTENT_ENCODING, HeaderValue};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn packed() -> Packed {
        Packed::new(&HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))])).unwrap()
    }

    /// Text that hardly gets smaller.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn pauses_anywhere_change_nothing_and_few_bytes_keep_no_decoder() {
        for length in [100, 10_000, 100_000] {
            let (text, mut page) = (text(length), Vec::new());
            let mut packed = packed();
            let mut read = |piece: &[u8]| {
                page.extend_from_slice(piece);
                ControlFlow::Continue(())
            };
            for piece in gzip(&text).chunks(3_000) {
                packed.push(piece, &mut read).unwrap();
                packed.look(&mut read).unwrap();
                packed.look(&mut read).unwrap();
            }
            assert_eq!(packed.decoding.is_some(), length > MAX_HELD, "{length}");
            packed.finish(&mut read).unwrap();
            assert!(page == text, "{length}");
        }
    }

    #[test]
    fn enough_is_enough() {
        let mut packed = packed();
        packed.push(&gzip(&text(1_000)), &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(packed.look(&mut |_| ControlFlow::Break(())), Err(Stop::Enough));
    }
}
