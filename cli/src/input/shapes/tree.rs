//! The links in a JSON text: objects with a URL that stand in arrays, however deep and whatever they are called around. In
//! what lists are called, also URLs and such objects under the names of the links.
//!
//! The text is looked through from its beginning to its end, and one object is read at a time. So a list of a million
//! links takes no more memory than its text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::csv::is_address;
use super::json::without_position;
use super::names::{Field, NAMES, NAMES_OF_SECTIONS, SECTIONS, are_ours, is_list, is_url, names, same};
use crate::input::lines::Lines;
use crate::input::quote::quote;
use crate::input::row::{Fields, Problem, Row};

/// How deep a list may lie in others.
const MAX_DEPTH: usize = 16;
/// How often one mapping may take over members (`<<`) of one that takes over members itself.
const MERGES: usize = 8;

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

    /// The same of a text that may hold other things than lists.
    pub(super) fn among_others(text: &'a str) -> Option<Self> {
        let mut links = Self { text, lines: Lines::of(text), open: Vec::new() };
        let strict = !text.starts_with('[') || begins_with_link(text);
        links.look_into(text, "", strict, 0);
        (!links.open.is_empty()).then_some(links)
    }

    /// Looks into an array, or into the arrays of an object, the first one first.
    fn look_into(&mut self, value: &'a str, group: &str, strict: bool, depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        if let Some(rest) = value.strip_prefix('[') {
            self.open(Elements::Array { rest }, group, strict, depth);
        } else if let Ok(object) = serde_json::from_str::<Members<'_>>(value) {
            let section = SECTIONS.iter().find_map(|name| object.text(name));
            // The title of the whole is none of a section.
            let below = depth > 0 && object.names_list();
            let section = section.or_else(|| object.text("title").filter(|_| below));
            let (section, before) = (section.as_deref().unwrap_or(group), self.open.len());
            self.look_into_all(&object, section, depth);
            if self.open.len() == before && strict && object.is_map(depth == 0) {
                self.open(Elements::Map(object.0.into_iter()), section, strict, depth);
            }
        }
    }

    fn open(&mut self, elements: Elements<'a>, group: &str, strict: bool, depth: usize) {
        let around = Arc::new(Around { group: group.to_owned(), strict, depth });
        self.open.push(Open { elements, around });
    }

    /// Looks into what lists are called, and into objects beside them that hold such a list, too. Where there is none, it
    /// looks into everything.
    fn look_into_all(&mut self, object: &Members<'a>, group: &str, depth: usize) {
        let named: Vec<_> = object.holders().filter(|(name, _)| is_list(name)).collect();
        let holds_named = |value| serde_json::from_str::<Members<'_>>(value).is_ok_and(|it| it.names_list());
        if named.is_empty() {
            // Several lists beside each other are sections, each under its name.
            let are_sections = object.holders().filter(|(_, value)| begins_with_link(value)).count() > 1;
            for (name, value) in object.holders().collect::<Vec<_>>().into_iter().rev() {
                // `accessible_links` of check-flink says what was found, and no section.
                let is_section =
                    are_sections && group.is_empty() && begins_with_link(value) && !name.ends_with("_links");
                self.look_into(value, if is_section { name } else { group }, false, depth + 1);
            }
            return;
        }
        for (name, value) in object.holders().collect::<Vec<_>>().into_iter().rev() {
            if is_list(name) || holds_named(value) {
                self.look_into(value, group, true, depth + 1);
            }
        }
    }

    /// The link that an element is, if it is one. If it holds lists, they are looked into next.
    fn visit(&mut self, element: &Element<'a>, around: &Around) -> Option<Result<Fields, Problem>> {
        let Around { group, strict, depth } = around;
        let before = self.open.len();
        let found = match element.value.as_bytes().first() {
            Some(b'{') => match serde_json::from_str::<Members<'_>>(element.value) {
                Ok(members) if members.is_link() => {
                    return (members.is_meant(*strict))
                        .then(|| members.fields(group).map(|f| element.name(f)));
                }
                Ok(members) => {
                    let mut names = SECTIONS.iter().chain(NAMES_OF_SECTIONS);
                    let section = names.find_map(|name| members.text(name));
                    self.look_into_all(&members, section.as_deref().unwrap_or(group), *depth);
                    match members.link_inside() {
                        Some(link) if self.open.len() == before => return Some(link.fields(group)),
                        _ if members.is_empty_section() => return None,
                        _ => members.fields(group),
                    }
                }
                Err(error) => Err(Problem::of_row(without_position(&error))),
            },
            Some(b'"') => {
                let url: String = serde_json::from_str(element.value).ok()?;
                let is_url = (*strict && element.name.is_none()) || is_address(&url);
                let fields = || Fields { url, group: group.clone(), ..Fields::default() };
                return is_url.then(|| Ok(element.name(fields())));
            }
            _ => {
                if let Some(fields) = positional(element.value, group) {
                    return Some(Ok(fields));
                }
                self.look_into(element.value, group, *strict, depth + 1);
                Err(Problem::of_row("is no object; write {\"name\": …, \"url\": …}".to_owned()))
            }
        };
        // What is no link in a map belongs to the object that the map is.
        (*strict && element.name.is_none() && self.open.len() == before).then_some(found)
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
            let offset = element.value.as_ptr() as usize - self.text.as_ptr() as usize;
            if let Some(fields) = self.visit(&element, &around) {
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

/// The elements of a list, one by one.
enum Elements<'a> {
    /// What is left of an array.
    Array { rest: &'a str },
    /// The members of an object that are left: `links: {A friend: "https://…"}`.
    Map(std::vec::IntoIter<Member<'a>>),
}

/// An element of a list.
struct Element<'a> {
    /// What it is called, in a map.
    name: Option<Cow<'a, str>>,
    value: &'a str,
}

impl Element<'_> {
    /// These fields, with a name.
    fn name(&self, mut fields: Fields) -> Fields {
        if let Some(name) = self.name.as_ref().filter(|_| fields.name.is_empty()) {
            fields.name = name.clone().into_owned();
        }
        fields
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let rest = match self {
            Self::Array { rest } => rest,
            Self::Map(members) => {
                return members.next().map(|(name, value)| Element { name: Some(name), value: value.get() });
            }
        };
        *rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        // A bracket, which ends the array, is no value.
        let element = values.next()?.ok()?;
        *rest = &rest[values.byte_offset()..];
        Some(Element { name: None, value: element.get() })
    }
}

