//! `--format table`: for people at a terminal.

use std::io::{self, Write};

use linkbeat_shared::{Link, LinkReport, Run, RunState, RunSummary};
use linkbeat_store::ReportLinks;

use super::grid::Grid;
use super::listing::Listing;
use super::long_listing::{LongListing, StoredLinks};
use super::report_rows::{self, ReportRows};
use super::summary::summary;
use super::words::words;
use super::{Begun, Format, Pages, Prose, Style, grid};

pub(super) struct Table {
    pub(super) prose: Prose,
    pub(super) style: Style,
}

impl Format for Table {
    fn selections(&self, run: &RunSummary) -> Vec<ReportLinks> {
        report_rows::selections(run)
    }

    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        let rows = ReportRows::new(run, self.prose);
        let listing = LongListing::new(rows.columns(), Grid::new(self.style));
        Ok(Box::new(ReportTable { run, prose: self.prose, rows, listing, out }))
    }

    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link> {
        Ok(Box::new(StoredLinks::new(Grid::new(self.style), self.prose, out)))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        grid::write(&Listing::of_runs(runs, self.prose.lang), self.style, out)
    }
}

/// The links of a run that are worth a row, and the summary below them.
struct ReportTable<'a> {
    run: &'a RunSummary,
    prose: Prose,
    rows: ReportRows,
    listing: LongListing<Grid>,
    out: &'a mut dyn Write,
}

impl Pages<LinkReport> for ReportTable<'_> {
    fn page(&mut self, links: &[LinkReport]) -> io::Result<()> {
        for link in links {
            if let Some(row) = self.rows.row(link) {
                self.listing.row(row, self.out)?;
            }
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        let summary = summary(self.run, self.rows.remarked, self.prose);
        if self.listing.end(self.out)? {
            return writeln!(self.out, "\n{summary}");
        }
        let passed = self.run.counts.active > 0 && self.run.counts.all_passed();
        match passed && self.run.state == RunState::Finished {
            true => writeln!(self.out, "{} · {summary}", words(self.prose.lang).all_is_well),
            false => writeln!(self.out, "{summary}"),
        }
    }
}
