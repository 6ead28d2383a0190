//! Days and hours: rows of `link_days` and `link_hours`. And checks, as far as these count them.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{Insertable, Queryable, QueryableByName, Selectable};
use linkbeat_shared::history::{CheckCounts, Latency, Observed, Summary};

use super::{CheckRow, Hold, Outcome, number, parse};
use crate::error::Fault;
use crate::schema::{late_checks, link_days, link_hours};
use crate::values::{Id, Moment};

/// The 50th and the 95th percentile.
const P50: u16 = 500;
const P95: u16 = 950;

/// A row of counts. A count that is 0 is NULL.
macro_rules! bucket_row {
    ($(#[$about:meta])* $name:ident of $table:ident { $key:ident: $of:ty $(, $more:ident: $more_of:ty)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, QueryableByName, Selectable)]
        #[diesel(table_name = $table, treat_none_as_default_value = false)]
        pub(crate) struct $name {
            pub(crate) link_id: Id,
            pub(crate) $key: $of,
            pub(crate) up: Option<i32>,
            pub(crate) down: Option<i32>,
            pub(crate) no_backlink: Option<i32>,
            pub(crate) blocked: Option<i32>,
            pub(crate) refused: Option<i32>,
            pub(crate) white_listed: Option<i32>,
            pub(crate) held_back: Option<i32>,
            pub(crate) timeouts: Option<i32>,
            pub(crate) p50_ms: Option<i32>,
            pub(crate) p95_ms: Option<i32>,
            $(pub(crate) $more: $more_of,)?
            pub(crate) latency: Option<Vec<u8>>,
        }

        impl $name {
            pub(crate) fn new(link_id: Id, $key: $of, summary: &Summary $(, $more: $more_of)?) -> Self {
                let Summary { counts, latency } = summary;
                let Stored { p50_ms, p95_ms, bytes } = Stored::of(latency);
                Self {
                    link_id,
                    $key,
                    up: stored(counts.up),
                    down: stored(counts.down),
                    no_backlink: stored(counts.no_backlink),
                    blocked: stored(counts.blocked),
                    refused: stored(counts.refused),
                    white_listed: stored(counts.white_listed),
                    held_back: stored(counts.held_back),
                    timeouts: stored(latency.timeouts()),
                    p50_ms,
                    p95_ms,
                    $($more,)?
                    latency: bytes,
                }
            }

            pub(crate) fn summary(&self) -> Result<Summary, Fault> {
                let latency = self.latency.as_deref();
                Ok(Summary {
                    counts: CheckCounts {
                        up: count(self.up)?,
                        down: count(self.down)?,
                        no_backlink: count(self.no_backlink)?,
                        blocked: count(self.blocked)?,
                        refused: count(self.refused)?,
                        white_listed: count(self.white_listed)?,
                        held_back: count(self.held_back)?,
                    },
                    latency: stored_latency(latency, self.p50_ms, self.timeouts)?,
                })
            }
        }
    };
}

bucket_row! {
    /// A link's checks of one day.
    DayRow of link_days { day: NaiveDate, zone: i16 }
}
bucket_row! {
    /// A link's checks of one hour, which is counted from 1970.
    HourRow of link_hours { hour: i32 }
}

/// A latency as its columns hold it. The usual day of a link has one check, and that needs no histogram.
struct Stored {
    p50_ms: Option<i32>,
    p95_ms: Option<i32>,
    bytes: Option<Vec<u8>>,
}

impl Stored {
    fn of(latency: &Latency) -> Self {
        // A length of time never has more than 31 bits here.
        let rounded = |per_mille| latency.quantile(per_mille).map(|quantile| quantile.ms.round() as i32);
        let (p50_ms, p95_ms) = (rounded(P50), rounded(P95));
        let bytes = (latency.count() > 1).then(|| latency.encode());
        Self { p50_ms, p95_ms: p95_ms.filter(|_| p95_ms != p50_ms), bytes }
    }
}

fn stored_latency(
    bytes: Option<&[u8]>,
    p50_ms: Option<i32>,
    timeouts: Option<i32>,
) -> Result<Latency, Fault> {
    if let Some(bytes) = bytes {
        return Latency::decode(bytes).map_err(|error| Fault::Corrupt(format!("latency: {error}")));
    }
    let mut latency = Latency::default();
    if let Some(ms) = p50_ms {
        let ms = number(ms, "p50_ms")?;
        if timeouts.is_some() { latency.timed_out(ms) } else { latency.answered(ms) }
    }
    Ok(latency)
}

fn stored(count: u64) -> Option<i32> {
    (count > 0).then(|| i32::try_from(count).unwrap_or(i32::MAX))
}

fn count(stored: Option<i32>) -> Result<u64, Fault> {
    number(stored.unwrap_or_default(), "a count of checks")
}

/// The hour in which a moment lies, counted from 1970.
pub(crate) fn hour_of(moment: DateTime<Utc>) -> i32 {
    i32::try_from(moment.timestamp().div_euclid(3_600)).unwrap_or(i32::MAX)
}

/// A check that is in no rollup although those of its run are, or are being added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Insertable, Queryable, Selectable)]
#[diesel(table_name = late_checks)]
pub(crate) struct LateCheckRow {
    pub(crate) link_id: Id,
    pub(crate) run_id: Id,
}

/// The columns of a check that count, with the word for its reason.
pub(crate) type RawColumns = (Id, Moment, Option<i32>, Option<i16>, i16, Option<String>);

/// What counts of a check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawCheck {
    pub(crate) link_id: Id,
    pub(crate) checked_at: DateTime<Utc>,
    pub(crate) observed: Observed,
}

