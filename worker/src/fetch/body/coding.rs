//! Content codings (RFC 9110 §8.4) and transfer codings (RFC 9112 §7): what servers really send, undone piece by piece.
//!
//! Browsers and curl read codings in any case, several after each other, by their old names, `deflate` without its zlib
//! wrapper, and zlib that is called gzip. So this does. What is offered in `Accept-Encoding` can be undone here.

use std::io::{self, Write};
use std::ops::ControlFlow;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, TRANSFER_ENCODING};

/// What is offered to servers.
pub(in super::super) const OFFERED: &str = "gzip, deflate, br";
/// Codings undone in one answer. More are no page.
const MAX_CODINGS: usize = 4;
/// Codings that were not offered and that nothing here undoes.
const UNKNOWN: [&str; 3] = ["zstd", "compress", "x-compress"];
/// Bytes that a decoder hands on at a time: a small piece may unfold into a very long one.
const PIECE: usize = 8_192;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why the page is not decoded any further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes are not what their coding says.
    Undecodable,
    /// Whoever reads the page has read enough.
    Enough,
}

/// Takes the decoded page, piece by piece, and says whether to go on.
type Reader<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// The codings of one answer.
#[derive(Debug)]
pub(super) struct Codings {
    /// The outermost first.
    codings: Vec<Coding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// Most memory of a decoder of gzip or deflate, in bytes: its window, its tables and what it puts out at a time.
const INFLATING: usize = 128 << 10;
/// The same for brotli beside its window.
const BROTLI_TABLES: usize = 1 << 20;
/// The largest window of brotli (RFC 7932 §9.1), in bytes.
const LARGEST_WINDOW: usize = 16 << 20;

/// Undoes the codings of one answer.
pub(super) struct Decoding {
    /// The outermost first.
    stages: Vec<Stage>,
}

enum Stage {
    /// The first bytes are needed to know what the coding means here. With what a body is taken for that is neither gzip
    /// nor zlib.
    Unsure(Vec<u8>, fn() -> Stage),
    Zlib(ZlibDecoder<Vec<u8>>),
    Raw(DeflateDecoder<Vec<u8>>),
    Gzip(GzDecoder<Vec<u8>>),
    Brotli(Box<Brotli>),
    /// What comes behind the end is no part of the page.
    Over,
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

impl Codings {
    /// By the headers of an answer.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Stop> {
        let mut codings = Vec::new();
        // A transfer coding lies around the content's. Chunks were put together before.
        let values = headers.get_all(CONTENT_ENCODING).iter().chain(headers.get_all(TRANSFER_ENCODING));
        for value in values {
            for coding in value.to_str().unwrap_or_default().split(',') {
                let coding = coding.trim().to_ascii_lowercase();
                match coding.as_str() {
                    "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                    "deflate" => codings.push(Coding::Deflate),
                    "br" => codings.push(Coding::Brotli),
                    unknown if UNKNOWN.contains(&unknown) => return Err(Stop::Undecodable),
                    // `identity`, `chunked`; and words that are no coding, such as `utf-8`, which browsers pass over.
                    _ => {}
                }
            }
        }
        if codings.len() > MAX_CODINGS {
            return Err(Stop::Undecodable);
        }
        codings.reverse();
        Ok(Self { codings })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.codings.is_empty()
    }

    /// What undoes them.
    pub(super) fn decoding(&self) -> Decoding {
        let stage = |coding: &Coding| match coding {
            Coding::Gzip => Stage::Unsure(Vec::new(), gzip),
            Coding::Deflate => Stage::Unsure(Vec::new(), raw),
            Coding::Brotli => brotli(),
        };
        Decoding { stages: self.codings.iter().map(stage).collect() }
    }

    /// Most memory that undoing them takes, in bytes. `first`: the first byte of the body.
    pub(super) fn memory(&self, first: Option<u8>) -> usize {
        let memory = |(place, coding): (usize, &Coding)| match coding {
            Coding::Gzip | Coding::Deflate => INFLATING,
            Coding::Brotli => {
                BROTLI_TABLES + first.filter(|_| place == 0).map_or(LARGEST_WINDOW, brotli_window)
            }
        };
        self.codings.iter().enumerate().map(memory).sum()
    }
}

/// The window that the first byte of a brotli stream asks for (RFC 7932 §9.1), in bytes.
fn brotli_window(first: u8) -> usize {
    let bits = match (first & 1, (first >> 1) & 7, (first >> 4) & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, more) => 8 + more,
        (_, more, _) => 17 + more,
    };
    1 << bits
}

