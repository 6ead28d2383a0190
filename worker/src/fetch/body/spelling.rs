//! The many spellings of one link: character references, escapes of scripts and JSON, percent-encoding, base64.

use std::borrow::Cow;

use url::Url;
use url::quirks::domain_to_unicode;

/// How often a text is decoded again: what is encoded more than three times is nobody's honest link.
const MAX_ROUNDS: usize = 3;
/// Shortest base64 that may be a link: `a.io` is six characters.
const MIN_BASE64: usize = 6;
/// Longest base64 that is looked at.
const MAX_BASE64: usize = 1_000;
/// Most destinations that one link may have.
const MAX_DESTINATIONS: usize = 6;

/// The text without character references and without the escapes of JavaScript and JSON strings. Both may be
/// nested, as in JSON within an attribute.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..MAX_ROUNDS {
        let next = script_unescaped(&htmlize::unescape(&*decoded)).into_owned();
        if next == *decoded {
            break;
        }
        decoded = Cow::Owned(next);
    }
    decoded
}

/// Without escapes such as `\/` and `\u002f` (RFC 8259 §7; ECMAScript adds `\x2f` and `\u{2f}`).
fn script_unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (character, length) = escape(rest).unwrap_or(('\\', 0));
        decoded.push(character);
        rest = &rest[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// What stands behind a backslash: the character, and how many bytes spell it.
fn escape(rest: &str) -> Option<(char, usize)> {
    let bytes = rest.as_bytes();
    match bytes.first()? {
        plain @ (b'/' | b'"' | b'\'' | b'\\') => Some((char::from(*plain), 1)),
        b'x' => Some((char::from_u32(hex(rest.get(1..3)?)?)?, 3)),
        b'u' if bytes.get(1) == Some(&b'{') => {
            let end = rest.find('}').filter(|end| *end <= 8)?;
            Some((char::from_u32(hex(rest.get(2..end)?)?)?, end + 1))
        }
        b'u' => {
            let first = hex(rest.get(1..5)?)?;
            if let Some(character) = char::from_u32(first) {
                return Some((character, 5));
            }
            let second = hex(rest.get(5..11)?.strip_prefix("\\u")?)?;
            let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
            Some((char::decode_utf16(pair).next()?.ok()?, 11))
        }
        _ => None,
    }
}

fn hex(digits: &str) -> Option<u32> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| all)
}

/// Where a jump page leads that carries its destination in its own URL, percent-encoded or in base64: in a
/// parameter of any name, in the path, or behind a `#`. Empty where the URL carries nothing of the kind.
pub(super) fn destinations(link: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut plain = Cow::Borrowed(link);
    for _ in 0..=MAX_ROUNDS {
        found.extend(embedded(&plain).map(str::to_owned));
        found.extend(in_base64(&plain));
        let Some(decoded) = percent_decoded(&plain) else { break };
        found.push(decoded.clone());
        plain = Cow::Owned(decoded);
    }
    found.dedup();
    found.truncate(MAX_DESTINATIONS);
    found
}

/// A URL as browsers resolve it, without a user and without a dot behind the host. Then the same as browsers show it, where
/// punycode stands for other letters.
pub(super) fn plain(mut url: Url) -> [Option<String>; 2] {
    if !url.username().is_empty() || url.password().is_some() {
        // These can only fail for URLs without a host.
        let _ = (url.set_username(""), url.set_password(None));
    }
    if let Some(without_dot) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
        let _ = url.set_host(Some(&without_dot));
    }
    let host = url.host_str().filter(|host| host.contains("xn--"));
    let shown = host.map(|host| url.as_str().replacen(host, &domain_to_unicode(host), 1));
    [Some(url.into()), shown]
}

/// A whole URL inside another. The value of a parameter may lack its scheme.
fn embedded(link: &str) -> Option<&str> {
    if let Some(at) = link.rfind("=//") {
        return Some(&link[at + 1..]);
    }
    let before = &link[..link.rfind("://")?];
    let starts = ["https", "http"].map(|scheme| {
        let at = before.len().checked_sub(scheme.len())?;
        before.get(at..)?.eq_ignore_ascii_case(scheme).then_some(at)
    });
    let at = starts.into_iter().flatten().next().filter(|at| *at > 0)?;
    let url = &link[at..];
    // Behind it other parameters of the jump page may follow.
    Some(if url.contains('?') { url } else { &url[..url.find('&').unwrap_or(url.len())] })
}

fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let encoded = (byte == b'%').then(|| text.get(at + 1..at + 3).and_then(hex)).flatten();
        match encoded.and_then(|value| u8::try_from(value).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    (decoded.len() < bytes.len()).then(|| String::from_utf8_lossy(&decoded).into_owned())
}

