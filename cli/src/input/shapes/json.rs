//! JSON: objects with a URL in arrays, see [`super::tree`]. JSON Lines: one such object in each line, as linkbeat writes
//! them.

use serde_json::value::RawValue;

use super::tree::{self, Links};
use super::{Look, markdown, toml};
use crate::input::row::{Row, Rows};
use crate::input::{InputError, Source};

pub(super) fn fits(look: &Look<'_>) -> bool {
    let is_other = || markdown::begins_with_link(look.text) || toml::fits(look);
    look.text.trim_start().starts_with(['[', '{']) && !is_other()
}

/// Each of the first two lines is an object. One line alone must be a link as linkbeat writes it: other objects in one line
/// are JSON as well.
pub(super) fn fits_lines(look: &Look<'_>) -> bool {
    let mut lines = look.text.lines().filter(|line| !line.trim().is_empty());
    let is_object =
        |line: &str| line.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(line).is_ok();
    let Some(first) = lines.next().filter(|line| is_object(line)) else { return false };
    lines.next().map_or_else(|| tree::is_stored_link(first), is_object)
}

/// The whole text is looked through first, so a text that is no JSON gives no link.
pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let value = serde_json::from_str::<&RawValue>(text).map_err(|error| InputError::Json {
        at: source.clone(),
        line: error.line(),
        column: error.column(),
        problem: without_position(&error),
    })?;
    let links = Links::of(text, value.get());
    Ok(Box::new(links.ok_or_else(|| InputError::NoList { at: source.clone(), shape: "JSON" })?))
}

pub(super) fn lines<'a>(_: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
    // A report in this shape ends with its counts, which name no URL.
    let links = lines.filter(|(line, _)| !tree::is_message(line));
    Ok(Box::new(links.map(|(line, number)| Row { line: number, fields: tree::object(line) })))
}

pub(super) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem).to_owned()
}
