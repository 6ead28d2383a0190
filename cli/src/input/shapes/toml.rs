//! TOML, such as the data of a Hugo site: tables with a URL in arrays. It is written anew as JSON and read as such.

use serde::de::IgnoredAny;

use super::Look;
use super::tree::Links;
use crate::input::row::{Row, Rows};
use crate::input::{InputError, Source};

/// The first line is the head of a table, or of one in an array. `[7]` is JSON as well, and taken for that.
pub(super) fn fits(look: &Look<'_>) -> bool {
    let name = look.first.trim_start_matches('[').trim_end_matches(']');
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_head = look.first.starts_with('[') && look.first.ends_with(']') && !name.is_empty();
    is_head && name.chars().all(is_key) && serde_json::from_str::<IgnoredAny>(look.text).is_err()
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let line_of = |offset| 1 + text.get(..offset).unwrap_or_default().matches('\n').count();
    let value: serde_json::Value = toml::from_str(text).map_err(|error| InputError::Toml {
        at: source.clone(),
        line: error.span().map_or(1, |span| line_of(span.start)),
        problem: error.message().lines().next().unwrap_or_default().to_owned(),
    })?;
    let json = value.to_string();
    let links =
        Links::of(&json, &json).ok_or_else(|| InputError::NoList { at: source.clone(), shape: "TOML" })?;
    // Its values have no place in the text. A link stands where its URL does.
    let rows = links.map(|row| {
        let url = row.fields.as_ref().ok().map(|fields| fields.url.as_str()).filter(|url| !url.is_empty());
        Row { line: url.and_then(|url| text.find(url)).map_or(1, line_of), ..row }
    });
    Ok(Box::new(rows.collect::<Vec<_>>().into_iter()))
}
