//! The links in a JSON text: objects with a URL that stand in arrays, however deep and whatever they are called around.
//!
//! The text is looked through from its beginning to its end, and one object is read at a time. So a list of a million
//! links takes no more memory than its text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::csv::is_address;
use super::json::without_position;
use super::names::{Field, LISTS, NAMES, NAMES_OF_SECTIONS, SECTIONS, is_url};
use crate::input::lines::Lines;
use crate::input::quote::quote;
use crate::input::row::{Fields, Problem, Row};

/// How deep a list may lie in others.
const MAX_DEPTH: usize = 16;

/// The links in a text that is JSON.
pub(super) struct Links<'a> {
    text: &'a str,
    lines: Lines<'a>,
    open: Vec<Open<'a>>,
}

/// An array that is being looked through.
struct Open<'a> {
    elements: Elements<'a>,
    around: Arc<Around>,
}

/// What an array says of its elements.
struct Around {
    /// The section that its links belong to.
    group: String,
    /// Whether what is no link in it is an error. In other arrays it is none of our business.
    strict: bool,
    /// In how many others it lies.
    depth: usize,
}

impl<'a> Links<'a> {
    /// `None` if the text holds no list. `value` is the text without the white space around it.
    pub(super) fn of(text: &'a str, value: &'a str) -> Option<Self> {
        let mut links = Self { text, lines: Lines::of(text), open: Vec::new() };
        links.look_into(value, "", true, 0);
        (!links.open.is_empty()).then_some(links)
    }

    /// Looks into an array, or into the arrays of an object, the first one first.
    fn look_into(&mut self, value: &'a str, group: &str, strict: bool, depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        if let Some(rest) = value.strip_prefix('[') {
            let around = Arc::new(Around { group: group.to_owned(), strict, depth });
            self.open.push(Open { elements: Elements { rest }, around });
        } else if let Ok(object) = serde_json::from_str::<Members<'_>>(value) {
            let section = SECTIONS.iter().find_map(|name| object.text(name));
            self.look_into_all(&object, section.as_deref().unwrap_or(group), depth);
        }
    }

    fn look_into_all(&mut self, object: &Members<'a>, group: &str, depth: usize) {
        let holders = object.0.iter().map(|(name, value)| (name.as_ref(), value.get()));
        let holders: Vec<_> = holders.filter(|(_, value)| value.starts_with(['[', '{'])).collect();
        match LISTS.iter().find_map(|list| holders.iter().find(|(name, _)| name == list)) {
            Some((_, list)) => self.look_into(list, group, true, depth + 1),
            None => {
                holders.iter().rev().for_each(|(_, value)| self.look_into(value, group, false, depth + 1));
            }
        }
    }

    /// The link that an element is, if it is one. If it holds lists, they are looked into next.
    fn visit(&mut self, element: &'a str, around: &Around) -> Option<Result<Fields, Problem>> {
        let Around { group, strict, depth } = around;
        let before = self.open.len();
        let found = match element.as_bytes().first() {
            Some(b'{') => match serde_json::from_str::<Members<'_>>(element) {
                Ok(members) if members.is_link() => return Some(members.fields(group)),
                Ok(members) => {
                    let mut names = SECTIONS.iter().chain(NAMES_OF_SECTIONS);
                    let section = names.find_map(|name| members.text(name));
                    self.look_into_all(&members, section.as_deref().unwrap_or(group), *depth);
                    members.fields(group)
                }
                Err(error) => Err(Problem::of_row(without_position(&error))),
            },
            Some(b'"') => {
                let url: String = serde_json::from_str(element).ok()?;
                let is_url = *strict || is_address(&url);
                return is_url.then(|| Ok(Fields { url, group: group.clone(), ..Fields::default() }));
            }
            _ => {
                if let Some(fields) = positional(element, group) {
                    return Some(Ok(fields));
                }
                self.look_into(element, group, *strict, depth + 1);
                Err(Problem::of_row("is no object; write {\"name\": …, \"url\": …}".to_owned()))
            }
        };
        (*strict && self.open.len() == before).then_some(found)
    }
}

impl Iterator for Links<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            let open = self.open.last_mut()?;
            let Some(element) = open.elements.next() else {
                self.open.pop();
                continue;
            };
            let around = open.around.clone();
            // An element is a slice of the text.
            let offset = element.as_ptr() as usize - self.text.as_ptr() as usize;
            if let Some(fields) = self.visit(element, &around) {
                return Some(Row { line: self.lines.at(offset), fields });
            }
        }
    }
}

