use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use super::{CronPattern, Zone};
use crate::{Interval, Lang};

/// When a schedule ticks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// By the clock on the wall.
    Cron(CronPattern),
    /// In even steps from a fixed moment on. Clock changes do not matter to it, and neither do restarts.
    Every {
        /// The step.
        #[serde(rename = "interval_ms")]
        interval: Interval,
        /// The first tick, or a moment whose distance to each tick is a number of whole steps.
        anchor: DateTime<Utc>,
    },
    /// Once.
    At(DateTime<Utc>),
}

impl Timing {
    /// The first tick after this moment; `None` if there is none.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(pattern) => pattern.next_after(after, zone),
            Self::Every { interval, anchor } => step_after(after, *interval, *anchor),
            Self::At(at) => (*at > after).then_some(*at),
        }
    }

    /// What it means, in plain words.
    pub fn words(&self, zone: Zone, lang: Lang) -> String {
        let local = |at: &DateTime<Utc>| zone.local(*at).format("%Y-%m-%d %H:%M:%S %Z").to_string();
        match (self, lang) {
            (Self::Cron(pattern), Lang::En) => format!("{}, in {zone}", pattern.words(lang)),
            (Self::Cron(pattern), Lang::Zh) => format!("{}（{zone}）", pattern.words(lang)),
            (Self::Every { interval, anchor }, Lang::En) => {
                format!("Every {}, counted from {}", length(*interval), local(anchor))
            }
            (Self::Every { interval, anchor }, Lang::Zh) => {
                format!("每 {}，从 {} 起算", in_chinese(&length(*interval)), local(anchor))
            }
            (Self::At(at), Lang::En) => format!("Once, at {}", local(at)),
            (Self::At(at), Lang::Zh) => format!("一次，{}", local(at)),
        }
    }

    /// As people write it, without its name.
    pub fn text(&self) -> String {
        match self {
            Self::Cron(pattern) => pattern.as_str().to_owned(),
            Self::Every { interval, .. } => {
                format!("every {}", humantime::format_duration(interval.duration()))
            }
            Self::At(at) => format!("at {}", at.format("%Y-%m-%dT%H:%M:%SZ")),
        }
    }
}

fn length(interval: Interval) -> String {
    humantime::format_duration(interval.duration()).to_string()
}

/// A length of time as humantime writes it, in Chinese.
pub fn in_chinese(length: &str) -> String {
    // Longer units first: `ms` has an `m` and an `s`.
    const UNITS: [(&str, &str); 12] = [
        ("years", "年"),
        ("year", "年"),
        ("months", "个月"),
        ("month", "个月"),
        ("days", "天"),
        ("day", "天"),
        ("ms", "毫秒"),
        ("us", "微秒"),
        ("ns", "纳秒"),
        ("h", "小时"),
        ("m", "分钟"),
        ("s", "秒"),
    ];
    let piece = |piece: &str| {
        let unit = UNITS.iter().find(|(unit, _)| piece.ends_with(unit));
        unit.map_or_else(
            || piece.to_owned(),
            |(unit, chinese)| piece.trim_end_matches(unit).to_owned() + " " + chinese,
        )
    };
    length.split(' ').map(piece).collect::<Vec<_>>().join(" ")
}

fn step_after(after: DateTime<Utc>, interval: Interval, anchor: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if after < anchor {
        return Some(anchor);
    }
    let step = i64::try_from(interval.as_millis()).ok()?;
    let steps = (after - anchor).num_milliseconds() / step + 1;
    anchor.checked_add_signed(TimeDelta::try_milliseconds(steps.checked_mul(step)?)?)
}

/// Why a text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMoment {
    /// It cannot be read.
    #[error("`{0}` is no moment; write something like `2026-12-01 03:00` or `2026-12-01T03:00:00Z`")]
    Unreadable(String),
    /// Clocks go forward there.
    #[error("there is no {moment} in {zone}: clocks go forward then")]
    Gap {
        /// The text.
        moment: String,
        /// The zone.
        zone: &'static str,
    },
    /// Clocks go back there.
    #[error(
        "there are two {moment} in {zone}, as clocks go back then: write the offset, such as `{example}`"
    )]
    Twice {
        /// The text.
        moment: String,
        /// The zone.
        zone: &'static str,
        /// The first of the two.
        example: String,
    },
}

/// Reads a moment: with an offset (RFC 3339), or as the clock in this zone shows it.
pub fn local_moment(text: &str, zone: Zone) -> Result<DateTime<Utc>, BadMoment> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let local = read_local(text).ok_or_else(|| BadMoment::Unreadable(text.to_owned()))?;
    let (moment, zone_name) = (text.to_owned(), zone.name());
    match zone.tz().from_local_datetime(&local) {
        LocalResult::Single(at) => Ok(at.with_timezone(&Utc)),
        LocalResult::None => Err(BadMoment::Gap { moment, zone: zone_name }),
        LocalResult::Ambiguous(first, _) => {
            Err(BadMoment::Twice { moment, zone: zone_name, example: first.to_rfc3339() })
        }
    }
}

fn read_local(text: &str) -> Option<NaiveDateTime> {
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).or_else(day)
}
