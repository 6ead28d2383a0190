//! Arguments as Python would print them, for people who watch. They are cut, and user names and passwords in URLs are
//! left out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Characters of a text, at most. Celery's own limit is the same.
const MOST: usize = 1_024;

/// `('a', None)`
pub(super) fn tuple(values: &[Value]) -> String {
    let mut text = Text::default();
    text.list('(', values, if values.len() == 1 { ",)" } else { ")" });
    text.finish()
}

/// `{'a': None}`
pub(super) fn dict(values: &Map<String, Value>) -> String {
    let mut text = Text::default();
    text.dict(values);
    text.finish()
}

/// Any value.
pub(super) fn of(value: &Value) -> String {
    let mut text = Text::default();
    text.value(value);
    text.finish()
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn is_full(&self) -> bool {
        // A character has four bytes at most, so this holds more than is shown.
        self.0.len() > 4 * MOST
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.push_str("None"),
            Value::Bool(true) => self.0.push_str("True"),
            Value::Bool(false) => self.0.push_str("False"),
            // Writing to a String does not fail.
            Value::Number(number) => drop(write!(self.0, "{number}")),
            Value::String(text) => self.string(text),
            Value::Array(values) => self.list('[', values, "]"),
            Value::Object(values) => self.dict(values),
        }
    }

    fn string(&mut self, text: &str) {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        self.0.push(quote);
        for c in without_userinfo(text).chars().take(MOST) {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                c if c == quote => self.0.extend(['\\', c]),
                c if c.is_control() => drop(write!(self.0, "\\x{:02x}", c as u32)),
                c => self.0.push(c),
            }
        }
        self.0.push(quote);
    }

    fn list(&mut self, begin: char, values: &[Value], end: &str) {
        self.0.push(begin);
        for (place, value) in values.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.0.push_str(if place > 0 { ", " } else { "" });
            self.value(value);
        }
        self.0.push_str(end);
    }

    fn dict(&mut self, values: &Map<String, Value>) {
        self.0.push('{');
        for (place, (name, value)) in values.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.0.push_str(if place > 0 { ", " } else { "" });
            self.string(name);
            self.0.push_str(": ");
            self.value(value);
        }
        self.0.push('}');
    }

    fn finish(self) -> String {
        match self.0.char_indices().nth(MOST) {
            None => self.0,
            Some((end, _)) => format!("{}...", &self.0[..end]),
        }
    }
}

/// The text without what stands between `//` and the last `@` before the next `/` or white space.
fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * MOST));
    let mut rest = text;
    while let Some(start) = rest.find("//") {
        let (before, after) = rest.split_at(start + "//".len());
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                shown.push('…');
                &after[at..]
            }
            None => after,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_as_in_python() {
        let values = json!(["it's", null, true, 1.5, ["a"], {"b": "\"\n\u{7}"}]);
        let values = values.as_array().unwrap();
        assert_eq!(tuple(values), "(\"it's\", None, True, 1.5, ['a'], {'b': '\"\\n\\x07'})");
        assert_eq!((tuple(&values[1..2]), tuple(&[])), ("(None,)".to_owned(), "()".to_owned()));
    }

    #[test]
    fn no_password_is_shown_and_nothing_is_endless() {
        let shown = of(&json!({"url": "see http://me:se@cret@a.example/x@y and //b@c"}));
        assert_eq!(shown, "{'url': 'see http://…@a.example/x@y and //…@c'}");
        let long = of(&json!(vec!["x".repeat(100); 10_000]));
        assert_eq!((long.chars().count(), long.ends_with("...")), (MOST + 3, true));
        assert!(of(&json!("é".repeat(1_000_000))).chars().count() <= MOST + 3);
    }
}
