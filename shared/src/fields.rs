//! The fields of a JSON object, taken one by one. Each must be known. What is wrong is told in words of JSON, with the
//! name of the field.
//!
//! Values are not repeated: one may be a URL with a password.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Most unknown fields that are named.
const NAMED: usize = 5;
/// The longest name that is repeated, in bytes.
const LONGEST: usize = 40;
/// How alike two names are, from 0 to 1, if one may have been meant for the other.
const ALIKE: f64 = 0.85;
/// Names that people take from elsewhere, and what they are called here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("urls", "links"),
    ("url", "links"),
    ("sites", "links"),
    ("pattern", "backlink"),
    ("site_link", "backlink"),
    ("id", "request_id"),
    ("language", "lang"),
    ("link", "url"),
];

/// The fields of an object that are left to be taken.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Where the object is, such as `links[3].`; empty: it is the message.
    path: String,
    left: Map<String, Value>,
}

impl Fields {
    pub(crate) fn of(path: String, left: Map<String, Value>) -> Self {
        Self { path, left }
    }

    /// The value of a field. `null` is as good as none.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        self.take(name, "a string", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, String> {
        self.take(name, "true or false", |value| value.as_bool().ok_or(value))
    }

    pub(crate) fn uuid(&mut self, name: &str) -> Result<Option<Uuid>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.named(name, "must be a UUID"))
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, String> {
        self.take(name, "an array", |value| match value {
            Value::Array(items) => Ok(items),
            other => Err(other),
        })
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let texts = items.into_iter().enumerate().map(|(index, item)| match item {
            Value::String(text) => Ok(text),
            other => Err(self
                .named(&format!("{name}[{index}]"), &format!("must be a string, not {}", kind_of(&other)))),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// A field that must be there.
    pub(crate) fn needed<T>(&self, name: &str, value: Option<T>) -> Result<T, String> {
        value.ok_or_else(|| self.named(name, "is missing"))
    }

    /// Refuses what is left. `known` are the names that an object of this kind may have.
    pub(crate) fn none_left<'a>(
        &self,
        known: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Result<(), String> {
        if self.left.is_empty() {
            return Ok(());
        }
        let unknown = self.left.keys().take(NAMED).map(|name| {
            let meant = likely(name, known.clone());
            let hint = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            self.named(printable(name), &format!("unknown field{hint}"))
        });
        Err(unknown.collect::<Vec<_>>().join(", "))
    }

    /// `read` gives back what it cannot take.
    fn take<T>(
        &mut self,
        name: &str,
        kind: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let wrong = |value| self.named(name, &format!("must be {kind}, not {}", kind_of(&value)));
        read(value).map(Some).map_err(wrong)
    }

    fn named(&self, name: &str, problem: &str) -> String {
        format!("{}{name}: {problem}", self.path)
    }
}

/// What kind of value it is, as JSON calls it.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(items) if items.iter().any(|item| !item.is_string()) => "an array of other values",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What somebody probably meant who wrote this.
fn likely<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == name);
    if let Some(ours) = elsewhere.and_then(|(_, ours)| known.clone().find(|known| known == ours)) {
        return Some(ours);
    }
    let likeness = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let (likeness, known) = likeness.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (likeness >= ALIKE).then_some(known)
}

/// A name as it may be repeated. Other texts may be anything, also a secret.
fn printable(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.len() <= LONGEST && name.bytes().all(plain) { name } else { "…" }
}

/// The whole of a message.
impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Unique).map(|left| Self::of(String::new(), left))
    }
}

/// Reads an object in which each name stands once. Of two values nobody can tell which is meant.
struct Unique;

impl<'de> Visitor<'de> for Unique {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{}: is there twice", printable(&name))));
            }
            fields.insert(name, value);
        }
        Ok(fields)
    }
}