impl Decoding {
    /// Decodes more of the page.
    pub(super) fn push(&mut self, bytes: &[u8], reader: Reader<'_>) -> Result<(), Stop> {
        push(&mut self.stages, bytes, reader)
    }

    /// Decodes the rest, now that the body is over.
    pub(super) fn finish(&mut self, reader: Reader<'_>) -> Result<(), Stop> {
        for at in 0..self.stages.len() {
            let (stage, inner) = self.stages[at..].split_at_mut(1);
            let rest = stage[0].finish()?;
            push(inner, &rest, reader)?;
        }
        Ok(())
    }
}

fn push(stages: &mut [Stage], bytes: &[u8], reader: Reader<'_>) -> Result<(), Stop> {
    match stages.split_first_mut() {
        _ if bytes.is_empty() => Ok(()),
        Some((outermost, inner)) => outermost.push(bytes, &mut |piece| push(inner, piece, reader)),
        None if reader(bytes).is_break() => Err(Stop::Enough),
        None => Ok(()),
    }
}

fn gzip() -> Stage {
    Stage::Gzip(GzDecoder::new(Vec::new()))
}

fn raw() -> Stage {
    Stage::Raw(DeflateDecoder::new(Vec::new()))
}

fn brotli() -> Stage {
    let alloc = StandardAlloc::default;
    // Strict: no window beyond the RFC's. It could be 1 GiB.
    let state = BrotliState::new_strict(alloc(), alloc(), alloc());
    Stage::Brotli(Box::new(state))
}

/// Takes what comes out of a stage.
type Next<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Stop>;

impl Stage {
    fn push(&mut self, bytes: &[u8], next: Next<'_>) -> Result<(), Stop> {
        match self {
            Self::Unsure(first, otherwise) => {
                first.extend_from_slice(bytes);
                if first.len() < 2 {
                    return Ok(());
                }
                let (first, otherwise) = (std::mem::take(first), *otherwise);
                *self = if is_zlib(&first) {
                    Self::Zlib(ZlibDecoder::new(Vec::new()))
                } else if first.starts_with(&GZIP_MAGIC) {
                    gzip()
                } else {
                    otherwise()
                };
                self.push(&first, next)
            }
            Self::Zlib(decoder) => unfold(decoder, ZlibDecoder::get_mut, bytes, next).map(drop),
            Self::Raw(decoder) => unfold(decoder, DeflateDecoder::get_mut, bytes, next).map(drop),
            Self::Gzip(decoder) => {
                let rest = &bytes[unfold(decoder, GzDecoder::get_mut, bytes, next)?..];
                if rest.is_empty() {
                    return Ok(());
                }
                // Another member (RFC 1952 §2.2), or what is no part of the page.
                *self = if rest.starts_with(&GZIP_MAGIC[..rest.len().min(2)]) { gzip() } else { Self::Over };
                self.push(rest, next)
            }
            Self::Brotli(state) => {
                if unfold_brotli(state, bytes, next)? {
                    *self = Self::Over;
                }
                Ok(())
            }
            Self::Over => Ok(()),
        }
    }

