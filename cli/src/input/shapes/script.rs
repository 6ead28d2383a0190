//! JavaScript and TypeScript, such as the `friends.ts` of a theme: the arrays and objects that stand in it.
//!
//! Each is written anew as JSON in which everything stands in the same line as before, and then read as JSON. What is no plain
//! value, such as a call, counts as null: nothing is carried out.

mod literal;

use super::tree::Links;
use super::{Look, MAX_WHOLE};
use crate::input::row::{Row, Rows};
use crate::input::{InputError, Source};

use literal::Literals;

/// How a script begins, below its comments.
const BEGINNINGS: [&str; 12] = [
    "export ",
    "import ",
    "const ",
    "let ",
    "var ",
    "interface ",
    "type ",
    "module.exports",
    "exports.",
    "window.",
    "'use strict'",
    "\"use strict\"",
];
/// How a line begins that says something.
const STATEMENTS: [&str; 7] = ["export ", "module.exports", "exports.", "const ", "let ", "var ", "window."];

pub(super) fn fits(look: &Look<'_>) -> bool {
    let text = literal::without_comments_before(look.text);
    let says_something = |line: &str| STATEMENTS.iter().any(|start| line.trim_start().starts_with(start));
    BEGINNINGS.iter().any(|start| text.starts_with(start))
        && text.contains(['[', '{'])
        // A page of MDX begins with imports, too, and may show code.
        && !text.lines().any(|line| line.starts_with("# ") || line.starts_with("## "))
        && text.lines().any(says_something)
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    if text.len() > MAX_WHOLE {
        return Err(InputError::TooLarge { at: source.clone(), limit: MAX_WHOLE as u64 });
    }
    let mut found: Option<Vec<Row>> = None;
    for (line, json) in Literals::of(text) {
        // The rows are collected, as they cannot outlive the JSON.
        if let Some(links) = Links::among_others(&json) {
            found.get_or_insert_default().extend(links.map(|row| Row { line: row.line + line - 1, ..row }));
        }
    }
    let rows = found.ok_or_else(|| InputError::NoList { at: source.clone(), shape: "JavaScript" })?;
    Ok(Box::new(rows.into_iter()))
}
