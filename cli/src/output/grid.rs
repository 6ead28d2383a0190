//! Draws a listing with aligned columns.
//!
//! Width is counted in terminal columns, of which a Chinese character takes two (Unicode Standard
//! Annex #11), and too wide a grid is narrowed where that hurts least: the widest column first. Where that is not enough,
//! what is told of a row moves to a line below it. It is never cut.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Style;
use super::listing::{Cell, Column, Kind, Listing, WhenNarrow};
use super::long_listing::Draw;

/// What stands between two columns.
const GAP: &str = "  ";

/// Writes the headings and the rows, one line each.
pub(super) fn write(listing: &Listing, style: Style, out: &mut dyn Write) -> io::Result<()> {
    Grid::new(style).begin(listing, out)
}

/// How far what is told of a row stands to the right, where it stands below it.
const INDENT: usize = 8;
/// What stands between two things that are told.
const DOT: &str = " · ";

/// A grid that takes more rows. A row with a wider cell widens the column from there on.
pub(super) struct Grid {
    style: Style,
    columns: Vec<Column>,
    /// Of each column, the width of its widest cell so far.
    widest: Vec<usize>,
    /// Of each column, the width it is drawn with.
    widths: Vec<usize>,
    /// The terminal is too narrow for all columns: what is told of a row stands below it.
    is_narrow: bool,
}

impl Grid {
    pub(super) fn new(style: Style) -> Self {
        Self { style, columns: Vec::new(), widest: Vec::new(), widths: Vec::new(), is_narrow: false }
    }

    /// Makes room for a row. Returns whether more is needed than before.
    fn widen(&mut self, row: &[Cell]) -> bool {
        let mut wider = false;
        for (index, cell) in row.iter().enumerate().take(self.widest.len()) {
            let width = self.shown(index, &cell.text).width();
            wider |= width > self.widest[index];
            self.widest[index] = width.max(self.widest[index]);
        }
        wider
    }

    /// Finds the widths for a heading and the rows.
    fn measure(&mut self, rows: &[Vec<Cell>]) {
        self.widest = (0..self.columns.len()).map(|index| self.heading(index).width()).collect();
        for row in rows {
            self.widen(row);
        }
        self.fit();
    }

    fn fit(&mut self) {
        self.widths = fitting_widths(&self.columns, &self.widest, self.style.width);
    }

    /// Whether the columns would be narrowed to less than people read with ease.
    fn is_too_wide(&self) -> bool {
        let easy = |(column, widest): (&Column, &usize)| {
            column.least.map_or(*widest, |least| (2 * least).min(*widest))
        };
        let easy: Vec<usize> = self.columns.iter().zip(&self.widest).map(easy).collect();
        self.style.width.is_some_and(|limit| easy.iter().sum::<usize>() + gaps(&easy) > limit)
    }

    /// Whether a column stands in the row, and not below it.
    fn is_in_row(&self, index: usize) -> bool {
        let below = [WhenNarrow::Told, WhenNarrow::Follows].contains(&self.columns[index].when_narrow);
        !(self.is_narrow && below)
    }

    fn heading(&self, index: usize) -> &'static str {
        match self.columns[index] {
            _ if !self.is_in_row(index) => "",
            Column { when_narrow: WhenNarrow::Shortened(heading, _), .. } if self.is_narrow => heading,
            Column { heading, .. } => heading,
        }
    }

    /// What is shown of a cell in the row.
    fn shown<'a>(&self, index: usize, text: &'a str) -> &'a str {
        match self.columns[index].when_narrow {
            _ if !self.is_in_row(index) => "",
            WhenNarrow::Shortened(_, most) if self.is_narrow => {
                text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
            }
            _ => text,
        }
    }

    fn line<'a>(&self, cells: impl Iterator<Item = (&'a str, Ansi)>, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for (index, (text, ansi)) in cells.enumerate().filter(|(index, _)| self.is_in_row(*index)) {
            let width = self.widths[index];
            let text = shorten(text, width);
            let spare = " ".repeat(width.saturating_sub(text.width()));
            let is_number = self.columns[index].number;
            let (before, after) = if is_number { (spare.as_str(), "") } else { ("", spare.as_str()) };
            let gap = if line.is_empty() { "" } else { GAP };
            line += &format!("{gap}{before}{ansi}{text}{ansi:#}{after}");
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// What is told of a row, below it.
    fn tell(&self, row: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        let room = self.style.width.unwrap_or(usize::MAX);
        let filled = || self.columns.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty());
        let reasons = filled().filter(|(column, _)| column.when_narrow == WhenNarrow::Told);
        let mut told = reasons.map(|(_, cell)| cell.text.as_str()).collect::<Vec<_>>().join(DOT);
        for (column, cell) in filled().filter(|(column, _)| column.when_narrow == WhenNarrow::Follows) {
            let more = format!("{} {}", column.heading, cell.text);
            if told.is_empty() {
                told = more;
            } else if INDENT + told.width() + DOT.width() + more.width() <= room {
                told = told + DOT + &more;
            }
        }
        // A long reason moves to the left before it takes another line.
        let indent = room.saturating_sub(told.width()).min(INDENT);
        let indent = if indent == 0 { INDENT } else { indent };
        for line in wrapped(&told, room.saturating_sub(indent)) {
            writeln!(out, "{}{line}", " ".repeat(indent))?;
        }
        Ok(())
    }
}

/// The text in lines of at most `room` terminal columns, broken between words where that is possible.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if !line.is_empty() && line.width() + word.trim_end().width() > room {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        for c in word.chars() {
            let is_full = line.width() + c.width().unwrap_or_default() > room && c != ' ';
            if is_full && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.extend(Some(line.trim_end().to_owned()).filter(|line| !line.is_empty()));
    lines
}

impl Draw for Grid {
    fn begin(&mut self, first: &Listing, out: &mut dyn Write) -> io::Result<()> {
        self.columns.clone_from(&first.columns);
        self.measure(&first.rows);
        if self.is_too_wide() {
            self.is_narrow = true;
            self.measure(&first.rows);
        }
        let bold = if self.style.color { Ansi::new().bold() } else { Ansi::new() };
        self.line((0..self.columns.len()).map(|index| (self.heading(index), bold)), out)?;
        first.rows.iter().try_for_each(|row| self.row(row, out))
    }

    fn row(&mut self, row: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        if self.widen(row) {
            self.fit();
        }
        let cells = row.iter().enumerate();
        let cells = cells.map(|(index, cell)| (self.shown(index, &cell.text), ansi(cell.kind, self.style)));
        self.line(cells, out)?;
        if self.is_narrow { self.tell(row, out) } else { Ok(()) }
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

/// How much stands between the columns. One without width stands elsewhere.
fn gaps(widths: &[usize]) -> usize {
    GAP.len() * widths.iter().filter(|width| **width > 0).count().saturating_sub(1)
}

/// Each column's width: that of its widest cell, less what `limit` asks for.
fn fitting_widths(columns: &[Column], widest: &[usize], limit: Option<usize>) -> Vec<usize> {
    let mut widths = widest.to_vec();
    let gaps = gaps(widest);
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
