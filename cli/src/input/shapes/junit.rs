//! linkbeat's own `junit`: the name of each test case is the link's name and its URL.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::Look;
use super::opml::attribute;
use crate::input::lines::Lines;
use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

pub(super) fn fits(look: &Look<'_>) -> bool {
    look.text.trim_start().starts_with('<') && look.text.contains("<testsuite")
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let mut reader = Reader::from_str(text);
    let (mut lines, mut rows) = (Lines::of(text), Vec::new());
    loop {
        let line = lines.at(usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        let event = reader.read_event();
        let event = event.map_err(|error| InputError::Xml {
            at: source.clone(),
            line,
            problem: error.to_string(),
        })?;
        match event {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "testcase" => {
                let name = attribute(&tag, "name").unwrap_or_default();
                // The case of a run that is not finished names no link.
                if let Some((name, url)) = name.rsplit_once(' ').filter(|(_, url)| url.contains("://")) {
                    let (name, url) = (name.to_owned(), url.to_owned());
                    rows.push(Row {
                        line,
                        fields: Ok(Fields { is_ours: true, name, url, ..Fields::default() }),
                    });
                }
            }
            Event::Eof => return Ok(Box::new(rows.into_iter())),
            _ => {}
        }
    }
}
