//! Finds out in which charset a page is written. The header or the page declares it. If neither does, it is guessed.
//!
//! Labels are those of the Encoding Standard (<https://encoding.spec.whatwg.org/#names-and-labels>).

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use memchr::memchr;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::{label, prescan};

/// The charset that `Content-Type` names (RFC 9110 §8.3.2).
pub(super) fn of_header(headers: &HeaderMap) -> Option<&'static Encoding> {
    label::in_parameter(headers.get(CONTENT_TYPE)?.as_bytes())
}

/// The charset that a page's first bytes declare. They do so by a byte order mark, a `<meta>` or an XML declaration.
pub(super) fn declared(page: &[u8]) -> Option<&'static Encoding> {
    if let Some((marked, _)) = Encoding::for_bom(page) {
        return Some(marked);
    }
    // It was read as ASCII, so the page cannot be in UTF-16, whatever it declares (HTML Standard §13.2.3.2).
    prescan::meta(page).or_else(|| label::in_xml_declaration(page)).map(|named| match named {
        named if named == UTF_16BE || named == UTF_16LE => UTF_8,
        named if named == X_USER_DEFINED => WINDOWS_1252,
        named => named,
    })
}

/// UTF-16 without a byte order mark. Markup is ASCII, and in UTF-16 every ASCII character has a zero byte.
pub(super) fn utf16_without_mark(page: &[u8]) -> Option<&'static Encoding> {
    memchr(0, page)?;
    let zeros = |first: usize| page.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let enough = (page.len() / 16).max(2);
    if odd >= enough && odd > 4 * even {
        Some(UTF_16LE)
    } else if even >= enough && even > 4 * odd {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// The most likely charset of a text. `domain` is the host's top-level domain. `whole` says that the page ends here.
/// Then a character that is cut off at the end counts as wrong.
pub(super) fn guess(text: &[u8], whole: bool, domain: Option<&str>) -> &'static Encoding {
    // The detector would find the same, but take a hundred times as long.
    if str::from_utf8(text).map_or_else(|error| !whole && error.error_len().is_none(), |_| true) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(text, whole);
    detector.guess(domain.map(str::as_bytes), Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_may_declare_its_charset_in_many_ways() {
        let charset = |page: &str| declared(page.as_bytes()).map(Encoding::name);
        for page in [
            "<meta charset=gb2312>",
            "<META http-equiv='Content-Type' content='text/html; CharSet = gbk'>",
            "<meta content=\"text/html;charset=gbk\" http-equiv=content-type>",
            "<head>\n<meta name=x content=y><meta charset='GBK'/>",
            "<!-- <meta charset=utf-8> --><meta charset=gbk>",
            "<!--><meta charset=gbk>",
            "<p title='<meta charset=utf-8>'><meta/charset=gbk>",
            "<!doctype html><meta charset=klingon><meta charset=gbk>",
            "<?xml version=\"1.0\" encoding=\"gbk\"?><html>",
        ] {
            assert_eq!(charset(page), Some("GBK"), "{page}");
        }
        for page in [
            "",
            "plain",
            "<!-- <meta charset=gbk>",
            "<p title='<meta charset=gbk>'>",
            "<meta content='text/html; charset=gbk'>",
            "<metadata charset=gbk>",
            "<meta charset=gb",
            "<meta charset=klingon>",
            "< meta charset=gbk>",
        ] {
            assert_eq!(charset(page), None, "{page}");
        }
        assert_eq!(charset("<meta charset=utf-16>"), Some("UTF-8"));
        assert_eq!(charset("<meta charset=x-user-defined>"), Some("windows-1252"));
        assert_eq!(charset("\u{feff}<meta charset=gbk>"), Some("UTF-8"));
    }

    #[test]
    fn utf16_is_told_by_its_zeros() {
        let text = "<html><title>我的链接一</title>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(utf16_without_mark(&little), Some(UTF_16LE));
        assert_eq!(utf16_without_mark(&big), Some(UTF_16BE));
        assert_eq!(utf16_without_mark(text.as_bytes()), None);
        assert_eq!(utf16_without_mark(&[0; 1_000]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// No page makes the search fail. If a page declares a charset, a longer page with the same beginning declares it
        /// too.
        #[test]
        fn any_bytes_have_a_charset(
            pieces in prop::collection::vec(piece(), 0..12),
            more in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let page = pieces.concat();
            utf16_without_mark(&page);
            guess(&page, true, Some("cn"));
            guess(&page, false, None);
            let longer = [&page[..], &more].concat();
            if let Some(found) = prescan::meta(&page) {
                prop_assert_eq!(prescan::meta(&longer), Some(found));
            }
            declared(&longer);
        }
    }

    /// Pieces of declarations, and pieces that spoil them.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            "<meta",
            "<",
            ">",
            "/",
            " ",
            "\n",
            "charset",
            "http-equiv",
            "content-type",
            "content",
            "=",
            "'",
            "\"",
            "gbk",
            "utf-16",
            "text/html; charset=",
            "<!--",
            "-->",
            "<!",
            "<?xml",
            "encoding",
            "</p",
            "<a",
            "\0",
            "\u{feff}",
            "我",
        ];
        prop_oneof![
            8 => prop::sample::select(words.map(|word| word.as_bytes().to_vec()).to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
        ]
    }
}
