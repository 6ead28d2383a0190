//! `--format json`: the report message of the broker, or an array of stored links or runs.

use std::io::{self, Write};

use linkbeat_shared::wire::ReportMessage;
use linkbeat_shared::{Lang, Link, Report, Run};
use serde::Serialize;

use super::Format;
use super::link_item::StoredLinkItem;
use super::run_item::RunItem;

pub(super) struct Json {
    pub(super) lang: Lang,
}

impl Format for Json {
    fn report(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        write(&ReportMessage::of(report, self.lang), out)
    }

    fn links(&self, links: &[Link], out: &mut dyn Write) -> io::Result<()> {
        let items: Vec<_> = links.iter().map(|link| StoredLinkItem::of(link, self.lang)).collect();
        write(&items, out)
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        write(&runs.iter().map(RunItem::of).collect::<Vec<_>>(), out)
    }
}

fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