/// Whether a value is an array whose first element is a link.
fn begins_with_link(value: &str) -> bool {
    let first = value.strip_prefix('[').and_then(|rest| Elements::Array { rest }.next());
    first.is_some_and(|first| {
        serde_json::from_str::<Members<'_>>(first.value).is_ok_and(|members| members.is_link())
    })
}

/// The link that an object is.
pub(super) fn object(json: &str) -> Result<Fields, Problem> {
    let members = serde_json::from_str::<Members<'_>>(json);
    members.map_err(|error| Problem::of_row(without_position(&error)))?.fields("")
}

/// Whether a line is a link as linkbeat lists it.
pub(super) fn is_stored_link(json: &str) -> bool {
    serde_json::from_str::<Members<'_>>(json).is_ok_and(|object| object.is_link() && object.is_ours())
}

/// Whether a line is a message with a schema and no link, such as the counts that end a report.
pub(super) fn is_message(json: &str) -> bool {
    serde_json::from_str::<Members<'_>>(json)
        .is_ok_and(|object| object.value("schema").is_some() && !object.is_link())
}

/// The members of an object. Their values are not parsed yet.
struct Members<'a>(Vec<Member<'a>>);

type Member<'a> = (Cow<'a, str>, &'a RawValue);

impl<'a> Members<'a> {
    fn is_link(&self) -> bool {
        self.0.iter().any(|(name, _)| is_url(name))
    }

    fn is_ours(&self) -> bool {
        are_ours(self.0.iter().map(|(name, _)| name.as_ref()))
    }

