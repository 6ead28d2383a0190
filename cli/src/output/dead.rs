//! Parked messages, for people and for programs.

use std::io::{self, Write};

use serde_json::Value;

use super::listing::{Cell, Column, Listing, WhenNarrow};
use super::{Style, grid};

/// One line each; items are those of the JSON form.
pub(crate) fn table(items: &[Value], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::fixed("ID"),
        Column::fixed("FROM"),
        Column::fixed("PARKED AT (UTC)").when_narrow(WhenNarrow::Shortened("PARKED (UTC)", 16)),
        Column::number("TRIES"),
        Column::fixed("RUN").when_narrow(WhenNarrow::Follows),
        Column::told("CAUSE"),
    ];
    grid::write(&Listing { columns, rows: items.iter().map(row).collect() }, style, out)
}

/// An array, or one object.
pub(crate) fn json(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{value:#}")
}

fn row(item: &Value) -> Vec<Cell> {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    // RFC 3339; to the second is enough for people.
    let parked_at = text("parked_at").replace('T', " ").chars().take(19).collect::<String>();
    let attempts = item["attempts"].to_string();
    [text("id"), text("queue"), parked_at, attempts, text("run_id"), text("cause")]
        .iter()
        .map(|text| Cell::text(text))
        .collect()
}
