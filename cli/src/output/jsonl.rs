//! `--format jsonl`: one link per line; a report ends with its counts, told by their `schema` field.

use std::io::{self, Write};

use linkbeat_shared::wire::{LinkItem, ReportMessage};
use linkbeat_shared::{Lang, Link, LinkReport, Run, RunSummary};
use serde::Serialize;

use super::link_item::StoredLinkItem;
use super::run_item::RunItem;
use super::{Begun, Format, Pages, Urls};

pub(super) struct Jsonl {
    pub(super) lang: Lang,
    pub(super) urls: Urls,
}

impl Format for Jsonl {
    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        let item = |link: &LinkReport| LinkItem::of(link, self.lang);
        Ok(Box::new(Lines { out, item, last: Some(ReportMessage::without_links(run, self.lang)) }))
    }

    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link> {
        let item = |link: &Link| StoredLinkItem::of(link, self.lang, self.urls);
        Ok(Box::new(Lines { out, item, last: None }))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        runs.iter().try_for_each(|run| write_line(&RunItem::of(run), out))
    }
}

/// A line for each item, and one that ends a report.
struct Lines<'a, F> {
    out: &'a mut dyn Write,
    item: F,
    last: Option<ReportMessage>,
}

impl<T, I: Serialize, F: Fn(&T) -> I> Pages<T> for Lines<'_, F> {
    fn page(&mut self, items: &[T]) -> io::Result<()> {
        items.iter().try_for_each(|item| write_line(&(self.item)(item), self.out))
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        match self.last {
            Some(last) => write_line(&last, self.out),
            None => Ok(()),
        }
    }
}

fn write_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