/// What the link carries in base64 (RFC 4648 §4 and §5): the value of a parameter; or the link itself, or a part of its
/// path or fragment, that begins like a URL.
fn in_base64(link: &str) -> Vec<String> {
    let mut found = Vec::new();
    let marks = link.match_indices(['=', '/', '?', '#', ';']).map(|(at, mark)| (at + 1, mark == "="));
    for (at, is_value) in [(0, false)].into_iter().chain(marks) {
        let value = &link[at..];
        if is_value || begins_like_a_url(value) {
            let length = value.bytes().take(MAX_BASE64).take_while(is_base64).count();
            let value = &value[..length];
            // A slash may be a letter of base64, or end a part of the path.
            let part = value.split('/').next().filter(|part| part.len() < value.len());
            let decoded = [Some(value), part].into_iter().flatten().filter_map(base64_decoded);
            found.extend(decoded.map(|text| twice_decoded(&text)).find(|text| looks_like_a_link(text)));
        }
        if found.len() == MAX_DESTINATIONS {
            break;
        }
    }
    let again: Vec<_> = found.iter().filter_map(|text| percent_decoded(text)).collect();
    found.extend(again);
    found
}

/// In base64: `http`, `HTTP`, `Http` and `//`.
fn begins_like_a_url(text: &str) -> bool {
    ["aHR0c", "SFRUU", "SHR0c", "Ly9"].iter().any(|start| text.starts_with(start))
}

/// What was decoded, once more where that is base64 of a URL.
fn twice_decoded(text: &str) -> String {
    let text = text.trim();
    let inner = Some(text).filter(|text| begins_like_a_url(text)).map(|text| text.trim_end_matches('='));
    inner.and_then(base64_decoded).unwrap_or_else(|| text.to_owned())
}

/// A `+` in a query is read as a space.
fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b' ')
}

fn base64_decoded(text: &str) -> Option<String> {
    if text.len() < MIN_BASE64 {
        return None;
    }
    let mut decoded = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' | b' ' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held & 0xff) as u8);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Whether decoding made sense: text without control characters, and a dot as every host has.
fn looks_like_a_link(text: &str) -> bool {
    (text.contains('.') || text.contains('%')) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_undone_also_within_each_other() {
        for (text, expected) in [
            (r"https:\/\/my.blog", "https://my.blog"),
            (r"https:\u002F\u002fmy\x2eblog", "https://my.blog"),
            (r"https:\u{2f}/my.blog", "https://my.blog"),
            (r#"{\"url\":\"https:\\/\\/my.blog\"}"#, r#"{"url":"https://my.blog"}"#),
            ("https&#58;&#x2F;&sol;my&period;blog", "https://my.blog"),
            ("{&quot;url&quot;:&quot;https:\\/\\/my.blog&quot;}", r#"{"url":"https://my.blog"}"#),
            ("&#25105;\\u7684\\ud83d\\ude00", "我的😀"),
            (r"\d \u12 \ud83d \", r"\d \u12 \ud83d \"),
            ("plain", "plain"),
        ] {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }

    #[test]
    fn jump_pages_carry_their_destination() {
        for link in [
            "/go?url=https%3A%2F%2Fmy.blog%2F",
            "/go?url=https%253A%252F%252Fmy.blog%252F",
            "/go?from=x&target=https://my.blog/&x=1",
            "/go?u=aHR0cHM6Ly9teS5ibG9nLw==",
            "/go?u=aHR0cHM6Ly9teS5ibG9nLw%3D%3D",
            "/go?u=aHR0cHM6Ly9teS5ibG9nLw&x=1",
            "/go/aHR0cHM6Ly9teS5ibG9nLw",
            "/go.html#aHR0cHM6Ly9teS5ibG9nLw",
            "/?aHR0cHM6Ly9teS5ibG9nLw",
            // The same, percent-encoded before.
            "/go?u=aHR0cHMlM0ElMkYlMkZteS5ibG9nJTJG",
            "https://friend.example/redirect/https%3A%2F%2Fmy.blog%2F",
        ] {
            let found = destinations(link);
            assert!(found.iter().any(|url| url == "https://my.blog/"), "{link}: {found:?}");
        }
        assert!(destinations("/go?u=Ly9teS5ibG9nLw==").contains(&"//my.blog/".to_owned()));
        assert!(destinations("/go?u=bXkuYmxvZw").contains(&"my.blog".to_owned()));
        for plain in ["/category/technology", "/style.css?v=20260101", "https://my.blog/", "/?p=12345678", ""]
        {
            assert_eq!(destinations(plain), Vec::<String>::new(), "{plain}");
        }
    }

    proptest! {
        #[test]
        fn no_text_stops_the_decoding(text in any::<String>(), parts in prop::collection::vec(part(), 0..20)) {
            for text in [text, parts.concat()] {
                unescaped(&text);
                prop_assert!(destinations(&text).len() <= MAX_DESTINATIONS);
            }
        }
    }

    fn part() -> impl Strategy<Value = String> {
        prop::sample::select(
            [
                "\\", "u", "002f", "{", "}", "x2f", "%", "2F", "%25", "&#", "47", ";", "&amp", "=", "/", "?",
                "#", "aHR0c", "http://", "é", "d83d", "A", " ",
            ]
            .map(str::to_owned)
            .to_vec(),
        )
    }
}
