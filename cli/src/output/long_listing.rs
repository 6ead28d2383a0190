//! A listing whose rows come page by page.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use linkbeat_shared::Link;

use super::listing::{Cell, Column, Listing, link_columns, link_row};
use super::words::words;
use super::{Pages, Prose};

/// So many rows decide which columns there are and how wide they begin. A listing that has no more is drawn as a
/// whole.
const FIRST_ROWS: usize = 10_000;

/// Draws a listing of any length.
pub(super) trait Draw {
    /// Writes the headings and the first rows.
    fn begin(&mut self, first: &Listing, out: &mut dyn Write) -> io::Result<()>;

    /// Writes one more row.
    fn row(&mut self, row: &[Cell], out: &mut dyn Write) -> io::Result<()>;
}

/// Holds the first rows back, and draws the others at once.
pub(super) struct LongListing<D> {
    draw: D,
    /// The rows that are not drawn yet; `None`: it has begun.
    first: Option<Listing>,
}

impl<D: Draw> LongListing<D> {
    pub(super) fn new(columns: Vec<Column>, draw: D) -> Self {
        Self { draw, first: Some(Listing::new(columns)) }
    }

    pub(super) fn row(&mut self, row: Vec<Cell>, out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = &mut self.first else { return self.draw.row(&row, out) };
        if first.rows.len() == FIRST_ROWS {
            // The rows to come may fill a column that is empty so far: all columns stay.
            self.draw.begin(first, out)?;
            self.first = None;
            return self.draw.row(&row, out);
        }
        first.rows.push(row);
        Ok(())
    }

    /// Draws what is left. Returns whether there was any row.
    pub(super) fn end(self, out: &mut dyn Write) -> io::Result<bool> {
        let Self { mut draw, first: Some(mut first) } = self else { return Ok(true) };
        if first.rows.is_empty() {
            return Ok(false);
        }
        first.drop_empty_columns();
        draw.begin(&first, out)?;
        Ok(true)
    }
}

/// Stored links, all of them, as they come.
pub(super) struct StoredLinks<'a, D> {
    rows: LongListing<D>,
    now: DateTime<Utc>,
    prose: Prose,
    out: &'a mut dyn Write,
}

impl<'a, D: Draw> StoredLinks<'a, D> {
    pub(super) fn new(draw: D, prose: Prose, out: &'a mut dyn Write) -> Self {
        Self { rows: LongListing::new(link_columns(prose.lang), draw), now: Utc::now(), prose, out }
    }
}

impl<D: Draw> Pages<Link> for StoredLinks<'_, D> {
    fn page(&mut self, links: &[Link]) -> io::Result<()> {
        links.iter().try_for_each(|link| self.rows.row(link_row(link, self.now, self.prose), self.out))
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        match self.rows.end(self.out)? {
            true => Ok(()),
            false => writeln!(self.out, "{}", words(self.prose.lang).no_links),
        }
    }
}
