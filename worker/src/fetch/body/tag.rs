//! One tag of a page, as text: where it ends, and what its attributes say.
//!
//! This is for places where a whole parser would cost too much. It reads well-formed and sloppy tags as browsers
//! do (HTML Standard, §13.2.5), but it knows nothing of the elements around the tag.

use std::borrow::Cow;

use memchr::memchr;

/// Values of `rel` that tell search engines not to count a link.
/// Source: developers.google.com/search/docs/crawling-indexing/qualify-outbound-links
const NOT_COUNTED: [&str; 3] = ["nofollow", "ugc", "sponsored"];

/// Where the tag at the start of `text` ends: the length up to and with its `>`. A `>` in quotes does not count.
pub(super) fn end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        // Tags are short, so byte by byte is fastest.
        at += bytes[at..].iter().position(|byte| matches!(byte, b'>' | b'"' | b'\''))?;
        match bytes[at] {
            b'>' => return Some(at + 1),
            quote if bytes[..at].trim_ascii_end().ends_with(b"=") => {
                at += 2 + memchr(quote, &bytes[at + 1..])?;
            }
            _ => at += 1,
        }
    }
}

/// Whether the text begins with a tag of this name, which is in lower case.
pub(super) fn is(text: &str, name: &str) -> bool {
    let bytes = text.as_bytes();
    let behind = 1 + name.len();
    bytes.first() == Some(&b'<')
        && bytes.get(1..behind).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        && bytes.get(behind).is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
}

/// Whether the text begins with a tag that makes a link.
pub(super) fn is_link(text: &str) -> bool {
    is(text, "a") || is(text, "area")
}

/// The value of an attribute of the tag at the start of `text`. The name is in lower case. The first attribute of
/// a name counts. Character references are decoded.
pub(super) fn attribute<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, value) = Attributes::of(text).find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(htmlize::unescape_attribute(value))
}

/// Whether a `rel` tells search engines not to count the link. Its words may also be separated by commas.
pub(super) fn is_not_counted(rel: &str) -> bool {
    let words = rel.split(|c: char| c == ',' || c.is_ascii_whitespace());
    words.into_iter().any(|word| NOT_COUNTED.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// The attributes of a tag, as they are written.
struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    fn of(tag: &'a str) -> Self {
        let mut attributes = Self { rest: tag };
        attributes.until(|byte| byte.is_ascii_whitespace() || byte == b'>');
        attributes
    }

    /// Everything before the first such byte. It must be ASCII or the first byte of a character.
    fn until(&mut self, end: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest.bytes().position(end).unwrap_or(self.rest.len());
        let (found, rest) = self.rest.split_at(length);
        self.rest = rest;
        found
    }

    fn value(&mut self) -> &'a str {
        let Some(behind) = self.rest.trim_ascii_start().strip_prefix('=') else { return "" };
        self.rest = behind.trim_ascii_start();
        match self.rest.bytes().next() {
            Some(quote @ (b'"' | b'\'')) => {
                let behind = &self.rest[1..];
                let length = memchr(quote, behind.as_bytes()).unwrap_or(behind.len());
                self.rest = behind.get(length + 1..).unwrap_or_default();
                &behind[..length]
            }
            _ => self.until(|byte| byte.is_ascii_whitespace() || byte == b'>'),
        }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.until(|byte| !byte.is_ascii_whitespace() && byte != b'/');
        if self.rest.is_empty() || self.rest.starts_with('>') {
            return None;
        }
        // A `=` at the beginning belongs to the name.
        let start = self.rest;
        let first = start.chars().next().map_or(0, char::len_utf8);
        self.rest = &start[first..];
        let ends = |byte: u8| matches!(byte, b'=' | b'/' | b'>') || byte.is_ascii_whitespace();
        let length = first + self.until(ends).len();
        Some((&start[..length], self.value()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_behind_its_quotes() {
        for (text, expected) in [
            ("<a>x", Some("<a>")),
            ("<a title='a > b'>x", Some("<a title='a > b'>")),
            ("<a title = \"it's >\">x", Some("<a title = \"it's >\">")),
            ("<p title=it's>x", Some("<p title=it's>")),
            ("<a href='x", None),
            ("<a", None),
        ] {
            assert_eq!(end(text).map(|end| &text[..end]), expected, "{text}");
        }
    }

    #[test]
    fn attributes_are_read_as_browsers_read_them() {
        let tag = "<A HREF = 'x&amp;y' rel=\"no opener\" data-b checked/ title=a/b c='1' c='2'>";
        for (name, expected) in [
            ("href", Some("x&y")),
            ("rel", Some("no opener")),
            ("data-b", Some("")),
            ("checked", Some("")),
            ("title", Some("a/b")),
            ("c", Some("1")),
            ("b", None),
        ] {
            assert_eq!(attribute(tag, name).as_deref(), expected, "{name}");
        }
        assert_eq!(attribute("<a href=", "href").as_deref(), Some(""));
        assert_eq!(attribute("<a href='é", "href").as_deref(), Some("é"));
        assert_eq!(attribute("<a/é", "href"), None);
    }

    #[test]
    fn names_are_whole_words() {
        assert!(is("<a href", "a") && is("<A>", "a") && is("<area/", "area") && is("<a", "a"));
        assert!(!is("<abbr>", "a") && !is("a", "a") && !is("</a>", "a"));
    }
}
