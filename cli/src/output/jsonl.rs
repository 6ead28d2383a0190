//! `--format jsonl`: one link per line; a report ends with its counts, told by their `schema` field.

use std::io::{self, Write};

use linkbeat_shared::wire::{LinkItem, ReportMessage};
use linkbeat_shared::{Lang, Link, Report, Run};
use serde::Serialize;

use super::Format;
use super::link_item::StoredLinkItem;
use super::run_item::RunItem;

pub(super) struct Jsonl {
    pub(super) lang: Lang,
}

impl Format for Jsonl {
    fn report(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        for link in &report.links {
            write_line(&LinkItem::of(link, self.lang), out)?;
        }
        let counts = Report { links: Vec::new(), ..*report };
        write_line(&ReportMessage::of(&counts, self.lang), out)
    }

    fn links(&self, links: &[Link], out: &mut dyn Write) -> io::Result<()> {
        links.iter().try_for_each(|link| write_line(&StoredLinkItem::of(link, self.lang), out))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        runs.iter().try_for_each(|run| write_line(&RunItem::of(run), out))
    }
}

fn write_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
