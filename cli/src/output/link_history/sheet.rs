//! As CSV: one row for each day.

use std::io::{self, Write};

use linkbeat_shared::history::Share;

use super::{HistoryDay, LinkHistory, QUANTILES};

const HEADER: [&str; 15] = [
    "day",
    "time_zone",
    "reachable",
    "shown",
    "up",
    "down",
    "no_backlink",
    "blocked",
    "refused",
    "white_listed",
    "held_back",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "at_least",
];

pub(super) fn write(history: &LinkHistory, out: &mut dyn Write) -> io::Result<()> {
    let mut sheet = csv::Writer::from_writer(out);
    let written = std::iter::once(sheet.write_record(HEADER))
        .chain(history.days.iter().map(|day| sheet.write_record(row(day))))
        .collect::<Result<(), csv::Error>>();
    written.map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    })?;
    sheet.flush()
}

/// What is not known is empty. The last column names the percentiles that are "at least".
fn row(day: &HistoryDay) -> [String; 15] {
    let (counts, latency) = (&day.summary.counts, &day.summary.latency);
    let percent = |share: Option<Share>| share.map(|share| share.percent().to_string()).unwrap_or_default();
    let quantiles = QUANTILES.map(|(per_mille, name)| (name, latency.quantile(per_mille)));
    let at_least: Vec<&str> = quantiles
        .iter()
        .filter_map(|(name, quantile)| quantile.filter(|quantile| quantile.at_least).map(|_| *name))
        .collect();
    let [p50, p95, p99] = quantiles
        .map(|(_, quantile)| quantile.map(|quantile| format!("{:.1}", quantile.ms)).unwrap_or_default());
    [
        day.day.to_string(),
        day.zone.clone(),
        percent(counts.reachable()),
        percent(day.shown),
        counts.up.to_string(),
        counts.down.to_string(),
        counts.no_backlink.to_string(),
        counts.blocked.to_string(),
        counts.refused.to_string(),
        counts.white_listed.to_string(),
        counts.held_back.to_string(),
        p50,
        p95,
        p99,
        at_least.join(" "),
    ]
}
