//! The workers that live.

use std::io::{self, Write};

use linkbeat_shared::wire::WorkerMessage;

use super::listing::{Cell, Column, Listing};
use super::{Style, grid};

/// One line each.
pub(crate) fn table(workers: &[WorkerMessage], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if workers.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::narrowing("worker", 16),
        Column::fixed("since (UTC)"),
        Column::number("at once"),
        Column::number("of"),
        Column::number("checked"),
        Column::fixed("version"),
        Column::fixed("state"),
    ];
    grid::write(&Listing { columns, rows: workers.iter().map(row).collect() }, style, out)
}

/// An array.
pub(crate) fn json(workers: &[WorkerMessage], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, workers)?;
    writeln!(out)
}

fn row(worker: &WorkerMessage) -> Vec<Cell> {
    let since = worker.started_at.format("%Y-%m-%d %H:%M").to_string();
    [
        worker.name.clone(),
        since,
        worker.under_way.to_string(),
        worker.concurrency.to_string(),
        worker.checked.to_string(),
        worker.version.clone(),
        worker.state.clone(),
    ]
    .iter()
    .map(|text| Cell::text(text))
    .collect()
}
