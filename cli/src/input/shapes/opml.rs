//! OPML, as feed readers and blogrolls write it: `<outline text="…" htmlUrl="…" xmlUrl="…"/>`.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::Look;
use crate::input::lines::Lines;
use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

const OUTLINE: &str = "outline";

pub(super) fn fits(look: &Look<'_>) -> bool {
    look.text.trim_start().starts_with('<') && look.text.contains("<opml")
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let mut reader = Reader::from_str(text);
    let (mut lines, mut rows) = (Lines::of(text), Vec::new());
    // The names of the sections around.
    let mut sections: Vec<String> = Vec::new();
    loop {
        let line = lines.at(usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        let event = reader.read_event();
        let event = event.map_err(|error| InputError::Xml {
            at: source.clone(),
            line,
            problem: error.to_string(),
        })?;
        match event {
            Event::Start(tag) if tag.name().as_ref() == OUTLINE => {
                rows.extend(link(&tag, line, sections.last()));
                sections.push(attribute(&tag, "text").or(attribute(&tag, "title")).unwrap_or_default());
            }
            Event::Empty(tag) if tag.name().as_ref() == OUTLINE => {
                rows.extend(link(&tag, line, sections.last()));
            }
            Event::End(tag) if tag.name().as_ref() == OUTLINE => drop(sections.pop()),
            Event::Eof => return Ok(Box::new(rows.into_iter())),
            _ => {}
        }
    }
}

/// The link that an outline is. One without any address is a section. Where the page is not said, the feed is checked.
fn link(tag: &BytesStart<'_>, line: usize, section: Option<&String>) -> Option<Row> {
    let url = ["htmlUrl", "url", "xmlUrl"].into_iter().find_map(|name| attribute(tag, name))?;
    let text = |name| attribute(tag, name).unwrap_or_default();
    let name = attribute(tag, "text").unwrap_or_else(|| text("title"));
    let (description, feed) = (text("description"), text("xmlUrl"));
    let tags = text("category").split(',').map(str::to_owned).collect();
    let group = section.cloned().unwrap_or_default();
    Some(Row { line, fields: Ok(Fields { name, url, description, feed, tags, group, ..Fields::default() }) })
}

pub(super) fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let attribute = attributes.find(|attribute| attribute.key.as_ref().eq_ignore_ascii_case(wanted))?;
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
    (!value.trim().is_empty()).then(|| value.into_owned())
}
