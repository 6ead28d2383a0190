//! How much history there is.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use linkbeat_shared::history::Keep;
use linkbeat_store::{CleanUp, HistoryRules, HistoryStatus, Removed};
use serde_json::{Value, json};

/// Fewer checks than this tell nothing about the size of one: a new table has room to spare.
const TELLING: u64 = 10_000;

/// About how many bytes of disk a day of checks takes. `None`: there are too few to tell.
pub(crate) fn bytes_a_day(status: &HistoryStatus) -> Option<u64> {
    let used = status.database_bytes.saturating_sub(status.free_bytes.unwrap_or_default());
    let bytes = status.checks_bytes.unwrap_or(used);
    let each = bytes as f64 / status.checks as f64;
    (status.checks >= TELLING).then_some((each * status.checks_a_day) as u64)
}

pub(crate) fn table(status: &HistoryStatus, rules: &HistoryRules, out: &mut dyn Write) -> io::Result<()> {
    let mut checks = format!("{} stored", status.checks);
    if let Some(bytes) = status.checks_bytes {
        checks += &format!(", {}", size(bytes));
    }
    if let Some(oldest) = status.oldest {
        checks += &format!(", since {}", oldest.format("%Y-%m-%d"));
    }
    let growth =
        bytes_a_day(status).map(|bytes| format!(", about {} a day", size(bytes))).unwrap_or_default();
    let free = status.free_bytes.map(|free| format!(", {} of it free to be used again", size(free)));
    let waiting = match status.to_roll_up {
        0 => "no run waits".to_owned(),
        1 => "1 run waits or goes on".to_owned(),
        runs => format!("{runs} runs wait or go on"),
    };
    let mut lines = vec![("checks", checks)];
    lines.extend(status.days_bytes.map(|bytes| ("days", size(bytes))));
    lines.extend(status.hours_bytes.map(|bytes| ("hours", size(bytes))));
    lines.push(("database", size(status.database_bytes) + &free.unwrap_or_default()));
    lines.push(("growth", format!("{:.0} checks a day{growth}", status.checks_a_day)));
    lines.extend(status.partitions.as_ref().map(|partitions| {
        ("partitions", format!("{}, {} of them ahead", partitions.kept, partitions.ahead))
    }));
    lines.push(("rolled up", format!("{}; {waiting}", moment(status.rolled_at))));
    lines.push(("cleaned up", moment(status.cleaned_at)));
    lines.extend(status.removed.map(|last| ("removed", removed(&last))));
    lines.push(("kept", kept(rules)));
    lines.iter().try_for_each(|(what, text)| writeln!(out, "{what:10}  {text}"))
}

pub(crate) fn json(status: &HistoryStatus, rules: &HistoryRules, out: &mut dyn Write) -> io::Result<()> {
    let keep = |keep: Option<Keep>| keep.map(|keep| keep.to_string());
    let partitions = status.partitions.as_ref().map_or(Value::Null, |partitions| {
        json!({ "kept": partitions.kept, "ahead": partitions.ahead, "largest_bytes": partitions.largest_bytes })
    });
    let status = json!({
        "checks": status.checks,
        "checks_bytes": status.checks_bytes,
        "days_bytes": status.days_bytes,
        "hours_bytes": status.hours_bytes,
        "database_bytes": status.database_bytes,
        "free_bytes": status.free_bytes,
        "oldest": status.oldest,
        "checks_a_day": status.checks_a_day.round(),
        "bytes_a_day": bytes_a_day(status),
        "partitions": partitions,
        "to_roll_up": status.to_roll_up,
        "rolled_at": status.rolled_at,
        "cleaned_at": status.cleaned_at,
        "removed": status.removed.map(|last| {
            let Removed { weeks, checks, hours, runs } = last.removed;
            json!({ "at": last.at, "weeks": weeks, "checks": checks, "hours": hours, "runs": runs })
        }),
        "retention": keep(rules.checks),
        "runs": keep(rules.runs),
        "hourly": keep(rules.hours),
        "time_zone": rules.zone.name(),
    });
    serde_json::to_writer_pretty(&mut *out, &status)?;
    writeln!(out)
}

/// What the last clean-up removed, and when.
fn removed(last: &CleanUp) -> String {
    let Removed { weeks, checks, hours, runs } = last.removed;
    let parts = [(weeks, "weeks of checks"), (checks, "checks"), (hours, "hours of links"), (runs, "runs")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let parts: Vec<_> = parts.collect();
    let parts = if parts.is_empty() { "remains of runs".to_owned() } else { parts.join(", ") };
    format!("{parts}; {}", moment(Some(last.at)))
}

fn kept(rules: &HistoryRules) -> String {
    let keep = |keep: Option<Keep>| keep.map_or_else(|| "for ever".to_owned(), |keep| keep.to_string());
    format!(
        "checks {}, runs {}, hours {}, days for ever; days begin in {}",
        keep(rules.checks),
        keep(rules.runs),
        keep(rules.hours),
        rules.zone
    )
}

fn moment(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M (UTC)").to_string())
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_disks() {
        assert_eq!((size(999).as_str(), size(1_000).as_str()), ("999 B", "1.0 kB"));
        assert_eq!(size(12_345_678_901), "12.3 GB");
    }
}
