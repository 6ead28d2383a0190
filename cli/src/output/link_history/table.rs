//! For people at a terminal: what it comes to, a small chart, and a line for each day.

use std::io::{self, Write};

use linkbeat_shared::Lang;
use linkbeat_shared::history::{CheckCounts, Quantile, Share};

use super::super::grid;
use super::super::listing::{Cell, Column, Kind, Listing};
use super::super::plain::plain;
use super::super::{Style, words};
use super::{HistoryDay, LinkHistory, NO_DATA, QUANTILES, chart};

/// What is said in one language.
struct Labels {
    reachable: &'static str,
    shown: &'static str,
    latency: &'static str,
    left_out: &'static str,
    day: &'static str,
    zone: &'static str,
    of_checks: &'static str,
    of_time: &'static str,
    at_least: &'static str,
    blocked: &'static str,
    refused: &'static str,
    white_listed: &'static str,
    held_back: &'static str,
    days_each: &'static str,
}

const ENGLISH: Labels = Labels {
    reachable: "reachable",
    shown: "shown",
    latency: "p95",
    left_out: "left out",
    day: "day",
    zone: "zone",
    of_checks: "of checks",
    of_time: "of the time",
    at_least: "at least ",
    blocked: "blocked",
    refused: "refused",
    white_listed: "white-listed",
    held_back: "held back",
    days_each: "days in each block",
};

const CHINESE: Labels = Labels {
    reachable: "可达率",
    shown: "显示率",
    latency: "p95",
    left_out: "未计入",
    day: "日期",
    zone: "时区",
    of_checks: "的检查",
    of_time: "的时间",
    at_least: "至少 ",
    blocked: "被拦截",
    refused: "未访问",
    white_listed: "白名单",
    held_back: "待确认",
    days_each: "天为一格",
};

pub(super) fn write(history: &LinkHistory, lang: Lang, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let labels = if lang == Lang::Zh { &CHINESE } else { &ENGLISH };
    let LinkHistory { link, first, last, zone, total, .. } = history;
    writeln!(out, "{} · {}", plain(link.name.as_str()), plain(&link.url.to_string()))?;
    writeln!(out, "{first} – {last}, {zone}\n")?;
    let of = |share: Option<Share>, of: &str| match share {
        None => NO_DATA.to_owned(),
        Some(share) => format!("{share} {of}"),
    };
    let reached =
        format!("{}: {}", of(total.counts.reachable(), labels.of_checks), judged(&total.counts, lang));
    let lines = [
        (labels.reachable, chart::reachable(history), reached),
        (labels.shown, chart::shown(history), of(history.shown, labels.of_time)),
        (labels.latency, chart::latency(history), quantiles(history, labels)),
    ];
    for (label, blocks, text) in lines {
        writeln!(out, "{}", format!("{label:9}  {blocks}  {text}").trim_end())?;
    }
    if let Some(left_out) = left_out(&total.counts, labels) {
        writeln!(out, "{:9}  {left_out}", labels.left_out)?;
    }
    let days = chart::days_of_a_block(history);
    if days > 1 {
        writeln!(out, "{days} {}", labels.days_each)?;
    }
    writeln!(out)?;
    grid::write(&listing(history, labels, lang), style, out)
}

/// Counts of the checks that can tell whether the site is reachable.
fn judged(counts: &CheckCounts, lang: Lang) -> String {
    use linkbeat_shared::Verdict::{Down, NoBacklink, Up};
    let parts = [(counts.up, Up), (counts.down, Down), (counts.no_backlink, NoBacklink)];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, verdict)| *count > 0 || *verdict == Up)
        .map(|(count, verdict)| format!("{count} {}", words::verdict(lang, verdict)))
        .collect();
    parts.join(", ")
}

/// What cannot tell, counted aloud; `None` if there is nothing.
fn left_out(counts: &CheckCounts, labels: &Labels) -> Option<String> {
    let parts = [
        (counts.blocked, labels.blocked),
        (counts.refused, labels.refused),
        (counts.white_listed, labels.white_listed),
        (counts.held_back, labels.held_back),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn quantiles(history: &LinkHistory, labels: &Labels) -> String {
    let latency = &history.total.latency;
    let parts = QUANTILES.map(|(per_mille, name)| match latency.quantile(per_mille) {
        None => format!("{name} {NO_DATA}"),
        Some(Quantile { ms, at_least }) => {
            format!("{name} {}{ms:.0} ms", if at_least { labels.at_least } else { "" })
        }
    });
    parts.join(", ")
}

fn listing(history: &LinkHistory, labels: &Labels, lang: Lang) -> Listing {
    use linkbeat_shared::Verdict::{Down, NoBacklink, Up};
    let zones = history.days.iter().any(|day| day.zone != history.zone.name());
    let backlinks = history.total.counts.no_backlink > 0;
    let some_left_out = history.total.counts.left_out() > 0;
    let mut columns = vec![Column::fixed(labels.day)];
    if zones {
        columns.push(Column::narrowing(labels.zone, 6));
    }
    columns.extend([Column::number(labels.reachable), Column::number(labels.shown)]);
    columns.push(Column::number(words::verdict(lang, Up)));
    columns.push(Column::number(words::verdict(lang, Down)));
    if backlinks {
        columns.push(Column::number(words::verdict(lang, NoBacklink)));
    }
    if some_left_out {
        columns.push(Column::number(labels.left_out));
    }
    columns.extend(QUANTILES.map(|(_, name)| Column::number(name)));
    let mut listing = Listing::new(columns);
    let has = (zones, backlinks, some_left_out);
    // The latest day is what people look for.
    listing.rows = history.days.iter().rev().map(|day| row(day, has)).collect();
    listing
}

fn row(day: &HistoryDay, (zones, backlinks, some_left_out): (bool, bool, bool)) -> Vec<Cell> {
    let (counts, latency) = (&day.summary.counts, &day.summary.latency);
    let mut cells = vec![Cell::text(&day.day.to_string())];
    if zones {
        cells.push(Cell::text(&day.zone));
    }
    cells.extend([share(counts.reachable()), share(day.shown), count(counts.up), count(counts.down)]);
    if backlinks {
        cells.push(count(counts.no_backlink));
    }
    if some_left_out {
        cells.push(count(counts.left_out()));
    }
    cells.extend(QUANTILES.map(|(per_mille, _)| {
        let quantile = latency.quantile(per_mille);
        let shown =
            quantile.map(|Quantile { ms, at_least }| format!("{}{ms:.0}", if at_least { "≥ " } else { "" }));
        Cell::text(shown.as_deref().unwrap_or(NO_DATA))
    }));
    cells
}

fn count(count: u64) -> Cell {
    Cell::text(&if count == 0 { String::new() } else { count.to_string() })
}

fn share(share: Option<Share>) -> Cell {
    match share {
        None => Cell::text(NO_DATA),
        Some(share) if share.hundredths() == 10_000 => Cell::of(Kind::Good, &share.to_string()),
        Some(share) => Cell::of(Kind::Doubtful, &share.to_string()),
    }
}
