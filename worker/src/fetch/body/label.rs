//! Names of charsets in texts that stand around a page.
//!
//! Labels are those of the Encoding Standard (<https://encoding.spec.whatwg.org/#names-and-labels>).

use std::sync::LazyLock;

use encoding_rs::Encoding;
use regex::bytes::Regex;

/// The charset in a text such as `text/html; charset=gbk`.
pub(super) fn in_parameter(text: &[u8]) -> Option<&'static Encoding> {
    label(&CHARSET_PARAMETER, text)
}

/// The charset in an XML declaration with which the text begins.
pub(super) fn in_xml_declaration(text: &[u8]) -> Option<&'static Encoding> {
    label(&XML_DECLARATION, text)
}

fn label(pattern: &Regex, text: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(pattern.captures(text)?.get(1)?.as_bytes())
}

#[expect(clippy::expect_used, reason = "a constant that a test compiles")]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

static CHARSET_PARAMETER: LazyLock<Regex> =
    LazyLock::new(|| constant(r#"(?i-u)charset\s*=\s*["']?([a-z0-9_:.+-]+)"#));
static XML_DECLARATION: LazyLock<Regex> =
    LazyLock::new(|| constant(r#"(?-u)^<\?xml[^>]*?encoding\s*=\s*["']([^"'\s]+)["']"#));
