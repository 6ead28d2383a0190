//! `--format markdown`: for a GitHub issue or job summary (GitHub Flavored Markdown, "Tables").

use std::io::{self, Write};

use linkbeat_shared::{Link, LinkReport, Run, RunSummary};
use linkbeat_store::ReportLinks;

use super::listing::{Cell, Column, Kind, Listing};
use super::long_listing::{Draw, StoredLinks};
use super::report_rows::{self, ReportRows};
use super::summary::summary;
use super::words::and_more;
use super::{Begun, Format, Pages, Prose};

/// Bytes of rows after which the rest of a report is only counted: an issue takes 65,536 characters.
const MAX_ROW_BYTES: usize = 60_000;

pub(super) struct Markdown {
    pub(super) prose: Prose,
}

impl Format for Markdown {
    fn selections(&self, run: &RunSummary) -> Vec<ReportLinks> {
        report_rows::selections(run)
    }

    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        let rows = ReportRows::new(run, self.prose);
        Ok(Box::new(MarkdownReport { run, prose: self.prose, rows, lines: String::new(), left_out: 0, out }))
    }

    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link> {
        Ok(Box::new(StoredLinks::new(MarkdownTable, self.prose, out)))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        MarkdownTable.begin(&Listing::of_runs(runs, self.prose.lang), out)
    }
}

/// The summary of a run, and below it the links that are worth a row, as many as fit. The summary counts something
/// of every link, so all is written at the end.
struct MarkdownReport<'a> {
    run: &'a RunSummary,
    prose: Prose,
    rows: ReportRows,
    lines: String,
    left_out: u64,
    out: &'a mut dyn Write,
}

impl Pages<LinkReport> for MarkdownReport<'_> {
    fn page(&mut self, links: &[LinkReport]) -> io::Result<()> {
        for link in links {
            let Some(row) = self.rows.row(link) else { continue };
            let line = line(&row);
            if self.left_out == 0 && self.lines.len() + line.len() <= MAX_ROW_BYTES {
                self.lines += &line;
            } else {
                self.left_out += 1;
            }
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        writeln!(self.out, "### {}", summary(self.run, self.rows.remarked, self.prose))?;
        if !self.lines.is_empty() {
            writeln!(self.out)?;
            headings(&self.rows.columns(), self.out)?;
            self.out.write_all(self.lines.as_bytes())?;
        }
        if self.left_out > 0 {
            writeln!(self.out, "\n{}", and_more(self.prose.lang, self.left_out))?;
        }
        Ok(())
    }
}

struct MarkdownTable;

impl Draw for MarkdownTable {
    fn begin(&mut self, first: &Listing, out: &mut dyn Write) -> io::Result<()> {
        headings(&first.columns, out)?;
        first.rows.iter().try_for_each(|row| self.row(row, out))
    }

    fn row(&mut self, row: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(line(row).as_bytes())
    }
}

fn headings(columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
    let headings: Vec<_> = columns.iter().map(|column| column.heading).collect();
    let rules: Vec<_> = columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    writeln!(out, "| {} |\n| {} |", headings.join(" | "), rules.join(" | "))
}

fn line(row: &[Cell]) -> String {
    let cells: Vec<_> = row.iter().map(cell).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn cell(cell: &Cell) -> String {
    match cell.kind {
        // An autolink takes no escapes, and a canonical URL has nothing but the pipe that needs one.
        Kind::Url => format!("<{}>", cell.text.replace('|', "%7C")),
        _ => escape(&cell.text),
    }
}

/// Entities, since they can never be markup (CommonMark 0.31 §2.5). The zero width space keeps GitHub
/// from telling somebody called `@name`, and from linking the issue `#1`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '!' => {
                escaped += &format!("&#{};", u32::from(c));
            }
            '@' | '#' => escaped += &format!("{c}&#8203;"),
            c => escaped.push(c),
        }
    }
    escaped
}
