//! `--format markdown`: for a GitHub issue or job summary (GitHub Flavored Markdown, "Tables").

use std::io::{self, Write};

use chrono::Utc;
use linkbeat_shared::{Link, Report, Run};

use super::listing::{Cell, Kind, Listing};
use super::summary::summary;
use super::words::{and_more, words};
use super::{Format, Prose};

/// Bytes of rows after which the rest of a report is only counted: an issue takes 65,536 characters.
const MAX_ROW_BYTES: usize = 60_000;

pub(super) struct Markdown {
    pub(super) prose: Prose,
}

impl Format for Markdown {
    fn report(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "### {}", summary(report, self.prose))?;
        let listing = Listing::of_report(report, self.prose);
        if listing.rows.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let left_out = write_table(&listing, MAX_ROW_BYTES, out)? + report.links_left_out;
        if left_out > 0 {
            writeln!(out, "\n{}", and_more(self.prose.lang, left_out))?;
        }
        Ok(())
    }

    fn links(&self, links: &[Link], out: &mut dyn Write) -> io::Result<()> {
        if links.is_empty() {
            return writeln!(out, "{}", words(self.prose.lang).no_links);
        }
        write_table(&Listing::of_links(links, Utc::now(), self.prose), usize::MAX, out).map(drop)
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        write_table(&Listing::of_runs(runs, self.prose.lang), usize::MAX, out).map(drop)
    }
}

/// Writes rows as long as they fit into `room` bytes, and gives the number of those that did not.
fn write_table(listing: &Listing, mut room: usize, out: &mut dyn Write) -> io::Result<u64> {
    let headings: Vec<_> = listing.columns.iter().map(|column| column.heading).collect();
    let rules: Vec<_> =
        listing.columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    writeln!(out, "| {} |\n| {} |", headings.join(" | "), rules.join(" | "))?;
    let mut left_out = 0;
    for row in &listing.rows {
        let cells: Vec<_> = row.iter().map(cell).collect();
        let line = format!("| {} |\n", cells.join(" | "));
        match room.checked_sub(line.len()) {
            Some(rest) if left_out == 0 => {
                room = rest;
                out.write_all(line.as_bytes())?;
            }
            _ => left_out += 1,
        }
    }
    Ok(left_out)
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