    /// What was kept back; an error where the end is missing.
    fn finish(&mut self) -> Result<Vec<u8>, Stop> {
        let undecodable = |_: io::Error| Stop::Undecodable;
        match self {
            Self::Zlib(decoder) => {
                decoder.try_finish().map_err(undecodable)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Raw(decoder) => {
                decoder.try_finish().map_err(undecodable)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Gzip(decoder) => {
                decoder.try_finish().map_err(undecodable)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Brotli(_) => Err(Stop::Undecodable),
            // No coding is that short.
            Self::Unsure(first, _) if !first.is_empty() => Err(Stop::Undecodable),
            Self::Over | Self::Unsure(..) => Ok(Vec::new()),
        }
    }
}

/// Hands on what comes out of a decoder, and gives how many bytes it took: none behind the end of its format. One
/// call of `write` puts out some 32 KiB at most.
fn unfold<D: Write>(
    decoder: &mut D,
    out: impl Fn(&mut D) -> &mut Vec<u8>,
    bytes: &[u8],
    next: Next<'_>,
) -> Result<usize, Stop> {
    let mut used = 0;
    while used < bytes.len() {
        match decoder.write(&bytes[used..]) {
            Ok(0) => break,
            Ok(taken) => used += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Stop::Undecodable),
        }
        next(out(decoder))?;
        out(decoder).clear();
    }
    // What is ready is wanted now. A failure shows itself at the next piece.
    let _ = decoder.flush();
    next(out(decoder))?;
    out(decoder).clear();
    Ok(used)
}

/// Hands on what comes out, and says whether that was the end.
fn unfold_brotli(state: &mut Brotli, bytes: &[u8], next: Next<'_>) -> Result<bool, Stop> {
    let (mut left, mut at, mut total) = (bytes.len(), 0, 0);
    let mut piece = vec![0; PIECE];
    loop {
        let (mut room, mut length) = (PIECE, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            bytes,
            &mut room,
            &mut length,
            &mut piece,
            &mut total,
            state,
        );
        next(&piece[..length])?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput => return Ok(false),
            BrotliResult::ResultSuccess => return Ok(true),
            BrotliResult::ResultFailure => return Err(Stop::Undecodable),
        }
    }
}

/// RFC 1950 §2.2: the method is 8, and the first two bytes are a multiple of 31.
fn is_zlib(first: &[u8]) -> bool {
    first[0] & 0x0f == 8 && (u16::from(first[0]) << 8 | u16::from(first[1])) % 31 == 0
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use reqwest::header::HeaderValue;

    use super::*;

    const PAGE: &[u8] = b"<a href=https://my.blog>a friend</a>";

    fn gzipped(page: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(page).unwrap();
        encoder.finish().unwrap()
    }

    fn deflated(page: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(page).unwrap();
        encoder.finish().unwrap()
    }

    fn zlibbed(page: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(page).unwrap();
        encoder.finish().unwrap()
    }

    /// One block that is not compressed (RFC 7932 §9.2), and the end.
    fn brotli(page: &[u8]) -> Vec<u8> {
        // A window of 16 bits; a block that is not the last, with its length in 16 bits; not compressed.
        let head = (u32::try_from(page.len()).unwrap() - 1) << 4 | 1 << 20;
        [&head.to_le_bytes()[..3], page, &[3]].concat()
    }

    fn headers(codings: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for coding in codings {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        headers
    }

    fn decoding(codings: &[&'static str]) -> Result<Decoding, Stop> {
        Ok(Codings::of(&headers(codings))?.decoding())
    }

    /// Decodes a body that comes in pieces of this length.
    fn decoded(codings: &[&'static str], body: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut decoding = decoding(codings).ok()?;
        let mut page = Vec::new();
        let mut reader = |piece: &[u8]| {
            page.extend_from_slice(piece);
            ControlFlow::Continue(())
        };
        for piece in body.chunks(length) {
            decoding.push(piece, &mut reader).ok()?;
        }
        decoding.finish(&mut reader).ok()?;
        Some(page)
    }

    #[test]
    fn codings_are_undone_however_they_are_spelled_and_cut() {
        let brotli_of = brotli;
        let brotli = brotli(PAGE);
        let twice = gzipped(&zlibbed(PAGE));
        let members = [gzipped(&PAGE[..10]), gzipped(&PAGE[10..])].concat();
        let cases: [(&[&str], Vec<u8>); 19] = [
            (&["gzip"], gzipped(PAGE)),
            (&["GZip"], gzipped(PAGE)),
            (&[" x-gzip "], gzipped(PAGE)),
            (&["gzip"], members),
            (&["gzip"], [gzipped(PAGE), b"\0\0\0".to_vec()].concat()),
            (&["deflate"], zlibbed(PAGE)),
            (&["Deflate"], deflated(PAGE)),
            (&["gzip"], zlibbed(PAGE)),
            (&["deflate"], gzipped(PAGE)),
            (&["br"], brotli.clone()),
            (&["BR"], brotli.clone()),
            (&["br, gzip"], gzipped(&brotli)),
            (&["gzip", "br"], brotli_of(&gzipped(PAGE))),
            (&["br, br"], brotli_of(&brotli)),
            (&["deflate, gzip"], twice.clone()),
            (&["deflate", "gzip"], twice),
            (&["identity"], PAGE.to_vec()),
            (&["utf-8"], PAGE.to_vec()),
            (&[], PAGE.to_vec()),
        ];
        for (codings, body) in cases {
            for length in [1, 2, 7, 10_000] {
                let page = decoded(codings, &body, length);
                assert_eq!(page.as_deref(), Some(PAGE), "{codings:?} in pieces of {length}");
            }
        }
    }

    #[test]
    fn a_transfer_coding_is_undone_before_the_coding_of_the_page() {
        for (content, transfer, body) in [
            ("identity", "gzip, chunked", gzipped(PAGE)),
            ("identity", "Deflate", zlibbed(PAGE)),
            ("br", "x-gzip, chunked", gzipped(&brotli(PAGE))),
            ("gzip", "chunked", gzipped(PAGE)),
        ] {
            let mut headers = headers(&[content]);
            headers.append(TRANSFER_ENCODING, HeaderValue::from_static(transfer));
            let mut page = Vec::new();
            let mut reader = |piece: &[u8]| {
                page.extend_from_slice(piece);
                ControlFlow::Continue(())
            };
            let mut decoding = Codings::of(&headers).unwrap().decoding();
            decoding.push(&body, &mut reader).unwrap();
            decoding.finish(&mut reader).unwrap();
            assert_eq!(page, PAGE, "{content}, {transfer}");
        }
    }

    #[test]
    fn the_window_of_brotli_is_known_from_its_first_byte() {
        let bits = |first| brotli_window(first).ilog2();
        assert_eq!([0b0, 0b1, 0b0011, 0b1111, 0b0010_0001, 0b0111_0001].map(bits), [16, 17, 18, 24, 10, 15]);
        let brotli = Codings::of(&headers(&["br"])).unwrap();
        assert!(brotli.memory(Some(0b0)) < brotli.memory(Some(0b1111)));
        assert_eq!(brotli.memory(None), brotli.memory(Some(0b1111)));
        assert!(Codings::of(&headers(&["br, br"])).unwrap().memory(Some(0)) > LARGEST_WINDOW);
    }

    #[test]
    fn a_window_beyond_the_rfc_is_refused() {
        // RFC 7932 §9.1: this code is invalid. Some decoders take it for a window of up to 1 GiB.
        let large = [0b0001_0001, 30, 0, 0, 0, 0];
        assert!(decoding(&["br"]).unwrap().push(&large, &mut |_| ControlFlow::Continue(())).is_err());
    }

    #[test]
    fn what_is_not_what_it_says_is_undecodable() {
        let broken = |coding: &'static str, body: &[u8]| decoded(&[coding], body, 10_000).is_none();
        assert!(broken("gzip", PAGE) && broken("br", PAGE) && broken("zstd", PAGE));
        let half = gzipped(PAGE);
        assert!(broken("gzip", &half[..half.len() / 2]));
        assert!(decoding(&["gzip,gzip,gzip,gzip,gzip"]).is_err());
    }

    #[test]
    fn a_bomb_unfolds_in_small_pieces_and_no_further_than_asked() {
        let bomb = gzipped(&vec![b'x'; 50_000_000]);
        for (coding, body) in [("gzip", bomb.clone()), ("gzip, gzip", gzipped(&bomb))] {
            let (mut read, mut longest) = (0, 0);
            let stop = decoding(&[coding]).unwrap().push(&body, &mut |piece| {
                (read, longest) = (read + piece.len(), longest.max(piece.len()));
                if read < 100_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert_eq!(stop, Err(Stop::Enough), "{coding}");
            assert!(read < 300_000 && longest <= 65_536, "{read} in pieces of up to {longest}");
        }
    }
}