/// A link without names for its fields, as some feeds of friends have it: `["name", "URL", "avatar"]`.
fn positional(element: &str, group: &str) -> Option<Fields> {
    let texts: Vec<String> = serde_json::from_str(element).ok()?;
    let [name, url, more @ ..] = texts.as_slice() else { return None };
    let is_link = is_address(url) && !is_address(name);
    let avatar = more.first().cloned().unwrap_or_default();
    let (name, url, group) = (name.clone(), url.clone(), group.to_owned());
    is_link.then(|| Fields { name, url, avatar, group, ..Fields::default() })
}

/// The elements of an array, one by one.
struct Elements<'a> {
    /// What is left of it.
    rest: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        // A bracket, which ends the array, is no value.
        let element = values.next()?.ok()?;
        self.rest = &rest[values.byte_offset()..];
        Some(element.get())
    }
}

/// The link that an object is.
pub(super) fn object(json: &str) -> Result<Fields, Problem> {
    let members = serde_json::from_str::<Members<'_>>(json);
    members.map_err(|error| Problem::of_row(without_position(&error)))?.fields("")
}

/// Whether a line is a link as linkbeat lists it.
pub(super) fn is_stored_link(json: &str) -> bool {
    let is_ours = |object: &Members<'_>| {
        ["shown", "verdict"].iter().all(|name| object.0.iter().any(|(found, _)| found == name))
    };
    serde_json::from_str::<Members<'_>>(json).is_ok_and(|object| object.is_link() && is_ours(&object))
}

/// Whether a line is a message with a schema and no link, such as the counts that end a report.
pub(super) fn is_message(json: &str) -> bool {
    serde_json::from_str::<Members<'_>>(json)
        .is_ok_and(|object| object.value("schema").is_some() && !object.is_link())
}

/// The members of an object. Their values are not parsed yet.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    fn is_link(&self) -> bool {
        self.0.iter().any(|(name, _)| is_url(name))
    }

    fn value(&self, wanted: &str) -> Option<Value> {
        let (_, value) = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        // A value that is null counts as absent.
        serde_json::from_str(value.get()).ok().filter(|value: &Value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.as_str().map(str::to_owned)
    }

    fn fields(&self, group: &str) -> Result<Fields, Problem> {
        let mut fields = Fields { group: group.to_owned(), ..Fields::default() };
        for (field, names) in NAMES {
            if let Some((name, value)) = names.iter().find_map(|name| Some((*name, self.value(name)?))) {
                put(&mut fields, field, name, value)?;
            }
        }
        Ok(fields)
    }
}

fn put(fields: &mut Fields, field: Field, name: &'static str, value: Value) -> Result<(), Problem> {
    match field {
        Field::Name => fields.name = text(name, value)?,
        Field::Url => fields.url = text(name, value)?,
        Field::PageUrl => fields.page_url = text(name, value)?,
        Field::Active => fields.active = boolean(name, value)?,
        Field::PausedUntil => fields.paused_until = extra(&value),
        Field::Shown => fields.shown = boolean(name, value)?,
        Field::Backlink => fields.backlink = boolean(name, value)?,
        Field::Group => fields.group = extra(&value),
        Field::Avatar => fields.avatar = extra(&value),
        Field::Description => fields.description = extra(&value),
        Field::Screenshot => fields.screenshot = extra(&value),
        Field::Feed => fields.feed = extra(&value),
        Field::Tags => fields.tags = tags(&value),
        Field::Pin => fields.pin = extra(&value),
        Field::PinNote => fields.pin_note = extra(&value),
    }
    Ok(())
}

fn text(name: &'static str, value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Problem::of(name, "must be a string in double quotes".to_owned())),
    }
}

/// What is kept of a link besides: anything but a text is as good as absent.
fn extra(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An array of texts, or one text with commas or semicolons between them.
fn tags(value: &Value) -> Vec<String> {
    match value {
        Value::Array(tags) => tags.iter().map(extra).collect(),
        value => extra(value).split([',', ';']).map(str::to_owned).collect(),
    }
}

/// Takes `true`, `1` and `"yes"` alike, as text. All shapes parse that text in the same place.
fn boolean(name: &'static str, value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        value => Err(Problem::of(name, format!("`{}` is neither true nor false", quote(&value.to_string())))),
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            if members.iter().any(|(other, _)| *other == name.0) && is_known(&name.0) {
                return Err(serde::de::Error::custom(format!("duplicate field `{}`", name.0)));
            }
            members.push((name.0, value));
        }
        Ok(Members(members))
    }
}

/// A name, which is borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn is_known(name: &str) -> bool {
    NAMES.iter().any(|(_, names)| names.contains(&name))
}
