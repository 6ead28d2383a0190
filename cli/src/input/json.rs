//! JSON: an array of objects with the fields of the CSV columns, or friend-link JSON,
//! `{"link_list": [{"name", "link", "linkpage"}]}`. Fields nobody knows are ignored.
//!
//! First the whole text is looked through. Then its elements are split off ([`RawValue`]) and parsed one by one. So
//! every bad element is found, and each has its line.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::lines::Lines;
use super::quote::quote;
use super::row::{Fields, Problem, Row, Rows};
use super::{InputError, Source};

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let list = list(text).map_err(|error| explain(source, &error))?;
    let list = list.ok_or_else(|| InputError::JsonForm { at: source.clone() })?;
    let mut lines = Lines::of(text);
    Ok(Box::new(Elements { rest: list }.map(move |element| {
        // An element is a slice of the text.
        let offset = element.as_ptr() as usize - text.as_ptr() as usize;
        Row { line: lines.at(offset), fields: fields(element) }
    })))
}

/// The text after the bracket that opens the list of links, if there is one. All of the text is JSON then.
fn list(text: &str) -> serde_json::Result<Option<&str>> {
    #[derive(Deserialize)]
    struct FriendLinks<'a> {
        #[serde(borrow)]
        link_list: Option<&'a RawValue>,
    }
    let mut list = serde_json::from_str::<&RawValue>(text)?.get();
    if list.starts_with('{') {
        list = serde_json::from_str::<FriendLinks>(text)?.link_list.map_or("", RawValue::get);
    }
    Ok(list.strip_prefix('['))
}

/// The elements of a list, one by one: a list of them all would take much memory. The text was found to be JSON.
struct Elements<'a> {
    /// What is left of the list.
    rest: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        // A bracket, which ends the list, is no value.
        let element = values.next()?.ok()?;
        self.rest = &rest[values.byte_offset()..];
        Some(element.get())
    }
}

fn explain(source: &Source, error: &serde_json::Error) -> InputError {
    if error.is_data() {
        return InputError::JsonForm { at: source.clone() };
    }
    InputError::Json {
        at: source.clone(),
        line: error.line(),
        column: error.column(),
        problem: without_position(error),
    }
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem).to_owned()
}

/// One element. Its fields are not parsed yet. A field that is null counts as absent.
#[derive(Deserialize)]
struct Element {
    name: Option<Value>,
    url: Option<Value>,
    link: Option<Value>,
    page_url: Option<Value>,
    linkpage: Option<Value>,
    active: Option<Value>,
    shown: Option<Value>,
    backlink: Option<Value>,
    group: Option<Value>,
    avatar: Option<Value>,
    description: Option<Value>,
    screenshot: Option<Value>,
    feed: Option<Value>,
    tags: Option<Value>,
}

fn fields(element: &str) -> Result<Fields, Problem> {
    if !element.starts_with('{') {
        return Err(Problem::of_row("is no object; write {\"name\": …, \"url\": …}".to_owned()));
    }
    let element: Element =
        serde_json::from_str(element).map_err(|error| Problem::of_row(without_position(&error)))?;
    Ok(Fields {
        name: text("name", element.name)?,
        url: text("url", element.url.or(element.link))?,
        page_url: text("page_url", element.page_url.or(element.linkpage))?,
        active: boolean("active", element.active)?,
        shown: boolean("shown", element.shown)?,
        backlink: boolean("backlink", element.backlink)?,
        group: extra(element.group.as_ref()),
        avatar: extra(element.avatar.as_ref()),
        description: extra(element.description.as_ref()),
        screenshot: extra(element.screenshot.as_ref()),
        feed: extra(element.feed.as_ref()),
        tags: tags(element.tags.as_ref()),
    })
}

fn text(field: &'static str, value: Option<Value>) -> Result<String, Problem> {
    match value {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Problem::of(field, "must be a string in double quotes".to_owned())),
    }
}

/// What is kept of a link besides: anything but a text is as good as absent.
fn extra(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An array of texts, or one text with commas or semicolons between them.
fn tags(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(tags)) => tags.iter().map(|tag| extra(Some(tag))).collect(),
        value => extra(value).split([',', ';']).map(str::to_owned).collect(),
    }
}

/// Takes `true`, `1` and `"yes"` alike, as text. All formats parse that text in the same place.
fn boolean(field: &'static str, value: Option<Value>) -> Result<String, Problem> {
    match value {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => Ok(value.to_string()),
        Some(value) => {
            Err(Problem::of(field, format!("`{}` is neither true nor false", quote(&value.to_string()))))
        }
    }
}
