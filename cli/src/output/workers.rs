//! The workers that live.

use std::io::{self, Write};

use linkbeat_shared::Lang;
use linkbeat_shared::wire::WorkerMessage;

use super::listing::{Cell, Column, Listing};
use super::{Style, grid};

/// One line each.
pub(crate) fn table(
    workers: &[WorkerMessage],
    lang: Lang,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if workers.is_empty() {
        return Ok(());
    }
    let [worker, since, under_way, concurrency, checked, version, state] = headings(lang);
    let columns = vec![
        Column::narrowing(worker, 16),
        Column::fixed(since),
        Column::number(under_way),
        Column::number(concurrency),
        Column::number(checked),
        Column::fixed(version),
        // It may say why it is paused.
        Column::told(state),
    ];
    grid::write(&Listing { columns, rows: workers.iter().map(row).collect() }, style, out)
}

fn headings(lang: Lang) -> [&'static str; 7] {
    match lang {
        Lang::En => ["worker", "since (UTC)", "at once", "of", "checked", "version", "state"],
        Lang::Zh => ["检查进程", "开始 (UTC)", "进行中", "上限", "已检查", "版本", "状态"],
    }
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn at(width: usize, lang: Lang) -> String {
        let started = DateTime::from_timestamp(1_767_322_800, 0).unwrap();
        let state = "paused: nothing can be resolved or reached".to_owned();
        let first = WorkerMessage::started("a".to_owned(), 64, started);
        let name = "checker-in-the-north.internal.example/4711".to_owned();
        let second = WorkerMessage::started(name, 6_144, started);
        let workers = [
            WorkerMessage { version: "0.1.0".to_owned(), state: "working".to_owned(), ..first },
            WorkerMessage { version: "0.1.0".to_owned(), state, under_way: 12, checked: 1_234_567, ..second },
        ];
        let mut out = Vec::new();
        table(&workers, lang, Style { color: false, width: Some(width) }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_state_is_cut_at_80_and_120_columns() {
        let narrow = "\
worker                         since (UTC)       at once    of  checked  version
a                              2026-01-02 03:00        0    64        0  0.1.0
        working
checker-in-the-nort…mple/4711  2026-01-02 03:00       12  6144  1234567  0.1.0
        paused: nothing can be resolved or reached
";
        for (width, lang) in [(80, Lang::En), (120, Lang::En), (80, Lang::Zh), (120, Lang::Zh)] {
            let table = at(width, lang);
            assert!(table.contains("paused: nothing can be resolved or reached"), "{table}");
            assert!(table.lines().all(|line| line.width() <= width), "{table}");
        }
        assert_eq!(at(80, Lang::En), narrow);
    }
}
