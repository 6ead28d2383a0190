//! The map of a site (sitemaps.org): each `<loc>` of a `<urlset>` is a page to check.

use super::Look;
use super::pages::clean;
use crate::input::lines::Lines;
use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

pub(super) fn fits(look: &Look<'_>) -> bool {
    look.text.trim_start().starts_with('<') && look.text.contains("<urlset")
}

pub(super) fn rows<'a>(_: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let mut lines = Lines::of(text);
    let places = text.match_indices("<loc>");
    Ok(Box::new(places.map(move |(at, start)| {
        // One that is not closed ends where the next one begins.
        let inside = text[at + start.len()..].split("<loc>").next().unwrap_or_default();
        let inside = inside.split("</loc>").next().unwrap_or_default();
        let plain = inside.trim().strip_prefix("<![CDATA[").and_then(|it| it.strip_suffix("]]>"));
        let url = plain.map_or_else(|| clean(inside), |url| url.trim().to_owned());
        Row { line: lines.at(at), fields: Ok(Fields { url, ..Fields::default() }) }
    })))
}
