//! Text from strangers that cannot steer a terminal. Everything that prints foreign text uses it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The text with every character replaced that moves, hides or reorders others: control characters,
/// line separators and the bidirectional controls (Unicode Standard Annex #9 §2).
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same for text of several lines, whose line breaks are ours.
pub(crate) fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// JSON text with the same characters escaped, so that its values stay what they are. The text must have its control
/// characters up to U+001F escaped already, as every JSON writer does: those that are left are white space.
pub(crate) fn plain_json(json: &str) -> Cow<'_, str> {
    let escaped = |c| steers(c) && !c.is_ascii_whitespace();
    if !json.contains(escaped) {
        return json.into();
    }
    let plain = json.chars().fold(String::with_capacity(json.len()), |mut plain, c| {
        if escaped(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String does not fail.
                let _ = write!(plain, "\\u{unit:04x}");
            }
        } else {
            plain.push(c);
        }
        plain
    });
    plain.into()
}

/// Passes JSON on to `out` as [`plain_json`]. Each write must end between two characters, as those of `serde_json` do.
pub(crate) struct PlainJson<W>(pub(crate) W);

impl<W: Write> Write for PlainJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text =
            std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.0.write_all(plain_json(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Texts with every character that steers, and with random ones of which many do.
    pub(crate) fn hostile_texts() -> Vec<String> {
        let all: String = ('\0'..='\u{2069}').filter(|c| steers(*c)).collect();
        let random = |_| {
            let pick = |_| {
                let range = if rand::random() { 0..0xa0 } else { 0x2000..0x2070 };
                char::from_u32(rand::random_range(range)).unwrap()
            };
            (0..60).map(pick).collect()
        };
        std::iter::once(all).chain((0..300).map(random)).collect()
    }

    /// Whether one line of output leaves a terminal alone.
    #[track_caller]
    pub(crate) fn assert_plain(line: &str) {
        let found = line.chars().find(|c| steers(*c));
        assert!(found.is_none(), "{found:?} in {line:?}");
    }

    #[test]
    fn only_what_steers_is_replaced() {
        assert_eq!(plain("a\u{1b}[2J\u{9b}1m\u{202e}b\u{2028}c\n"), "a�[2J�1m�b�c�");
        assert_eq!(plain_lines("a\u{1b}\nb\r\n"), "a�\nb�\n");
        let kept = "小明 👨\u{200d}💻 é";
        assert_eq!(plain(kept), kept);
    }

    #[test]
    fn json_keeps_its_values() {
        for text in hostile_texts() {
            let value = serde_json::json!({ "text": text, "kept": "小明 é" });
            let mut written = Vec::new();
            serde_json::to_writer_pretty(PlainJson(&mut written), &value).unwrap();
            let written = String::from_utf8(written).unwrap();
            written.lines().for_each(assert_plain);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
            assert!(written.contains("小明 é"));
        }
    }
}
