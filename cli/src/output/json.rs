//! `--format json`: the report message of the broker, or an array of stored links or runs.

use std::io::{self, Write};

use linkbeat_shared::wire::{LinkItem, ReportMessage};
use linkbeat_shared::{Lang, Link, LinkReport, Run, RunSummary};
use serde::Serialize;

use super::link_item::StoredLinkItem;
use super::run_item::RunItem;
use super::{Begun, Format, Pages, Urls};

pub(super) struct Json {
    pub(super) lang: Lang,
    pub(super) urls: Urls,
}

/// Where the links of a report belong in the message, which is made without them.
const NO_LINKS: &str = "\"links\": []";

impl Format for Json {
    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        let message = serde_json::to_string_pretty(&ReportMessage::without_links(run, self.lang))?;
        let Some((before, after)) = message.split_once(NO_LINKS) else {
            return Err(io::Error::other("a report message has no place for links"));
        };
        write!(out, "{before}\"links\": ")?;
        let item = |link: &LinkReport| LinkItem::of(link, self.lang);
        Ok(Box::new(Array::begin(item, 2, after.to_owned(), out)?))
    }

    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link> {
        let item = |link: &Link| StoredLinkItem::of(link, self.lang, self.urls);
        Ok(Box::new(Array::begin(item, 0, String::new(), out)?))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &runs.iter().map(RunItem::of).collect::<Vec<_>>())?;
        writeln!(out)
    }
}

/// An array, laid out as serde_json does it.
struct Array<'a, F> {
    out: &'a mut dyn Write,
    item: F,
    /// Begins the line on which the array ends.
    line: String,
    /// What follows the array.
    after: String,
    empty: bool,
}

impl<'a, F> Array<'a, F> {
    /// Begins an array that stands `depth` levels deep.
    fn begin(item: F, depth: usize, after: String, out: &'a mut dyn Write) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self { out, item, line: format!("\n{}", "  ".repeat(depth)), after, empty: true })
    }
}

impl<T, I: Serialize, F: Fn(&T) -> I> Pages<T> for Array<'_, F> {
    fn page(&mut self, items: &[T]) -> io::Result<()> {
        let line = format!("{}  ", self.line);
        for item in items {
            // No text in it has a line break: JSON writes them as `\n`.
            let item = serde_json::to_string_pretty(&(self.item)(item))?.replace('\n', &line);
            let comma = if self.empty { "" } else { "," };
            self.empty = false;
            write!(self.out, "{comma}{line}{item}")?;
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        let line = if self.empty { "" } else { &self.line };
        writeln!(self.out, "{line}]{}", self.after)
    }
}
