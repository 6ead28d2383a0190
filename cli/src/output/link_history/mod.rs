//! The history of one link, in each format.

mod chart;
mod sheet;
mod table;

use std::io::{self, ErrorKind, Write};

use chrono::NaiveDate;
use linkbeat_shared::Link;
use linkbeat_shared::history::{Quantile, Share, Summary, Zone};
use serde_json::{Value, json};

use super::{FormatName, Prose, Style};

/// What is shown of a link's history.
pub(crate) struct LinkHistory {
    pub(crate) link: Link,
    /// Where days begin.
    pub(crate) zone: Zone,
    pub(crate) first: NaiveDate,
    pub(crate) last: NaiveDate,
    /// All days together.
    pub(crate) total: Summary,
    /// The share of the time in which it was shown.
    pub(crate) shown: Option<Share>,
    /// Each day from the first to the last. A day that was cut in two time zones comes twice.
    pub(crate) days: Vec<HistoryDay>,
}

/// A day of it.
pub(crate) struct HistoryDay {
    pub(crate) day: NaiveDate,
    pub(crate) zone: String,
    pub(crate) summary: Summary,
    pub(crate) shown: Option<Share>,
}

/// Per mille, and how people call them.
const QUANTILES: [(u16, &str); 3] = [(500, "p50"), (950, "p95"), (990, "p99")];

/// What stands where nothing is known.
const NO_DATA: &str = "–";

/// Writes it.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for a format that has no form for it.
pub(crate) fn write(
    history: &LinkHistory,
    format: FormatName,
    prose: Prose,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        FormatName::Table => table::write(history, prose.lang, style, out),
        FormatName::Csv => sheet::write(history, out),
        // JSON is YAML, too.
        FormatName::Json | FormatName::Yaml => {
            serde_json::to_writer_pretty(&mut *out, &whole(history))?;
            writeln!(out)
        }
        FormatName::Jsonl => history.days.iter().try_for_each(|day| {
            serde_json::to_writer(&mut *out, &of_day(day))?;
            writeln!(out)
        }),
        _ => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the history of a link is written as table, json, jsonl or csv",
        )),
    }
}

fn whole(history: &LinkHistory) -> Value {
    let link = &history.link;
    let mut whole = of_summary(&history.total, history.shown);
    whole["link"] = json!({ "id": link.id.0, "name": link.name.as_str(), "url": link.url.to_string() });
    whole["time_zone"] = json!(history.zone.name());
    whole["first"] = json!(history.first);
    whole["last"] = json!(history.last);
    whole["days"] = history.days.iter().map(of_day).collect();
    whole
}

fn of_day(day: &HistoryDay) -> Value {
    let mut value = of_summary(&day.summary, day.shown);
    value["day"] = json!(day.day);
    value["time_zone"] = json!(day.zone);
    value
}

/// Shares in percent, rounded down; NULL where nothing is known. Latencies in milliseconds.
fn of_summary(summary: &Summary, shown: Option<Share>) -> Value {
    let Summary { counts, latency } = summary;
    let quantiles =
        QUANTILES.map(|(per_mille, name)| (name.to_owned(), of_quantile(latency.quantile(per_mille))));
    let mut told = json!({
        "answered_or_timed_out": latency.count(),
        "timeouts": latency.timeouts(),
        "mean_ms": latency.mean_ms(),
    });
    quantiles.into_iter().for_each(|(name, quantile)| told[name] = quantile);
    json!({
        "reachable": counts.reachable().map(Share::percent),
        "shown": shown.map(Share::percent),
        "checks": counts,
        "left_out": counts.left_out(),
        "latency": told,
    })
}

fn of_quantile(quantile: Option<Quantile>) -> Value {
    quantile.map_or(
        Value::Null,
        |quantile| json!({ "ms": (quantile.ms * 10.0).round() / 10.0, "at_least": quantile.at_least }),
    )
}
