//! Looks for `<meta charset>` in the first bytes of a page. Nothing is decoded at that time.
//!
//! It follows the HTML Standard, §13.2.3.2 "Prescan a byte stream to determine its encoding" and "Get an attribute".
//! A tag that is cut off declares nothing.

use encoding_rs::Encoding;
use memchr::{memchr, memmem};

use super::label;

/// The charset that a `<meta>` declares. These bytes must hold the whole tag, and its label must be known.
pub(super) fn meta(page: &[u8]) -> Option<&'static Encoding> {
    let mut rest = Bytes(page);
    loop {
        rest.skip(memchr(b'<', rest.0)?);
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
            rest.until(|byte| byte.is_ascii_whitespace() || byte == b'>')?;
            while rest.attribute()?.is_some() {}
        } else if matches!(rest.0, [_, b'!' | b'/' | b'?', ..]) {
            rest.skip_behind(b">")?;
        } else {
            rest.skip(1);
        }
    }
}

/// What is left of the page. A method gives `None` if the page ended too early.
struct Bytes<'a>(&'a [u8]);

/// An attribute: its name and its value, as they are written.
type Attribute<'a> = (&'a [u8], &'a [u8]);

impl<'a> Bytes<'a> {
    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }

    /// Skips all bytes for which `what` is true.
    fn skip_while(&mut self, what: impl Fn(u8) -> bool) -> Option<()> {
        self.until(|byte| !what(byte)).map(drop)
    }

    fn skip_behind(&mut self, end: &[u8]) -> Option<()> {
        let at = memmem::find(self.0, end)?;
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
        let mut seen: Vec<&[u8]> = Vec::new();
        while let Some((name, value)) = self.attribute()? {
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            if seen.iter().any(|seen| is(seen)) {
                continue;
            }
            if is(b"http-equiv") {
                is_content_type = value.eq_ignore_ascii_case(b"content-type");
            } else if is(b"content") {
                in_content = label::in_parameter(value);
            } else if is(b"charset") {
                charset = Some(Encoding::for_label(value));
            }
            seen.push(name);
        }
        Some(charset.unwrap_or_else(|| in_content.filter(|_| is_content_type)))
    }

    /// The tag's next attribute. `Some(None)` means that the tag has no more.
    fn attribute(&mut self) -> Option<Option<Attribute<'a>>> {
        self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b'/')?;
        if *self.0.first()? == b'>' {
            self.skip(1);
            return Some(None);
        }
        let name = self.name()?;
        self.skip_while(|byte| byte.is_ascii_whitespace())?;
        let value = if *self.0.first()? == b'=' {
            self.skip(1);
            self.value()?
        } else {
            &[]
        };
        Some(Some((name, value)))
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        // A `=` at the beginning is part of the name.
        let ends = |byte: &u8| matches!(byte, b'=' | b'/' | b'>') || byte.is_ascii_whitespace();
        let length = 1 + self.0.get(1..)?.iter().position(ends)?;
        Some(self.take(length))
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        self.skip_while(|byte| byte.is_ascii_whitespace())?;
        match *self.0.first()? {
            quote @ (b'"' | b'\'') => {
                self.skip(1);
                let length = memchr(quote, self.0)?;
                let value = self.take(length);
                self.skip(1);
                Some(value)
            }
            _ => self.until(|byte| byte == b'>' || byte.is_ascii_whitespace()),
        }
    }

    /// All bytes before the first one for which `end` is true.
    fn until(&mut self, end: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| end(*byte))?;
        Some(self.take(length))
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}
