//! A plain list: one URL in a line. A line that begins with `#` is a comment, and so is what follows a space and a `#`.

use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

pub(super) fn rows<'a>(_: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let urls = text.lines().map(|line| without_comment(line.trim())).zip(1..);
    Ok(Box::new(
        urls.filter(|(url, _)| !url.is_empty() && !url.starts_with('#'))
            .map(|(url, line)| Row { line, fields: Ok(Fields { url: url.to_owned(), ..Fields::default() }) }),
    ))
}

fn without_comment(line: &str) -> &str {
    let is_comment = |at: &usize| line[..*at].ends_with([' ', '\t']);
    let comment = line.match_indices('#').map(|(at, _)| at).find(is_comment);
    line[..comment.unwrap_or(line.len())].trim_end()
}
