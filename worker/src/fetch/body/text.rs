//! A page's bytes become text, as they come.

use encoding_rs::{CoderResult, Decoder, Encoding};
use reqwest::header::HeaderMap;
use url::{Host, Url};

use super::charset;

/// Where the HTML Standard looks for a declaration (§13.2.3.2), in bytes.
const DECLARATION_WINDOW: usize = 1_024;
/// Bytes from the first that is not ASCII by which the charset is guessed.
const GUESS_WINDOW: usize = 2_048;
/// Bytes of text handed on at a time.
const PIECE: usize = 8_192;

/// Decodes one page. What it keeps meanwhile is bounded by the windows.
pub(super) struct PageText {
    charset: Charset,
    /// Bytes that wait until the charset is known.
    waiting: Vec<u8>,
    /// The host's top-level domain, a hint for the guess.
    domain: Option<String>,
}

enum Charset {
    /// Neither the header nor, so far, the page says anything.
    Undeclared,
    /// The page does not say. It is read as ASCII until it is not, and then guessed.
    Unknown,
    Known(Box<Decoder>),
}

impl PageText {
    pub(super) fn new(headers: &HeaderMap, url: &Url) -> Self {
        let header = charset::of_header(headers);
        let domain = match url.host() {
            Some(Host::Domain(host)) => host.rsplit('.').next(),
            _ => None,
        };
        Self::declared_as(header, domain)
    }

    fn declared_as(charset: Option<&'static Encoding>, domain: Option<&str>) -> Self {
        // A byte order mark goes before the header: the decoder sees to that.
        let charset = charset.map_or(Charset::Undeclared, |charset| known(charset.new_decoder()));
        Self { charset, waiting: Vec::new(), domain: domain.map(str::to_owned) }
    }

    /// Takes more bytes, and hands on the text that is certain by now.
    pub(super) fn push(&mut self, bytes: &[u8], into: impl FnMut(&str)) {
        self.take(bytes, false, into);
    }

    /// Hands on the rest, now that the page is over.
    pub(super) fn finish(&mut self, into: impl FnMut(&str)) {
        self.take(b"", true, into);
    }

    fn take(&mut self, bytes: &[u8], last: bool, mut into: impl FnMut(&str)) {
        if self.waiting.is_empty() {
            let read = self.read(bytes, last, &mut into);
            self.waiting.extend_from_slice(&bytes[read..]);
        } else {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.extend_from_slice(bytes);
            let read = self.read(&waiting, last, &mut into);
            waiting.drain(..read);
            self.waiting = waiting;
        }
    }

    /// Hands on what is certain. Returns how many bytes that was; the others must wait.
    fn read(&mut self, bytes: &[u8], last: bool, into: &mut impl FnMut(&str)) -> usize {
        if matches!(self.charset, Charset::Undeclared) && (last || bytes.len() >= DECLARATION_WINDOW) {
            self.charset = look_for_declaration(bytes);
        }
        let mut read = 0;
        if matches!(self.charset, Charset::Unknown) {
            read = pass_ascii(bytes, into);
            let rest = &bytes[read..];
            if rest.len() >= GUESS_WINDOW || (last && !rest.is_empty()) {
                let window = &rest[..rest.len().min(GUESS_WINDOW)];
                let guess = charset::guess(window, last, self.domain.as_deref());
                self.charset = known(guess.new_decoder_without_bom_handling());
            }
        }
        if let Charset::Known(decoder) = &mut self.charset {
            decode(decoder, &bytes[read..], last, into);
            read = bytes.len();
        }
        read
    }
}

/// ASCII is the same in all charsets that are guessed. Returns how many bytes were ASCII.
fn pass_ascii(bytes: &[u8], into: &mut impl FnMut(&str)) -> usize {
    let ascii = if bytes.is_ascii() { bytes.len() } else { Encoding::ascii_valid_up_to(bytes) };
    if let Ok(text) = str::from_utf8(&bytes[..ascii]) {
        into(text);
    }
    ascii
}

fn known(decoder: Decoder) -> Charset {
    Charset::Known(Box::new(decoder))
}

