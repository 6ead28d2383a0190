//! Looks for `<meta charset>` in the first bytes of a page. Nothing is decoded at that time.
//!
//! It follows the HTML Standard, §13.2.3.2 "Prescan a byte stream to determine its encoding" and "Get an attribute".
//! A tag that is cut off declares nothing.

use encoding_rs::Encoding;

use super::label;

/// The charset that a `<meta>` declares. These bytes must hold the whole tag, and its label must be known.
pub(super) fn meta(page: &[u8]) -> Option<&'static Encoding> {
    let mut rest = Bytes(page);
    while !rest.0.is_empty() {
        if rest.0.starts_with(b"<!--") {
            // In `<!-->` the same dashes begin and end the comment.
            rest.skip(2);
            rest.skip_behind(b"-->")?;
        } else if rest.at_tag(b"<meta") {
            rest.skip(5);
            if let Some(found) = rest.charset_of_meta()? {
                return Some(found);
            }
        } else if rest.at_any_tag() {
            rest.skip_while(|byte| !byte.is_ascii_whitespace() && byte != b'>');
            while rest.attribute()?.is_some() {}
        } else if [&b"<!"[..], b"</", b"<?"].iter().any(|start| rest.0.starts_with(start)) {
            rest.skip_behind(b">")?;
        } else {
            rest.skip(1);
        }
    }
    None
}

/// What is left of the page. A method gives `None` if the page ended too early.
struct Bytes<'a>(&'a [u8]);

/// An attribute: its name in lower case, and its value.
type Attribute = (Vec<u8>, Vec<u8>);

impl Bytes<'_> {
    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }

    fn skip_while(&mut self, what: impl Fn(u8) -> bool) {
        let bytes = self.0.iter().take_while(|byte| what(**byte)).count();
        self.skip(bytes);
    }

    fn skip_behind(&mut self, end: &[u8]) -> Option<()> {
        let at = self.0.windows(end.len()).position(|window| window == end)?;
        self.skip(at + end.len());
        Some(())
    }

    fn at_tag(&self, start: &[u8]) -> bool {
        self.0.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start))
            && self.0.get(start.len()).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'/')
    }

    fn at_any_tag(&self) -> bool {
        match self.0 {
            [b'<', b'/', letter, ..] | [b'<', letter, ..] => letter.is_ascii_alphabetic(),
            _ => false,
        }
    }

    /// The charset that the attributes of this `<meta>` declare.
    fn charset_of_meta(&mut self) -> Option<Option<&'static Encoding>> {
        let (mut charset, mut in_content, mut is_content_type) = (None, None, false);
        let mut seen = Vec::new();
        while let Some((name, value)) = self.attribute()? {
            if seen.contains(&name) {
                continue;
            }
            match &name[..] {
                b"http-equiv" => is_content_type = value.eq_ignore_ascii_case(b"content-type"),
                b"content" => in_content = label::in_parameter(&value),
                b"charset" => charset = Some(Encoding::for_label(&value)),
                _ => {}
            }
            seen.push(name);
        }
        Some(charset.unwrap_or_else(|| in_content.filter(|_| is_content_type)))
    }

    /// The tag's next attribute. `Some(None)` means that the tag has no more.
    fn attribute(&mut self) -> Option<Option<Attribute>> {
        self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b'/');
        if *self.0.first()? == b'>' {
            self.skip(1);
            return Some(None);
        }
        let name = self.name()?;
        self.skip_while(|byte| byte.is_ascii_whitespace());
        let value = if *self.0.first()? == b'=' {
            self.skip(1);
            self.value()?
        } else {
            Vec::new()
        };
        Some(Some((name, value)))
    }

    fn name(&mut self) -> Option<Vec<u8>> {
        // A `=` at the beginning is part of the name.
        let first = *self.0.first()?;
        self.skip(1);
        let rest = self.until(|byte| matches!(byte, b'=' | b'/' | b'>') || byte.is_ascii_whitespace())?;
        Some([&[first], rest].concat().to_ascii_lowercase())
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        self.skip_while(|byte| byte.is_ascii_whitespace());
        match *self.0.first()? {
            quote @ (b'"' | b'\'') => {
                self.skip(1);
                let value = self.until(|byte| byte == quote)?.to_vec();
                self.skip(1);
                Some(value)
            }
            _ => Some(self.until(|byte| byte == b'>' || byte.is_ascii_whitespace())?.to_vec()),
        }
    }

    /// All bytes before the first one for which `end` is true.
    fn until(&mut self, end: impl Fn(u8) -> bool) -> Option<&[u8]> {
        let length = self.0.iter().position(|byte| end(*byte))?;
        let (before, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(before)
    }
}
