//! The page: read as far as needed, decoded, and searched for the backlink.
//!
//! The text is searched each time it has doubled and at its end, so that the cost stays linear in its
//! length. What was found in a part counts, whatever becomes of the rest.

use std::sync::LazyLock;

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use linkbeat_shared::{Phase, Reason};
use regex::Regex;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::{Instant, timeout_at};

/// What the page says about the backlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// Nobody asked, or the status had decided before.
    NotRead,
    /// The backlink is there.
    Backlink,
    /// It is not, in the part of the page that was read.
    NoBacklink {
        /// The page is longer than that part.
        truncated: bool,
    },
    /// The page ended early, before the backlink was found.
    Broken(Reason),
}

/// Text length in bytes at which it is searched for the first time.
const FIRST_SEARCH: usize = 16 << 10;

/// Reads at most `max_body` bytes, after decompression, until `deadline`.
pub(super) async fn search(
    mut response: Response,
    pattern: &Regex,
    max_body: usize,
    deadline: Instant,
) -> Page {
    let mut text = Text::new(response.headers());
    let mut unread = max_body;
    let mut search_at = FIRST_SEARCH;
    let otherwise = loop {
        let chunk = match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break Page::NoBacklink { truncated: false },
            Ok(Err(_)) => break Page::Broken(Reason::Body),
            Err(_) => break Page::Broken(Reason::Timeout { phase: Phase::Body }),
        };
        text.push(&chunk[..chunk.len().min(unread)]);
        if chunk.len() > unread {
            break Page::NoBacklink { truncated: true };
        }
        unread -= chunk.len();
        if text.decoded.len() >= search_at {
            if pattern.is_match(&text.decoded) {
                return Page::Backlink;
            }
            search_at = text.decoded.len() * 2;
        }
    };
    if pattern.is_match(text.finish()) { Page::Backlink } else { otherwise }
}

/// A page's text as it grows.
struct Text {
    /// `None` until enough bytes have come to know the charset.
    decoder: Option<Decoder>,
    /// Bytes that wait for the decoder.
    waiting: Vec<u8>,
    decoded: String,
}

impl Text {
    fn new(headers: &HeaderMap) -> Self {
        // A byte order mark goes before the header: the decoder sees to that.
        let decoder = charset_of_header(headers).map(Encoding::new_decoder);
        Self { decoder, waiting: Vec::new(), decoded: String::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        match &mut self.decoder {
            Some(decoder) => decode(decoder, bytes, &mut self.decoded, false),
            None => {
                self.waiting.extend_from_slice(bytes);
                if self.waiting.len() >= META_WINDOW {
                    self.decide();
                }
            }
        }
    }

    fn decide(&mut self) -> &mut Decoder {
        let waiting = std::mem::take(&mut self.waiting);
        let decoder =
            self.decoder.get_or_insert_with(|| charset_of_meta(&waiting).unwrap_or(UTF_8).new_decoder());
        decode(decoder, &waiting, &mut self.decoded, false);
        decoder
    }

    fn finish(&mut self) -> &str {
        self.decide();
        if let Some(decoder) = &mut self.decoder {
            decode(decoder, b"", &mut self.decoded, true);
        }
        &self.decoded
    }
}

fn decode(decoder: &mut Decoder, bytes: &[u8], into: &mut String, last: bool) {
    // No length only if it does not fit into memory, and a chunk does.
    into.reserve(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len()));
    let _ = decoder.decode_to_string(bytes, into, last);
}

fn charset_of_header(headers: &HeaderMap) -> Option<&'static Encoding> {
    let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
    label(&CHARSET_PARAMETER, content_type)
}

/// Where the HTML Standard looks for `<meta charset>` (§13.2.3.2).
const META_WINDOW: usize = 1_024;

fn charset_of_meta(page: &[u8]) -> Option<&'static Encoding> {
    let found = label(&CHARSET_META, &page[..page.len().min(META_WINDOW)])?;
    // The declaration was read as ASCII, so UTF-16 it is not; the standard takes UTF-8.
    Some(if found == UTF_16BE || found == UTF_16LE { UTF_8 } else { found })
}

fn label(pattern: &regex::bytes::Regex, text: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(pattern.captures(text)?.get(1)?.as_bytes())
}

#[expect(clippy::expect_used, reason = "a constant that a test compiles")]
fn constant(pattern: &str) -> regex::bytes::Regex {
    regex::bytes::Regex::new(pattern).expect("a regular expression")
}

static CHARSET_PARAMETER: LazyLock<regex::bytes::Regex> =
    LazyLock::new(|| constant(r#"(?i-u)charset\s*=\s*["']?([a-z0-9_:.+-]+)"#));
static CHARSET_META: LazyLock<regex::bytes::Regex> =
    LazyLock::new(|| constant(r#"(?i-u)<meta[^>]*\bcharset\s*=\s*["']?\s*([a-z0-9_:.+-]+)"#));

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    /// Decodes a page that comes in pieces of every length.
    fn decoded(content_type: &'static str, page: &[u8]) -> String {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let whole = in_pieces(&headers, page, page.len().max(1));
        for length in [1, 2, 3, 7, 1_000] {
            assert_eq!(in_pieces(&headers, page, length), whole, "pieces of {length}");
        }
        whole
    }

    fn in_pieces(headers: &HeaderMap, page: &[u8], length: usize) -> String {
        let mut text = Text::new(headers);
        page.chunks(length).for_each(|piece| text.push(piece));
        text.finish().to_owned()
    }

    #[test]
    fn the_charset_is_taken_from_mark_then_header_then_meta() {
        let gbk = encoding_rs::GBK.encode("我的链接").0.into_owned();
        let utf16: Vec<u8> =
            [0xfeff].into_iter().chain("我的链接".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let meta = |tag: &str| [tag.as_bytes(), &gbk].concat();
        assert_eq!(decoded("text/html; charset=\"GBK\"", &gbk), "我的链接");
        assert_eq!(decoded("text/html; charset=iso-8859-1", &utf16), "我的链接");
        for tag in [
            "<meta charset=gb2312>",
            "<META http-equiv='Content-Type' content='text/html; CharSet = gbk'>",
            "<head>\n<meta name=x content=y><meta charset='GBK'>",
        ] {
            assert!(decoded("text/html", &meta(tag)).ends_with("我的链接"), "{tag}");
        }
        assert!(decoded("text/html; charset=utf-8", &meta("<meta charset=gbk>")).contains('\u{fffd}'));
        assert_eq!(decoded("text/html", "日本".as_bytes()), "日本");
        assert_eq!(decoded("text/html; charset=klingon", "日本".as_bytes()), "日本");
        assert!(decoded("text/html", "<meta charset=utf-16>日本".as_bytes()).ends_with("日本"));
    }

    #[test]
    fn a_meta_beyond_the_window_does_not_count() {
        let gbk = encoding_rs::GBK.encode("我").0.into_owned();
        let page = [" ".repeat(META_WINDOW).as_bytes(), b"<meta charset=gbk>", &gbk].concat();
        assert!(decoded("text/html", &page).contains('\u{fffd}'));
    }
}
