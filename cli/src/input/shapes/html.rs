//! HTML, such as a blog's page of friends or a browser's bookmarks: each `<a href>` with a whole address.
//!
//! Relative addresses are passed over, as are mail addresses: they lead around in the page's own site.

use std::cell::RefCell;

use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, Settings, element, text};

use super::Look;
use super::csv::is_address;
use super::pages::{self, clean};
use crate::input::lines::Lines;
use crate::input::row::{Fields, Row, Rows};
use crate::input::{InputError, Source};

/// Elements that do not end a text.
const INLINE: [&str; 9] = ["b", "strong", "i", "em", "u", "font", "code", "mark", "wbr"];
const HEADINGS: &str = "h1, h2, h3, h4, h5, h6";

pub(super) fn fits(look: &Look<'_>) -> bool {
    let text = look.text.trim_start();
    let is_page =
        |start: &str| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    is_page("<!doctype") || is_page("<html") || (text.starts_with('<') && contains_anchor(text))
}

fn contains_anchor(text: &str) -> bool {
    text.match_indices(['a', 'A']).any(|(at, _)| {
        text[..at].ends_with('<') && text[at + 1..].starts_with(|next: char| next.is_ascii_whitespace())
    })
}

pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let page = RefCell::new(Page::default());
    let settings = Settings::new()
        .with_strict(false)
        .append_element_content_handler(element!(HEADINGS, |_| {
            page.borrow_mut().heading.clear();
            Ok(())
        }))
        .append_element_content_handler(text!(HEADINGS, |text| {
            page.borrow_mut().heading += text.as_str();
            Ok(())
        }))
        .append_element_content_handler(element!("a[href]", |link| {
            page.borrow_mut().begin(link);
            Ok(())
        }))
        .append_element_content_handler(element!("a[href] *", |inside| {
            page.borrow_mut().go_inside(inside);
            Ok(())
        }))
        .append_element_content_handler(text!("a[href]", |text| {
            page.borrow_mut().texts += text.as_str();
            Ok(())
        }));
    let mut reader = HtmlRewriter::new(settings, |_: &[u8]| {});
    let read = reader.write(text.as_bytes()).and_then(|()| reader.end());
    read.map_err(|error| InputError::Html { at: source.clone(), problem: error.to_string() })?;
    let mut page = page.into_inner();
    page.end();
    let mut lines = Lines::of(text);
    let rows = page.links.into_iter().map(|(at, fields)| Row { line: lines.at(at), fields: Ok(fields) });
    let mut rows = pages::each_once(rows.collect());
    // A picture alone may say in its title what it leads to.
    for fields in rows.iter_mut().filter_map(|row| row.fields.as_mut().ok()) {
        if fields.name.is_empty() {
            fields.name = std::mem::take(&mut fields.description);
        }
    }
    Ok(Box::new(rows.into_iter()))
}

/// What was seen of a page.
#[derive(Default)]
struct Page {
    /// Each link, and where it stands.
    links: Vec<(usize, Fields)>,
    /// The texts in the link that is open, a line for each element in it.
    texts: String,
    is_open: bool,
    heading: String,
}

impl Page {
    fn begin(&mut self, link: &Element<'_, '_>) {
        self.end();
        let mut url = attribute(link, "href").trim().to_owned();
        if url.starts_with("//") {
            url.insert_str(0, "https:");
        }
        self.is_open = is_address(&url);
        if self.is_open {
            let group = clean(&self.heading);
            let fields = Fields { url, group, description: attribute(link, "title"), ..Fields::default() };
            self.links.push((link.source_location().bytes().start, fields));
        }
    }

    fn go_inside(&mut self, element: &Element<'_, '_>) {
        if !INLINE.contains(&element.tag_name().as_str()) {
            self.texts.push('\n');
        }
        let Some((_, link)) = self.links.last_mut().filter(|_| self.is_open) else { return };
        if element.tag_name() == "img" && link.avatar.is_empty() {
            let places = ["data-src", "data-lazy-src", "src"].map(|name| attribute(element, name));
            link.avatar = places.into_iter().find(|place| !place.is_empty()).unwrap_or_default();
            link.name = attribute(element, "alt");
        }
    }

    /// The first text in a link is its name, and the others say what it is about.
    fn end(&mut self) {
        let texts = std::mem::take(&mut self.texts);
        let Some((_, link)) = self.links.last_mut().filter(|_| self.is_open) else { return };
        self.is_open = false;
        let mut texts = texts.lines().map(clean).filter(|text| !text.is_empty());
        if let Some(name) = texts.next() {
            link.name = name;
        }
        let others = texts.collect::<Vec<_>>().join(" ");
        if !others.is_empty() {
            link.description = others;
        }
    }
}

fn attribute(element: &Element<'_, '_>, name: &str) -> String {
    element.get_attribute(name).map(|value| clean(&value)).unwrap_or_default()
}
