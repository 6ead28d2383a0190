//! A plain list: one URL in a line. A line that begins with `#` is a comment.

use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

pub(super) fn rows<'a>(_: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let urls = text.lines().map(str::trim).zip(1..);
    Ok(Box::new(
        urls.filter(|(url, _)| !url.is_empty() && !url.starts_with('#'))
            .map(|(url, line)| Row { line, fields: Ok(Fields { url: url.to_owned(), ..Fields::default() }) }),
    ))
}
