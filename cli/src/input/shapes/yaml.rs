//! YAML, such as the `link.yml` of Hexo themes, lists of Jekyll and Hugo, and `.upptimerc.yml`.
//!
//! It is written anew as JSON in which everything stands in the same line as before, and then read as JSON. An alias
//! (`*name`) stands for a text or a small mapping. For all else it counts as null: it could be made to grow without end.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::tree::Links;
use super::{Look, MAX_WHOLE};
use crate::input::row::{Row, Rows};
use crate::input::{InputError, Source};

/// How deep it may go.
const MAX_DEPTH: usize = 64;
/// The most bytes of JSON that an alias stands for.
const MAX_ALIAS: usize = 4 << 10;
/// The most bytes of JSON that all aliases of a text stand for.
const MAX_ALIASES: usize = 4 << 20;
/// What a name takes besides its text, about.
const BYTES_OF_NAME: usize = 64;

pub(super) fn fits(look: &Look<'_>) -> bool {
    let line = look.first;
    let is_key = |key: &str| !key.is_empty() && !key.contains([',', ';', '\t', '/', '"']);
    line == "---"
        || line.starts_with("- ")
        || line.strip_suffix(':').is_some_and(is_key)
        || line.split_once(": ").is_some_and(|(key, _)| is_key(key))
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    if text.len() > MAX_WHOLE {
        return Err(InputError::TooLarge { at: source.clone(), limit: MAX_WHOLE as u64 });
    }
    let mut found: Option<Vec<Row>> = None;
    for (first, json) in as_json(source, text)? {
        // The rows are collected, as they cannot outlive the JSON.
        if let Some(links) = Links::of(&json, json.trim()) {
            found.get_or_insert_default().extend(links.map(|row| Row { line: row.line + first - 1, ..row }));
        }
    }
    let rows = found.ok_or_else(|| InputError::NoList { at: source.clone(), shape: "YAML" })?;
    Ok(Box::new(rows.into_iter()))
}

/// The documents of a text, each with the line of its first value. What follows the first one may be no YAML: the text of a page, of which that is the head. A file
/// that is YAML by its name has none of that.
fn as_json(source: &Source, text: &str) -> Result<Vec<(usize, String)>, InputError> {
    let is_yaml = ["yml", "yaml"].into_iter().any(|ending| source.has_extension(ending));
    let mut documents = Vec::new();
    let mut json = Json::with_aliases(MAX_ALIASES);
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(_) if !documents.is_empty() && !is_yaml => break,
            Err(error) => {
                return Err(InputError::Yaml {
                    at: source.clone(),
                    line: error.marker().line(),
                    column: error.marker().col() + 1,
                    problem: error.info().to_owned(),
                });
            }
        };
        let line = span.start.line();
        let too_deep = json.open.len() >= MAX_DEPTH;
        match event {
            Event::DocumentEnd => {
                let next = Json::with_aliases(json.left);
                let Json { first, text, .. } = std::mem::replace(&mut json, next);
                documents.push((first.max(1), text));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if too_deep || json.is_key() => {
                let problem = format!("a list as a key, or more than {MAX_DEPTH} levels");
                return Err(InputError::Yaml {
                    at: source.clone(),
                    line,
                    column: span.start.col() + 1,
                    problem,
                });
            }
            Event::SequenceStart(..) => json.begin(line, '[', None),
            Event::MappingStart(anchor, _) => json.begin(line, '{', Some(anchor)),
            Event::SequenceEnd => json.end(']'),
            Event::MappingEnd => json.end('}'),
            Event::Alias(anchor) => json.alias(line, anchor),
            Event::Scalar(text, style, anchor, _) => json.scalar(line, &text, style, anchor),
            _ => {}
        }
    }
    Ok(documents)
}

/// JSON on its way out.
#[derive(Default)]
struct Json {
    text: String,
    /// The line of the first value, 0 before it. The text begins there.
    first: usize,
    /// The line that is being written.
    line: usize,
    open: Vec<Open>,
    /// What has a name, under the number of its anchor.
    named: HashMap<usize, String>,
    /// The bytes of all that has a name.
    bytes_named: usize,
    /// The bytes that aliases may still be written as.
    left: usize,
}

struct Open {
    /// Where it begins.
    start: usize,
    /// The number of a mapping's anchor, 0 without one. `None`: it is a list.
    mapping: Option<usize>,
    /// How many values are in it. In a mapping, keys count too.
    values: usize,
}

impl Json {
    fn with_aliases(left: usize) -> Self {
        Self { left, ..Self::default() }
    }

    fn begin(&mut self, line: usize, bracket: char, mapping: Option<usize>) {
        self.separate(line);
        self.open.push(Open { start: self.text.len(), mapping, values: 0 });
        self.text.push(bracket);
    }

    fn end(&mut self, bracket: char) {
        self.text.push(bracket);
        if let Some(Open { start, mapping: Some(anchor), .. }) = self.open.pop() {
            self.name(anchor, start);
        }
    }

    /// Keeps what an alias will stand for: what was written since. Without an anchor the number is 0.
    fn name(&mut self, anchor: usize, start: usize) {
        let json = &self.text[start..];
        let bytes = json.len() + BYTES_OF_NAME;
        if anchor != 0 && json.len() <= MAX_ALIAS && self.bytes_named + bytes <= MAX_WHOLE {
            self.bytes_named += bytes;
            // No text has a line break in it: JSON writes them as `\n`.
            self.named.insert(anchor, json.replace('\n', " "));
        }
    }

    fn alias(&mut self, line: usize, anchor: usize) {
        let known = self.named.get(&anchor).filter(|json| json.len() <= self.left);
        let is_text = |json: &String| json.starts_with('"');
        let json = match known {
            Some(json) if !self.is_key() || is_text(json) => json.clone(),
            _ if self.is_key() => "\"\"".to_owned(),
            _ => "null".to_owned(),
        };
        self.left = self.left.saturating_sub(json.len());
        self.value(line, &json);
    }

    fn scalar(&mut self, line: usize, text: &str, style: ScalarStyle, anchor: usize) {
        let is_plain = style == ScalarStyle::Plain && !self.is_key();
        let is_null = matches!(text, "" | "~" | "null" | "Null" | "NULL");
        let is_boolean = matches!(text, "true" | "false");
        let json = match text {
            _ if is_plain && is_null => "null".to_owned(),
            text if is_plain && is_boolean => text.to_owned(),
            text => serde_json::Value::from(text).to_string(),
        };
        self.value(line, &json);
        self.name(anchor, self.text.len() - json.len());
    }

    fn value(&mut self, line: usize, json: &str) {
        self.separate(line);
        self.text.push_str(json);
    }

    /// Whether the next value is the key of a mapping.
    fn is_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.mapping.is_some() && open.values % 2 == 0)
    }

    /// What stands before the next value.
    fn separate(&mut self, line: usize) {
        if let Some(open) = self.open.last_mut() {
            match (open.values, open.mapping.is_some() && open.values % 2 == 1) {
                (0, _) => {}
                (_, true) => self.text.push(':'),
                (_, false) => self.text.push(','),
            }
            open.values += 1;
        }
        if self.first == 0 {
            (self.first, self.line) = (line, line);
        }
        while self.line < line {
            self.text.push('\n');
            self.line += 1;
        }
    }
}
