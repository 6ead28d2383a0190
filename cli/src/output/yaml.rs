//! `--format yaml`: what `json` has, as a list for Jekyll, Hugo and the like. A report has its links at its end, so that
//! they can be written while they are read.
//!
//! Texts are written as JSON has them, which every reader of YAML takes.

use std::io::{self, Write};

use linkbeat_shared::wire::{LinkItem, ReportMessage};
use linkbeat_shared::{Lang, Link, LinkReport, Run, RunSummary};
use serde::Serialize;

use super::link_item::StoredLinkItem;
use super::run_item::RunItem;
use super::{Begun, Format, Pages, Urls};

pub(super) struct Yaml {
    pub(super) lang: Lang,
    pub(super) urls: Urls,
}

impl Format for Yaml {
    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        let message = ReportMessage::without_links(run, self.lang);
        members(&message, "data", "", out)?;
        writeln!(out, "data:")?;
        members(&message.data, "links", "  ", out)?;
        write!(out, "  links:")?;
        let item = |link: &LinkReport| LinkItem::of(link, self.lang);
        Ok(Box::new(Items { out, item, indent: "    ", is_empty: true }))
    }

    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link> {
        let item = |link: &Link| StoredLinkItem::of(link, self.lang, self.urls);
        Ok(Box::new(Items { out, item, indent: "", is_empty: true }))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        let mut items = Box::new(Items { out, item: RunItem::of, indent: "", is_empty: true });
        items.page(runs)?;
        items.end()
    }
}

/// A list, an item at a time.
struct Items<'a, F> {
    out: &'a mut dyn Write,
    item: F,
    indent: &'static str,
    is_empty: bool,
}

impl<T, I: Serialize, F: Fn(&T) -> I> Pages<T> for Items<'_, F> {
    fn page(&mut self, items: &[T]) -> io::Result<()> {
        for item in items {
            // The list stands below its name.
            if self.is_empty && !self.indent.is_empty() {
                writeln!(self.out)?;
            }
            self.is_empty = false;
            let mut text = Vec::new();
            members(&(self.item)(item), "", "", &mut text)?;
            for (number, line) in String::from_utf8_lossy(&text).lines().enumerate() {
                let mark = if number == 0 { "- " } else { "  " };
                writeln!(self.out, "{}{mark}{line}", self.indent)?;
            }
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        match (self.is_empty, self.indent) {
            (false, _) => Ok(()),
            (true, "") => writeln!(self.out, "[]"),
            (true, _) => writeln!(self.out, " []"),
        }
    }
}

/// The members of an object in their order, one in a line, but for the one named `without`. Lists and objects in them
/// are written in one line.
fn members(object: &impl Serialize, without: &str, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(object)?;
    let mut members: Vec<(&str, String)> = Vec::new();
    // No text in it has a line break: JSON writes them as `\n`.
    for line in json.lines() {
        let member = line.strip_prefix("  \"").and_then(|line| line.split_once("\": "));
        match (member, members.last_mut()) {
            (Some((name, value)), _) => members.push((name, value.to_owned())),
            (None, Some((_, value))) if line != "}" => {
                value.push_str(if line.ends_with([']', '}']) || value.ends_with(['[', '{']) {
                    ""
                } else {
                    " "
                });
                value.push_str(line.trim());
            }
            (None, _) => {}
        }
    }
    let members = members.iter().filter(|(name, _)| *name != without);
    members
        .map(|(name, value)| (name, value.strip_suffix(',').unwrap_or(value)))
        .try_for_each(|(name, value)| writeln!(out, "{indent}{name}: {value}"))
}