fn look_for_declaration(page: &[u8]) -> Charset {
    let start = &page[..page.len().min(DECLARATION_WINDOW)];
    charset::declared(start)
        .or_else(|| charset::utf16_without_mark(start))
        .map_or(Charset::Unknown, |charset| known(charset.new_decoder()))
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, into: &mut impl FnMut(&str)) {
    let mut piece = String::with_capacity(PIECE);
    loop {
        let (result, read, _) = decoder.decode_to_string(bytes, &mut piece, last);
        bytes = &bytes[read..];
        into(&piece);
        if result == CoderResult::InputEmpty {
            return;
        }
        piece.clear();
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_JP, EUC_KR, GBK, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16LE, WINDOWS_1252};
    use proptest::prelude::*;

    use super::*;

    /// Decodes a page that comes in pieces of every length.
    fn decoded(header: Option<&'static Encoding>, page: &[u8]) -> String {
        let whole = in_pieces(header, page, page.len().max(1));
        for length in [1, 2, 3, 7, 1_000] {
            assert_eq!(in_pieces(header, page, length), whole, "pieces of {length}");
        }
        whole
    }

    fn in_pieces(header: Option<&'static Encoding>, page: &[u8], length: usize) -> String {
        let mut text = PageText::declared_as(header, Some("example"));
        let mut decoded = String::new();
        page.chunks(length).for_each(|piece| text.push(piece, |piece| decoded.push_str(piece)));
        text.finish(|piece| decoded.push_str(piece));
        decoded
    }

    fn in_charset(charset: &'static Encoding, text: &str) -> Vec<u8> {
        let (bytes, _, unmappable) = charset.encode(text);
        assert!(!unmappable, "{text} in {}", charset.name());
        bytes.into_owned()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_mark_goes_before_the_header_and_the_header_before_the_page() {
        let gbk = in_charset(GBK, "我的链接");
        let declared = [b"<meta charset=gbk>", &gbk[..]].concat();
        assert_eq!(decoded(Some(GBK), &gbk), "我的链接");
        assert_eq!(decoded(None, &declared), "<meta charset=gbk>我的链接");
        assert!(decoded(Some(UTF_8), &declared).contains('\u{fffd}'));
        let marked = "\u{feff}我的链接";
        assert_eq!(decoded(Some(WINDOWS_1252), &utf16(marked, u16::to_le_bytes)), "我的链接");
        assert_eq!(decoded(None, &utf16(marked, u16::to_be_bytes)), "我的链接");
        assert_eq!(decoded(Some(GBK), marked.as_bytes()), "我的链接");
    }

    #[test]
    fn a_charset_that_nobody_declares_is_guessed() {
        let head = format!("<html><title>{}</title>", "x".repeat(DECLARATION_WINDOW));
        for (charset, text) in [
            (UTF_8, "我的链接"),
            (GBK, "欢迎来到我的博客，这里是友情链接页面，请与我交换链接"),
            (BIG5, "歡迎來到我的部落格，這裡是友情連結頁面，請與我交換連結"),
            (SHIFT_JIS, "ようこそ、こちらは相互リンクのページです"),
            (EUC_JP, "ようこそ、こちらは相互リンクのページです"),
            (EUC_KR, "제 블로그에 오신 것을 환영합니다 친구 링크 페이지입니다"),
            (WINDOWS_1252, "Déjà vu à l’été – où sont passés mes « liens » préférés ?"),
        ] {
            let bytes = in_charset(charset, text);
            assert_eq!(decoded(None, &bytes), text, "{}", charset.name());
            let behind_ascii = [head.as_bytes(), &bytes].concat();
            assert_eq!(decoded(None, &behind_ascii), format!("{head}{text}"), "{}", charset.name());
            let long = text.repeat(GUESS_WINDOW / 8);
            assert_eq!(decoded(None, &in_charset(charset, &long)), long, "{}", charset.name());
        }
        let page = format!("{head}<p>我的链接");
        assert_eq!(decoded(None, &utf16(&page, u16::to_le_bytes)), page);
        assert_eq!(decoded(None, &utf16(&page, u16::to_be_bytes)), page);
    }

    #[test]
    fn a_declaration_beyond_the_window_does_not_count() {
        let page = format!("{}<meta charset=utf-16le>é", " ".repeat(DECLARATION_WINDOW));
        assert_eq!(decoded(None, page.as_bytes()), page);
    }

    #[test]
    fn text_is_handed_on_as_it_comes_and_little_is_kept() {
        let mut text = PageText::declared_as(None, None);
        let mut length = 0;
        for piece in [&[b'x'; 10_000][..], "é".repeat(5_000).as_bytes(), &[b'x'; 10_000]] {
            text.push(piece, |piece| length += piece.len());
            assert!(text.waiting.len() <= GUESS_WINDOW);
        }
        assert_eq!(length, 30_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// However bytes are cut, and whatever they are, the text is the same.
        #[test]
        fn pieces_are_decoded_like_the_whole(
            header in prop::sample::select(vec![None, Some(UTF_8), Some(GBK), Some(UTF_16LE), Some(ISO_2022_JP)]),
            pieces in prop::collection::vec(piece(), 0..8),
        ) {
            let page = pieces.concat();
            let mut text = PageText::declared_as(header, Some("example"));
            let mut decoded = String::new();
            pieces.iter().for_each(|bytes| text.push(bytes, |piece| decoded.push_str(piece)));
            text.finish(|piece| decoded.push_str(piece));
            prop_assert_eq!(decoded, in_pieces(header, &page, page.len().max(1)));
        }
    }

    /// Pieces that make pages shorter and longer than the windows.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::sample::select(vec!["<meta charset=big5>", "<p>", "我的链接", "é", "\u{feff}"]);
        prop_oneof![
            (text, 1..400_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
            (any::<[u8; 2]>(), 1..2_000_usize).prop_map(|(bytes, times)| bytes.repeat(times)),
            prop::collection::vec(any::<u8>(), 0..50),
        ]
    }
}
