//! Tokens of the dashboard, without themselves.

use std::io::{self, Write};

use chrono::SecondsFormat;
use linkbeat_store::StoredToken;
use serde_json::json;

use super::listing::{Cell, Column, Listing};
use super::{Style, grid};

/// One line each.
pub(crate) fn table(tokens: &[StoredToken], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if tokens.is_empty() {
        return Ok(());
    }
    let columns = vec![Column::narrowing("token", 16), Column::fixed("scope"), Column::fixed("made (UTC)")];
    grid::write(&Listing { columns, rows: tokens.iter().map(row).collect() }, style, out)
}

/// An array.
pub(crate) fn json(tokens: &[StoredToken], out: &mut dyn Write) -> io::Result<()> {
    let item = |token: &StoredToken| {
        let made_at = token.made_at.to_rfc3339_opts(SecondsFormat::Millis, true);
        json!({ "name": token.name, "scope": token.scope.as_str(), "made_at": made_at })
    };
    let items: Vec<_> = tokens.iter().map(item).collect();
    serde_json::to_writer_pretty(&mut *out, &items)?;
    writeln!(out)
}

fn row(token: &StoredToken) -> Vec<Cell> {
    let made_at = token.made_at.format("%Y-%m-%d %H:%M").to_string();
    [token.name.as_str(), token.scope.as_str(), &made_at].map(Cell::text).into()
}
