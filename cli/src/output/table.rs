//! `--format table`: for people at a terminal.

use std::io::{self, Write};

use chrono::Utc;
use linkbeat_shared::{Link, Report, Run, RunState};

use super::listing::Listing;
use super::summary::summary;
use super::words::{and_more, words};
use super::{Format, Prose, Style, grid};

pub(super) struct Table {
    pub(super) prose: Prose,
    pub(super) style: Style,
}

impl Format for Table {
    fn report(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let listing = Listing::of_report(report, self.prose);
        let summary = summary(report, self.prose);
        if listing.rows.is_empty() {
            let passed = report.counts.active > 0 && report.counts.all_passed();
            return match passed && report.state == RunState::Finished {
                true => writeln!(out, "{} · {summary}", words(self.prose.lang).all_is_well),
                false => writeln!(out, "{summary}"),
            };
        }
        grid::write(&listing, self.style, out)?;
        if report.links_left_out > 0 {
            writeln!(out, "{}", and_more(self.prose.lang, report.links_left_out))?;
        }
        writeln!(out, "\n{summary}")
    }

    fn links(&self, links: &[Link], out: &mut dyn Write) -> io::Result<()> {
        if links.is_empty() {
            return writeln!(out, "{}", words(self.prose.lang).no_links);
        }
        grid::write(&Listing::of_links(links, Utc::now(), self.prose), self.style, out)
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        grid::write(&Listing::of_runs(runs, self.prose.lang), self.style, out)
    }
}
