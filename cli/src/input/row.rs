//! One row: as text, in whatever format it was written, and as a link.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use linkbeat_shared::{
    Attributes, BadPauseEnd, LinkName, LinkUrl, NewLink, Pin, Tags, Without, check_pause_end,
};

use super::quote::quote;

/// One row of an input.
pub(super) struct Row {
    /// The line it begins in, from 1.
    pub(super) line: usize,
    /// Its fields, or why it has none.
    pub(super) fields: Result<Fields, Problem>,
}

/// The rows of a text, one by one.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = Row> + Send + 'a>;

/// The fields of a row as text. An empty text means: absent.
#[derive(Default)]
pub(super) struct Fields {
    /// linkbeat wrote the row, so each text in it means itself. Elsewhere some mean that there is none.
    pub(super) is_ours: bool,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) page_url: String,
    pub(super) active: String,
    pub(super) paused_until: String,
    pub(super) shown: String,
    pub(super) backlink: String,
    pub(super) group: String,
    pub(super) avatar: String,
    pub(super) description: String,
    pub(super) screenshot: String,
    pub(super) feed: String,
    pub(super) pin: String,
    pub(super) pin_note: String,
    pub(super) tags: Vec<String>,
}

/// What is wrong with a row.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) field: Option<&'static str>,
    pub(super) message: String,
}

impl Problem {
    /// Something wrong with one field.
    pub(super) fn of(field: &'static str, message: String) -> Self {
        Self { field: Some(field), message }
    }

    /// Something wrong with the whole row.
    pub(super) fn of_row(message: String) -> Self {
        Self { field: None, message }
    }
}

impl Fields {
    /// Parses each field. The first bad field is the problem.
    pub(super) fn parse(&self) -> Result<NewLink, Problem> {
        let link = url("url", &self.url)?;
        Ok(NewLink {
            name: self.present(&self.name, name)?,
            page_url: self.present(&self.page_url, |text| page(&link, text))?,
            url: link,
            active: self.present(&self.active, |text| boolean("active", text))?,
            // A list of somebody else's may mean something else by it.
            paused_until: self.paused_until.trim().parse().ok().filter(|until| !is_too_far(*until)),
            shown: self.present(&self.shown, |text| boolean("shown", text))?,
            backlink: self.present(&self.backlink, |text| boolean("backlink", text))?,
            group: self.usable(&self.group),
            without: Without::default(),
            attributes: self.attributes(),
            // A list of somebody else's may mean something else by it.
            pin: self.pin.parse().ok().map(|to| Pin { to, note: self.pin_note.parse().ok() }),
        })
    }

    /// What the list says of the link besides.
    fn attributes(&self) -> Attributes {
        Attributes {
            avatar: self.usable(&self.avatar),
            description: self.usable(&self.description),
            screenshot: self.usable(&self.screenshot),
            feed: self.usable(&self.feed),
            tags: Tags::usable(self.tags.iter().map(String::as_str)),
        }
    }

    fn is_absent(&self, text: &str) -> bool {
        text.trim().is_empty() || (!self.is_ours && is_none(text))
    }

    fn present<T>(
        &self,
        text: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        if self.is_absent(text) { Ok(None) } else { parse(text.trim()).map(Some) }
    }

    /// What is kept of a link besides. What is beyond its bounds is left out: no check needs it.
    fn usable<T: FromStr>(&self, text: &str) -> Option<T> {
        Some(text).filter(|text| !self.is_absent(text)).and_then(|text| text.parse().ok())
    }
}

/// Whether no pause may end so late.
fn is_too_far(until: DateTime<Utc>) -> bool {
    matches!(check_pause_end(until, Utc::now()), Err(BadPauseEnd::TooFar(_)))
}

/// What people write where there is nothing.
fn is_none(text: &str) -> bool {
    let text = text.trim();
    ["无", "無", "暂无", "没有", "-", "--", "—", "——"].contains(&text)
        || ["n/a", "none"].iter().any(|none| text.eq_ignore_ascii_case(none))
}

/// A links page, which may be given as seen from the link.
fn page(link: &LinkUrl, text: &str) -> Result<LinkUrl, Problem> {
    let is_relative = text.starts_with(['/', '?']) || text.starts_with("./") || text.starts_with("../");
    match link.join(text) {
        Ok(page) if is_relative => Ok(page),
        _ => url("page_url", text),
    }
}

fn name(text: &str) -> Result<LinkName, Problem> {
    LinkName::parse(text).map_err(|error| Problem::of("name", format!("{error} (`{}`)", quote(text))))
}

fn url(field: &'static str, text: &str) -> Result<LinkUrl, Problem> {
    LinkUrl::parse(text).map_err(|error| match text.trim() {
        "" => Problem::of(field, error.to_string()),
        text if text.starts_with('$') => {
            let problem = format!("`{}` stands for a URL that is not known here; write the URL", quote(text));
            Problem::of(field, problem)
        }
        text => Problem::of(field, format!("{error} (`{}`)", quote(text))),
    })
}

fn boolean(field: &'static str, text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "是" => Ok(true),
        "false" | "0" | "no" | "否" => Ok(false),
        _ => Err(Problem::of(field, format!("`{}` is neither yes nor no; write true or false", quote(text)))),
    }
}
