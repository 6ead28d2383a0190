//! JSON: objects with a URL in arrays, see [`super::tree`]. JSON Lines: one such object in each line, as linkbeat writes
//! them.

use serde_json::value::RawValue;

use super::tree::{self, Links};
use super::{Look, MAX_WHOLE, markdown, toml};
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

/// The whole text is looked through first, so a text that is no JSON gives no link. People write comments and a comma behind
/// the last value: these are passed over.
pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let no_list = || InputError::NoList { at: source.clone(), shape: "JSON" };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => Ok(Box::new(Links::of(text, value.get()).ok_or_else(no_list)?)),
        Err(error) if text.len() > MAX_WHOLE => Err(no_json(source, &error)),
        Err(_) => {
            let plain = without_comments(text);
            let value = serde_json::from_str::<&RawValue>(&plain).map_err(|error| no_json(source, &error))?;
            // The rows are collected, as they cannot outlive the text.
            let rows: Vec<Row> = Links::of(&plain, value.get()).ok_or_else(no_list)?.collect();
            Ok(Box::new(rows.into_iter()))
        }
    }
}

fn no_json(source: &Source, error: &serde_json::Error) -> InputError {
    InputError::Json {
        at: source.clone(),
        line: error.line(),
        column: error.column(),
        problem: without_position(error),
    }
}

/// The text with white space in the place of comments, and of commas with no value behind them.
fn without_comments(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let (mut at, mut comma) = (0, None);
    while at < bytes.len() {
        let comment = match &bytes[at..] {
            [b'/', b'/', ..] => Some(text[at..].find('\n').unwrap_or(text.len() - at)),
            [b'/', b'*', ..] => Some(text[at..].find("*/").map_or(text.len() - at, |end| end + 2)),
            _ => None,
        };
        match bytes[at] {
            _ if comment.is_some() => {
                let comment = &mut bytes[at..at + comment.unwrap_or_default()];
                comment.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
                at += comment.len();
                continue;
            }
            b'"' => {
                comma = None;
                at += length_of_string(&bytes[at..]);
                continue;
            }
            b',' => comma = Some(at),
            b']' | b'}' => {
                if let Some(comma) = comma.take() {
                    bytes[comma] = b' ';
                }
            }
            byte if !byte.is_ascii_whitespace() => comma = None,
            _ => {}
        }
        at += 1;
    }
    // Only whole comments and commas were taken away.
    String::from_utf8(bytes).unwrap_or_default()
}

/// How long a string is, with its quotes.
fn length_of_string(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    let ends = |byte: &u8| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    };
    bytes.iter().skip(1).position(ends).map_or(bytes.len(), |at| at + 2)
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
