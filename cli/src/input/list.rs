//! A plain list: one URL per line. A line that begins with `#` is a comment.

use super::row::{Fields, Row, Rows};

pub(super) fn rows(text: &str) -> Rows<'_> {
    let urls = text.lines().map(str::trim).zip(1..);
    Box::new(
        urls.filter(|(url, _)| !url.is_empty() && !url.starts_with('#'))
            .map(|(url, line)| Row { line, fields: Ok(Fields { url: url.to_owned(), ..Fields::default() }) }),
    )
}
