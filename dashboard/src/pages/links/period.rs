//! How a link did in the last day, week, month or year: figures, a chart, and a table with the same.

use chrono::{DateTime, Datelike, Days, DurationRound, NaiveDate, TimeDelta, Utc};
use linkbeat_shared::LinkId;
use linkbeat_shared::history::{Quantile, Summary};

use crate::pages::answer::Problem;
use crate::pages::parts::{Chart, Point};
use crate::pages::visit::Visit;
use crate::pages::wording::{Texts, fill};
use crate::serve::App;

/// How far back a page looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    pub(super) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub(super) fn read(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|period| Some(period.as_str()) == word).unwrap_or(Self::Month)
    }

    pub(super) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Day => t.period_day,
            Self::Week => t.period_week,
            Self::Month => t.period_month,
            Self::Year => t.period_year,
        }
    }
}

/// A piece of a period, as a row of the table.
pub(super) struct Piece {
    pub(super) label: String,
    pub(super) figures: Figures,
}

/// What checks came to.
pub(super) struct Figures {
    /// The share of checks that reached the site; `None`: none could tell.
    pub(super) share: Option<String>,
    /// How many reached it, of how many that could tell.
    pub(super) of: String,
    /// Checks that could not tell, by what they found.
    pub(super) left_out: Vec<(&'static str, u64)>,
    pub(super) p50: Option<String>,
    pub(super) p95: Option<String>,
    pub(super) p99: Option<String>,
}

impl Figures {
    fn new(t: &Texts, summary: &Summary) -> Self {
        let counts = &summary.counts;
        let left_out = [
            (t.verdict_blocked, counts.blocked),
            (t.verdict_refused, counts.refused),
            (t.white_listed, counts.white_listed),
            (t.run_held_back, counts.held_back),
        ];
        let quantile = |per_mille| summary.latency.quantile(per_mille).map(quantile_text);
        Self {
            share: counts.reachable().map(|share| share.to_string()),
            of: fill(t.of, &[&(counts.up + counts.no_backlink), &counts.judged()]),
            left_out: left_out.into_iter().filter(|(_, number)| *number > 0).collect(),
            p50: quantile(500),
            p95: quantile(950),
            p99: quantile(990),
        }
    }
}

/// A quantile that time-outs may have made too low says so.
fn quantile_text(quantile: Quantile) -> String {
    let sign = if quantile.at_least { "≥ " } else { "" };
    format!("{sign}{:.0} ms", quantile.ms)
}

/// A period of a link.
pub(super) struct History {
    pub(super) total: Figures,
    pub(super) chart: Chart,
    /// Pieces with checks, the latest first.
    pub(super) pieces: Vec<Piece>,
}

pub(super) async fn read(app: &App, v: &Visit, link: LinkId, period: Period) -> Result<History, Problem> {
    let pieces = match period {
        Period::Day => hours(app, v, link, 24, 1).await?,
        Period::Week => hours(app, v, link, 7 * 24, 6).await?,
        Period::Month => days(app, v, link, 30, 1).await?,
        Period::Year => days(app, v, link, 52 * 7, 7).await?,
    };
    let mut total = Summary::default();
    pieces.iter().for_each(|(_, summary)| total.merge(summary));
    let point = |(label, summary): &(String, Summary)| Point {
        label: label.clone(),
        p50: summary.latency.quantile(500).map(|quantile| quantile.ms),
        p95: summary.latency.quantile(950).map(|quantile| quantile.ms),
    };
    let chart = Chart {
        title: fill(v.t.chart_title, &[&period.word(v.t)]),
        points: pieces.iter().map(point).collect(),
    };
    let with_checks = pieces.iter().rev().filter(|(_, summary)| summary.counts.all() > 0);
    let pieces = with_checks
        .map(|(label, summary)| Piece { label: label.clone(), figures: Figures::new(v.t, summary) })
        .collect();
    Ok(History { total: Figures::new(v.t, &total), chart, pieces })
}

/// So many hours up to now, in pieces of `size`.
async fn hours(
    app: &App,
    v: &Visit,
    link: LinkId,
    hours: i64,
    size: i64,
) -> Result<Vec<(String, Summary)>, Problem> {
    let step = TimeDelta::hours(size);
    let end = v.now.duration_trunc(step).unwrap_or(v.now) + step;
    let begin = end - TimeDelta::hours(hours);
    let read = app.ports.store.link_hours(link, begin, end, u32::try_from(hours).unwrap_or(u32::MAX)).await?;
    let format = if size == 1 { "%H:%M" } else { "%m-%d %H:%M" };
    let begins = (0..hours / size).map(|piece| begin + step * i32::try_from(piece).unwrap_or_default());
    Ok(begins
        .map(|from: DateTime<Utc>| {
            let mut summary = Summary::default();
            let within = read.iter().filter(|hour| from <= hour.hour && hour.hour < from + step);
            within.for_each(|hour| summary.merge(&hour.summary));
            (from.format(format).to_string(), summary)
        })
        .collect())
}

/// So many days up to today, in pieces of `size`.
async fn days(
    app: &App,
    v: &Visit,
    link: LinkId,
    days: u64,
    size: u64,
) -> Result<Vec<(String, Summary)>, Problem> {
    let zone = app.ports.facts.zone;
    let until = zone.day_of(v.now) + Days::new(1);
    let begin = until - Days::new(days);
    // A day may be there twice, if the zone was changed.
    let most = u32::try_from(2 * days).unwrap_or(u32::MAX);
    let read = app.ports.store.link_days(link, zone, begin, until, most).await?;
    let begins = (0..days / size).map(|piece| begin + Days::new(piece * size));
    Ok(begins
        .map(|from: NaiveDate| {
            let mut summary = Summary::default();
            let within = read.iter().filter(|day| from <= day.day && day.day < from + Days::new(size));
            within.for_each(|day| summary.merge(&day.summary));
            let label =
                if size == 1 { format!("{:02}-{:02}", from.month(), from.day()) } else { from.to_string() };
            (label, summary)
        })
        .collect())
}
