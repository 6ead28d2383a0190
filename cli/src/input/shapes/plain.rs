//! A plain list: one URL in a line, or a name and a URL. A line that begins with `#` or `//` is a comment, and so is what
//! follows a space and a `#`.

use super::csv::is_address;
use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

pub(super) fn rows<'a>(_: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let lines = text.lines().map(|line| without_comment(line.trim())).zip(1..);
    Ok(Box::new(
        lines
            .filter(|(line, _)| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//"))
            .map(|(text, line)| Row { line, fields: Ok(link(text)) }),
    ))
}

/// Only the last word may be the URL. What follows a URL may belong to it: somebody may have written a space in it.
fn link(line: &str) -> Fields {
    let named = line.rsplit_once(char::is_whitespace).filter(|(_, url)| is_address(url));
    let (name, url) = named.filter(|(name, _)| !name.contains("://")).unwrap_or(("", line));
    // `A | https://…`, `A: https://…`
    let name = name.trim_end_matches(|c: char| c.is_whitespace() || "|-–—:：,，=".contains(c));
    Fields { name: name.to_owned(), url: url.to_owned(), ..Fields::default() }
}

fn without_comment(line: &str) -> &str {
    let is_comment = |at: &usize| line[..*at].ends_with([' ', '\t']);
    let comment = line.match_indices('#').map(|(at, _)| at).find(is_comment);
    line[..comment.unwrap_or(line.len())].trim_end()
}