impl RawCheck {
    /// `hold` is that of its run.
    pub(crate) fn new(columns: RawColumns, hold: &str) -> Result<Self, Fault> {
        let (link_id, checked_at, elapsed_ms, status, outcome, reason) = columns;
        let (outcome, hold) = (Outcome::of(outcome)?, parse::<Hold>(hold, "runs.hold")?);
        let observed = Observed {
            verdict: outcome.verdict,
            held_back: outcome.proposed().is_some() && !matches!(hold, Hold::Free | Hold::Applied),
            elapsed_ms: elapsed_ms.map(|ms| number(ms, "checks.elapsed_ms")).transpose()?,
            answered: status.is_some(),
            timed_out: reason.as_deref() == Some("timeout"),
        };
        Ok(Self { link_id, checked_at: checked_at.0, observed })
    }

    pub(crate) fn of_row(row: &CheckRow, hold: &str) -> Result<Self, Fault> {
        let reason = super::reason(row.reason.as_ref(), "checks.reason")?;
        let reason = reason.map(|reason| reason.type_word().to_owned());
        Self::new((row.link_id, row.checked_at, row.elapsed_ms, row.status, row.outcome, reason), hold)
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::Verdict;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_row_reads_as_it_was_written_with_one_check_or_many() {
        let mut summary = Summary::default();
        let checks = [
            (Verdict::Up, true, false, 120),
            (Verdict::Down, false, true, 5_000),
            (Verdict::Blocked, true, false, 3),
            (Verdict::NoBacklink, true, false, 900),
        ];
        for (verdict, answered, timed_out, ms) in checks {
            let alone = Observed {
                verdict: Some(verdict),
                held_back: false,
                elapsed_ms: Some(ms),
                answered,
                timed_out,
            };
            summary.add(alone);
            let mut single = Summary::default();
            single.add(alone);
            for summary in [&single, &summary] {
                let row = HourRow::new(Id(Uuid::nil()), 7, summary);
                assert_eq!(&row.summary().unwrap(), summary);
                assert_eq!(
                    row.latency.is_some(),
                    summary.latency.count() > 1,
                    "one value needs no histogram"
                );
            }
        }
    }
}