    /// Whether this link is to be checked. A menu leads around in a site of its own, and `.upptimerc.yml` has checks that
    /// ask no page.
    fn is_meant(&self, strict: bool) -> bool {
        let url = names(Field::Url).iter().find_map(|name| self.text(name)).unwrap_or_default();
        let is_own_page = url.is_empty() || url.starts_with(['/', '#', '.', '?']);
        let asks_page = is_address(&url) || self.text("check").is_none();
        asks_page && (strict || !is_own_page)
    }

    /// The members that may hold links.
    fn holders(&self) -> impl Iterator<Item = (&str, &'a str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_ref(), value.get()));
        all.filter(|(_, value)| value.starts_with(['[', '{']))
    }

    /// Whether it holds what lists are called.
    fn names_list(&self) -> bool {
        self.holders().any(|(name, _)| is_list(name))
    }

    /// Whether it is a section in which no link stands yet.
    fn is_empty_section(&self) -> bool {
        self.0.iter().any(|(name, value)| is_list(name) && matches!(value.get(), "null" | "\"\""))
    }

    /// Whether links stand in it under their names, and nothing else if it is the `whole` text.
    fn is_map(&self, whole: bool) -> bool {
        let is_link = |(_, value): &Member<'_>| match serde_json::from_str::<Members<'_>>(value.get()) {
            Ok(members) => members.is_link(),
            Err(_) => serde_json::from_str::<&str>(value.get()).is_ok_and(is_address),
        };
        let fits = |member: &Member<'_>| is_link(member) && !is_list(&member.0);
        !self.is_link() && self.0.iter().any(is_link) && (!whole || self.0.iter().all(fits))
    }

    /// A link that is wrapped once more, such as in `{"spec": {"url": …}, "metadata": …}`.
    fn link_inside(&self) -> Option<Self> {
        let mut objects = self.holders().filter_map(|(_, value)| serde_json::from_str::<Self>(value).ok());
        objects.find(|members| members.is_link() && members.is_meant(false))
    }

    fn value(&self, wanted: &str) -> Option<Value> {
        let (_, value) = self.0.iter().find(|(name, _)| same(name, wanted))?;
        // A value that is null counts as absent.
        serde_json::from_str(value.get()).ok().filter(|value: &Value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.as_str().map(str::to_owned)
    }

    fn fields(&self, group: &str) -> Result<Fields, Problem> {
        let mut fields = Fields { is_ours: self.is_ours(), group: group.to_owned(), ..Fields::default() };
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
        // A site may be called 404.
        Value::Number(number) if !is_url(name) => Ok(number.to_string()),
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
        deserializer.deserialize_map(Collect(MERGES))
    }
}

/// Collects members. So often others may still be taken over.
struct Collect(usize);

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
        let mut members: Vec<Member<'de>> = Vec::new();
        let mut merged: Vec<Member<'de>> = Vec::new();
        while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            // YAML takes the members of another mapping over so. Those of its own come first.
            if name.0 == "<<" {
                merged.extend(self.taken_over(value));
                continue;
            }
            if is_known(&name.0) && members.iter().any(|(other, _)| *other == name.0) {
                return Err(serde::de::Error::custom(format!("duplicate field `{}`", name.0)));
            }
            members.push((name.0, value));
        }
        if !merged.is_empty() {
            let own: HashSet<&str> = members.iter().map(|(name, _)| &**name).collect();
            merged.retain(|(name, _)| !own.contains(&**name));
            members.extend(merged);
        }
        Ok(Members(members))
    }
}

impl Collect {
    /// The members of another mapping. What is no mapping, and what goes too deep, has none.
    fn taken_over<'de>(&self, value: &'de RawValue) -> Vec<Member<'de>> {
        let Some(left) = self.0.checked_sub(1) else { return Vec::new() };
        let mut other = serde_json::Deserializer::from_str(value.get());
        other.deserialize_map(Self(left)).map(|members| members.0).unwrap_or_default()
    }
}

/// A name, which is borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn is_known(name: &str) -> bool {
    NAMES.iter().any(|(_, names)| names.contains(&name))
}
