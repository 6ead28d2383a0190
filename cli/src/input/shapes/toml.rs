//! TOML, such as the data of a Hugo site: tables with a URL in arrays. It is written anew as JSON and read as such.

use serde::de::IgnoredAny;

use super::Look;
use super::tree::Links;
use crate::input::row::{Row, Rows};
use crate::input::{InputError, Source};

/// The first line is the head of a table, or of one in an array, or gives a key its value above such a head. `[7]` is JSON
/// as well, and taken for that.
pub(super) fn fits(look: &Look<'_>) -> bool {
    let gives_value = look.first.split_once('=').is_some_and(|(key, _)| is_key(key.trim()));
    (is_head(look.first) && serde_json::from_str::<IgnoredAny>(look.text).is_err())
        || (gives_value && look.text.lines().map(str::trim).any(is_head))
}

fn is_head(line: &str) -> bool {
    let inside = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
    inside.is_some_and(|name| is_key(name.trim_start_matches('[').trim_end_matches(']')))
}

fn is_key(name: &str) -> bool {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.chars().all(is_bare)
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
