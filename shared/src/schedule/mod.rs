//! Schedules: a request that is made again and again. Each due time of a schedule is a tick.
//!
//! Nothing here reads a clock. The tick that follows is computed from the one before, so ticks do not drift, and whoever
//! computes them gets the same.

mod chinese;
mod due;
mod name;
mod pattern;
mod request;
mod timing;
mod zone;

use serde::{Deserialize, Serialize};

use crate::{Jitter, TickDeadline};

pub use due::{DueTicks, NextTick, SkippedTicks, ticks_between};
pub use name::{BadScheduleName, ScheduleName};
pub use pattern::{BadCron, CronPattern};
pub use request::{BadStoredRequest, read_request, stored_request};
pub use timing::{BadMoment, Timing, in_chinese, local_moment};
pub use zone::{UnknownZone, Zone};

/// When a schedule makes its request, and what becomes of ticks that cannot begin as they should.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// When it ticks.
    #[serde(flatten)]
    pub timing: Timing,
    /// The zone in which a cron pattern is read, and in which times are shown.
    pub time_zone: Zone,
    /// What a tick does if a run of an earlier one still goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// What becomes of ticks that nobody could begin in time.
    #[serde(default)]
    pub missed: Missed,
    /// How late a tick may begin; `None`: the default of `missed`.
    #[serde(default, rename = "deadline_ms", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<TickDeadline>,
    /// Ticks begin up to so much later than they are due. How much, follows from schedule and tick.
    #[serde(default, rename = "jitter_ms", skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
}

/// What a tick does if a run of the same schedule still goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The tick is skipped.
    #[default]
    Forbid,
    /// Both runs go on.
    Allow,
    /// The older run is cancelled.
    Replace,
}

impl Overlap {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forbid => "forbid",
            Self::Allow => "allow",
            Self::Replace => "replace",
        }
    }
}

impl std::str::FromStr for Overlap {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Forbid, Self::Allow, Self::Replace]
            .into_iter()
            .find(|overlap| overlap.as_str() == text)
            .ok_or_else(|| format!("`{text}` is none of forbid, allow and replace"))
    }
}

/// What becomes of ticks that nobody could begin in time, because no producer ran or the database was away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are skipped.
    Skip,
    /// The latest of them begins late, once. The others are skipped.
    #[default]
    Once,
}

impl Missed {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
        }
    }
}

impl std::str::FromStr for Missed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Skip, Self::Once]
            .into_iter()
            .find(|missed| missed.as_str() == text)
            .ok_or_else(|| format!("`{text}` is neither skip nor once"))
    }
}
