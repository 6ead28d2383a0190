//! What Markdown and HTML have in common: texts with markup, and links that stand in a page more than once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use linkbeat_shared::LinkUrl;

use crate::input::row::{Fields, Row};

/// The most characters of a name: in a page the text of a link may be a whole sentence.
const MAX_NAME: usize = 200;

/// The text without entities, in one line.
pub(super) fn clean(text: &str) -> String {
    let text = htmlize::unescape(text).replace('\u{200b}', "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Each link once, where it stands first. What the others say of it fills what the first one leaves open: a page often
/// has one link around a picture and another around the name.
pub(super) fn each_once(rows: Vec<Row>) -> Vec<Row> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let Ok(mut fields) = row.fields else { continue };
        fields.name = fields.name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        let key = LinkUrl::parse(&fields.url).map_or_else(|_| fields.url.clone(), |url| url.key());
        match first.entry(key) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(Row { line: row.line, fields: Ok(fields) });
            }
            Entry::Occupied(place) => {
                if let Some(Ok(known)) = kept.get_mut(*place.get()).map(|row| row.fields.as_mut()) {
                    fill(known, fields);
                }
            }
        }
    }
    kept
}

fn fill(known: &mut Fields, more: Fields) {
    for (known, more) in [
        (&mut known.name, more.name),
        (&mut known.avatar, more.avatar),
        (&mut known.description, more.description),
        (&mut known.group, more.group),
    ] {
        if known.is_empty() {
            *known = more;
        }
    }
}
