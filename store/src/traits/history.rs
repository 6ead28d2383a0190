use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use linkbeat_shared::LinkId;
use linkbeat_shared::history::{Keep, ShownTime, Summary, Zone};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Rolls checks up into days and hours, and removes what is old.
///
/// Each call does a bounded step in one transaction, so that recording goes on beside it. Several processes may call at
/// once: each check is added exactly once all the same.
#[async_trait]
pub trait History: Send + Sync + Debug {
    /// Adds some checks to the days and hours of their links. Returns whether there may be more to add.
    ///
    /// The checks of a run are added when it has ended `due_after` ago, by the database's clock, and with them those of
    /// the other runs that have ended by then. A run that is kept no longer is not waited for.
    async fn roll_up(&self, rules: &HistoryRules, due_after: Duration) -> Result<bool>;

    /// Removes some of what is kept no longer. Nothing goes that is not rolled up, or younger than a day. Returns
    /// whether there may be more to remove.
    async fn clean_up(&self, rules: &HistoryRules) -> Result<bool>;
}

/// Reads the history of links.
#[async_trait]
pub trait Readings: Send + Sync + Debug {
    /// What the checks of a link came to on each day from `from` on and before `until`, at most `limit` days, the
    /// earliest first. A day without checks is left out. Checks that are not rolled up yet are counted too, on the days
    /// of this zone.
    async fn link_days(
        &self,
        link: LinkId,
        zone: Zone,
        from: NaiveDate,
        until: NaiveDate,
        limit: u32,
    ) -> Result<Vec<LinkDay>>;

    /// The same for hours, as far back as they are kept.
    async fn link_hours(
        &self,
        link: LinkId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LinkHour>>;

    /// When a link was shown, from `from` on. `None` if there never was such a link.
    async fn link_shown(&self, link: LinkId, from: DateTime<Utc>) -> Result<Option<ShownTime>>;

    /// When nothing was left to remove, and what the last clean-up did that removed anything.
    async fn clean_ups(&self) -> Result<(Option<DateTime<Utc>>, Option<CleanUp>)>;

    /// How much history there is, and how far rolling up and cleaning up have come.
    async fn history_status(&self) -> Result<HistoryStatus>;
}

/// What is kept, and for how long. `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryRules {
    /// Where days begin.
    pub zone: Zone,
    /// Checks and the jobs that they came from, counted from when their run was filed.
    pub checks: Option<Keep>,
    /// Runs that have ended, which hold their counts and the ids of their requests. No shorter than `checks`.
    pub runs: Option<Keep>,
    /// Hours.
    pub hours: Option<Keep>,
}

/// A day of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDay {
    /// The day.
    pub day: NaiveDate,
    /// The time zone in which it began and ended.
    pub zone: String,
    /// Its checks.
    pub summary: Summary,
}

/// An hour of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkHour {
    /// When it began.
    pub hour: DateTime<Utc>,
    /// Its checks.
    pub summary: Summary,
}

/// How much history there is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryStatus {
    /// Bytes of the whole database on disk.
    pub database_bytes: u64,
    /// Bytes of it that hold nothing and can be used again. Only SQLite tells.
    pub free_bytes: Option<u64>,
    /// Bytes of the checks with their indexes. Only PostgreSQL tells.
    pub checks_bytes: Option<u64>,
    /// Bytes of the days.
    pub days_bytes: Option<u64>,
    /// Bytes of the hours.
    pub hours_bytes: Option<u64>,
    /// Checks that are kept.
    pub checks: u64,
    /// When the oldest run was filed whose checks are kept.
    pub oldest: Option<DateTime<Utc>>,
    /// Checks stored for each day of the last week.
    pub checks_a_day: f64,
    /// Runs whose checks are in no rollup yet, running ones among them.
    pub to_roll_up: u64,
    /// When nothing was left to roll up.
    pub rolled_at: Option<DateTime<Utc>>,
    /// When nothing was left to remove.
    pub cleaned_at: Option<DateTime<Utc>>,
    /// What the last clean-up did that removed anything.
    pub removed: Option<CleanUp>,
    /// `None`: this database has none.
    pub partitions: Option<PartitionStatus>,
}

/// A clean-up that removed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanUp {
    /// When it had ended.
    pub at: DateTime<Utc>,
    /// What it removed.
    pub removed: Removed,
}

/// What a clean-up removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Removed {
    /// Weeks of checks, as a whole. Only PostgreSQL keeps them so.
    pub weeks: u64,
    /// Checks one by one. Only SQLite removes them so.
    pub checks: u64,
    /// Hours of links.
    pub hours: u64,
    /// Runs with their counts.
    pub runs: u64,
}

impl Removed {
    /// Whether it was nothing.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, more: Self) {
        self.weeks += more.weeks;
        self.checks += more.checks;
        self.hours += more.hours;
        self.runs += more.runs;
    }
}

/// The partitions of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// How many there are.
    pub kept: u32,
    /// How many there are for weeks that have not begun.
    pub ahead: u32,
    /// The bytes of the largest, with its indexes.
    pub largest_bytes: u64,
}
