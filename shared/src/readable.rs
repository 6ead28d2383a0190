//! URLs as people read them: hosts and paths in their own letters, and not in punycode and escapes.
//!
//! What is shown can be pasted: linkbeat reads it as the same URL.

use std::borrow::Cow;

/// A URL as people read it. Escapes stay where they stand for anything but a letter or digit beyond ASCII.
pub fn readable_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    format!("{scheme}://{}{}", readable_host(host), letters(path))
}

/// A host, with or without a port, as people read it. Any other text stays as it is.
pub fn readable_host(host: &str) -> Cow<'_, str> {
    if !host.split('.').any(|label| label.starts_with("xn--")) {
        return host.into();
    }
    let (domain, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    let readable = url::quirks::domain_to_unicode(domain);
    if readable.is_empty() { host.into() } else { (readable + port).into() }
}

fn letters(path: &str) -> String {
    let mut readable = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        readable.push_str(&rest[..at]);
        // As many escapes as follow each other: a letter has several.
        let length = 3 * rest.as_bytes()[at..].chunks(3).take_while(|escape| is_escape(escape)).count();
        let (escapes, after) = rest[at..].split_at(length.max(1));
        readable.push_str(&decoded(escapes));
        rest = after;
    }
    readable + rest
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Letters and digits for their escapes; everything else as it was.
fn decoded(escapes: &str) -> String {
    let digits = escapes.as_bytes().chunks(3).filter_map(|escape| str::from_utf8(escape.get(1..)?).ok());
    let bytes: Vec<u8> = digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect();
    let (mut text, mut at) = (String::new(), 0);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let end = at + c.len_utf8();
            if !c.is_ascii() && c.is_alphanumeric() {
                text.push(c);
            } else {
                text.push_str(&escapes[3 * at..3 * end]);
            }
            at = end;
        }
        let end = at + chunk.invalid().len();
        text.push_str(&escapes[3 * at..3 * end]);
        at = end;
    }
    // A `%` alone is no escape.
    if bytes.is_empty() { escapes.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkUrl;

    #[test]
    fn what_people_read_is_the_same_url() {
        for (url, read) in [
            ("https://xn--fsqu00a.xn--0zwm56d/", "https://例子.测试/"),
            ("http://xn--bcher-kva.example:8080/x", "http://bücher.example:8080/x"),
            ("https://a.example/%E5%8F%8B%E9%93%BE/?q=%E5%8F%8B%20x", "https://a.example/友链/?q=友%20x"),
            ("https://a.example/%2F%E2%80%AE%FF%E5", "https://a.example/%2F%E2%80%AE%FF%E5"),
            ("https://a.example/100%/%7eme%", "https://a.example/100%/%7eme%"),
        ] {
            assert_eq!(readable_url(url), read);
            assert_eq!(LinkUrl::parse(read).unwrap().key(), LinkUrl::parse(url).unwrap().key(), "{url}");
        }
        assert_eq!(readable_host("A friend"), "A friend");
    }
}
