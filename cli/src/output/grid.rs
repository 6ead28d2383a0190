//! Draws a listing with aligned columns.
//!
//! Width is counted in terminal columns, of which a Chinese character takes two (Unicode Standard
//! Annex #11), and too wide a grid is narrowed where that hurts least: the widest column first.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Style;
use super::listing::{Cell, Column, Kind, Listing};
use super::long_listing::Draw;

/// What stands between two columns.
const GAP: &str = "  ";

/// Writes the headings and the rows, one line each.
pub(super) fn write(listing: &Listing, style: Style, out: &mut dyn Write) -> io::Result<()> {
    Grid::new(style).begin(listing, out)
}

/// A grid that takes more rows. A row with a wider cell widens the column from there on.
pub(super) struct Grid {
    style: Style,
    columns: Vec<Column>,
    /// Of each column, the width of its widest cell so far.
    widest: Vec<usize>,
    /// Of each column, the width it is drawn with.
    widths: Vec<usize>,
}

impl Grid {
    pub(super) fn new(style: Style) -> Self {
        Self { style, columns: Vec::new(), widest: Vec::new(), widths: Vec::new() }
    }

    /// Makes room for a row. Returns whether more is needed than before.
    fn widen(&mut self, row: &[Cell]) -> bool {
        let mut wider = false;
        for (widest, cell) in self.widest.iter_mut().zip(row) {
            let width = cell.text.width();
            wider |= width > *widest;
            *widest = width.max(*widest);
        }
        wider
    }

    fn line<'a>(&self, cells: impl Iterator<Item = (&'a str, Ansi)>, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for (index, ((text, ansi), (column, &width))) in
            cells.zip(self.columns.iter().zip(&self.widths)).enumerate()
        {
            let text = shorten(text, width);
            let spare = " ".repeat(width.saturating_sub(text.width()));
            let (before, after) = if column.number { (spare.as_str(), "") } else { ("", spare.as_str()) };
            let gap = if index == 0 { "" } else { GAP };
            line += &format!("{gap}{before}{ansi}{text}{ansi:#}{after}");
        }
        writeln!(out, "{}", line.trim_end())
    }
}

impl Draw for Grid {
    fn begin(&mut self, first: &Listing, out: &mut dyn Write) -> io::Result<()> {
        self.columns.clone_from(&first.columns);
        self.widest = self.columns.iter().map(|column| column.heading.width()).collect();
        for row in &first.rows {
            self.widen(row);
        }
        self.widths = fitting_widths(&self.columns, &self.widest, self.style.width);
        let heading = if self.style.color { Ansi::new().bold() } else { Ansi::new() };
        self.line(self.columns.iter().map(|column| (column.heading, heading)), out)?;
        first.rows.iter().try_for_each(|row| self.row(row, out))
    }

    fn row(&mut self, row: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        if self.widen(row) {
            self.widths = fitting_widths(&self.columns, &self.widest, self.style.width);
        }
        self.line(row.iter().map(|cell| (cell.text.as_str(), ansi(cell.kind, self.style))), out)
    }
}

fn ansi(kind: Kind, style: Style) -> Ansi {
    let color = match kind {
        _ if !style.color => None,
        Kind::Text | Kind::Url => None,
        Kind::Good => Some(AnsiColor::Green),
        Kind::Doubtful => Some(AnsiColor::Yellow),
        Kind::Bad => Some(AnsiColor::Red),
    };
    Ansi::new().fg_color(color.map(Into::into))
}

/// Each column's width: that of its widest cell, less what `limit` asks for.
fn fitting_widths(columns: &[Column], widest: &[usize], limit: Option<usize>) -> Vec<usize> {
    let mut widths = widest.to_vec();
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let limit = limit.unwrap_or(usize::MAX);
    while widths.iter().sum::<usize>() + gaps > limit {
        let narrowing = widths
            .iter_mut()
            .zip(columns)
            .filter_map(|(width, column)| column.least.filter(|least| *width > *least).map(|_| width));
        match narrowing.max_by_key(|width| **width) {
            Some(width) => *width -= 1,
            None => break,
        }
    }
    widths
}

/// The text in at most `width` terminal columns: its middle gives way to `…`. The head is twice as long as
/// the tail, since a URL's host stands there.
fn shorten(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let kept = width.saturating_sub(1);
    let head: String = fitting(text.chars(), kept - kept / 3).collect();
    let tail: Vec<char> = fitting(text.chars().rev(), kept / 3).collect();
    Cow::Owned(head + "…" + &tail.into_iter().rev().collect::<String>())
}

/// As many of the characters as fit into `room` terminal columns.
fn fitting(characters: impl Iterator<Item = char>, mut room: usize) -> impl Iterator<Item = char> {
    characters.map_while(move |c| {
        room = room.checked_sub(c.width().unwrap_or_default())?;
        Some(c)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_gives_way_and_wide_characters_count_twice() {
        assert_eq!(shorten("https://a.example/long/path", 16), "https://a.…/path");
        assert_eq!(shorten("https://a.example/", 18), "https://a.example/");
        assert_eq!(shorten("网页请求返回404", 10), "网页请…404");
        assert_eq!(shorten("小明", 2), "…");
    }
}
