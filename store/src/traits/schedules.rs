use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::schedule::{NextTick, Overlap, ScheduleName, ScheduleSpec, SkippedTicks, ticks_between};
use linkbeat_shared::{RunId, ScheduleId};

use super::{Filed, NewRun, Planner};
use crate::Result;

/// Schedules and their ticks.
#[async_trait]
pub trait Schedules: Send + Sync + Debug {
    /// The database's clock.
    async fn clock(&self) -> Result<DateTime<Utc>>;

    /// Keeps a new schedule. `false`: its name is taken.
    async fn add_schedule(&self, schedule: NewSchedule) -> Result<bool>;

    /// Schedules in the order of their names, those after `after`, at most `limit`.
    async fn schedules(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredSchedule>>;

    /// The schedule of this name.
    async fn find_schedule(&self, name: &str) -> Result<Option<StoredSchedule>>;

    /// Changes a schedule. `false`: it is not there, or it was changed since it was read.
    async fn change_schedule(&self, read: &StoredSchedule, change: ScheduleChange) -> Result<bool>;

    /// Removes a schedule and its ticks, and says whether it was there. Its runs stay.
    async fn remove_schedule(&self, id: ScheduleId) -> Result<bool>;

    /// Schedules about which something is to be done at this moment, those that are due first first, at most `limit`:
    /// active ones with ticks that are due, and paused ones whose pause has ended.
    async fn due_schedules(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<StoredSchedule>>;

    /// Does one step of a schedule, in one transaction: counts the ticks that are skipped, files the run of the tick that
    /// begins, and keeps what comes next. Each due time is settled once. Nobody waits here for somebody else who settles
    /// the same schedule.
    async fn settle_ticks(&self, step: TickStep, tick: Option<TickRun>) -> Result<Settled>;

    /// Files a run of a schedule that a person asks for now. It is no tick, but [`Overlap`] holds for it.
    async fn run_schedule(&self, id: ScheduleId, tick: TickRun) -> Result<Settled>;

    /// The latest ticks of a schedule, latest first, at most `limit`.
    async fn ticks(&self, id: ScheduleId, limit: u32) -> Result<Vec<Tick>>;
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScheduleState {
    /// It ticks.
    Active,
    /// A person stopped it for now.
    Paused,
    /// It has no more ticks.
    Ended,
}

impl ScheduleState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

impl std::str::FromStr for ScheduleState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Active, Self::Paused, Self::Ended]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a schedule"))
    }
}

/// A schedule to be kept. It is active.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// What people call it.
    pub name: ScheduleName,
    /// When it ticks.
    pub spec: ScheduleSpec,
    /// Its request, as [`linkbeat_shared::schedule::stored_request`] gives it.
    pub request: String,
    /// Its first tick.
    pub next: NextTick,
}

/// A schedule that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// What people call it.
    pub name: String,
    /// When it ticks; why that cannot be read, if another linkbeat has written it.
    pub spec: Result<ScheduleSpec, String>,
    /// Its request, for [`linkbeat_shared::schedule::read_request`].
    pub request: String,
    /// Where it stands.
    pub state: ScheduleState,
    /// Its next tick. That of a paused schedule does not begin.
    pub next: Option<NextTick>,
    /// The last tick that fired or was skipped.
    pub last_due: Option<DateTime<Utc>>,
    /// When its pause ends; `None`: it is not paused, or without an end.
    pub paused_until: Option<DateTime<Utc>>,
    /// What became of its ticks.
    pub counts: TickCounts,
    /// Grows with each change.
    pub revision: i64,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Ticks of a pause are counted up to so many.
const MOST_PAUSED: usize = 10_000;

impl StoredSchedule {
    /// The change to this state; all else stays.
    pub fn becomes(&self, state: ScheduleState) -> ScheduleChange {
        ScheduleChange { spec: None, request: None, state, next: self.next, paused: 0, paused_until: None }
    }

    /// The change that pauses it, until this moment or without an end.
    pub fn pauses(&self, until: Option<DateTime<Utc>>) -> ScheduleChange {
        ScheduleChange { paused_until: until, ..self.becomes(ScheduleState::Paused) }
    }

    /// The change by which a paused schedule of this timing goes on. Ticks of the time in which it was paused are skipped.
    pub fn resumes(&self, spec: &ScheduleSpec, now: DateTime<Utc>) -> ScheduleChange {
        let paused = self.next.map_or(0, |next| ticks_between(spec, self.id, next, now, MOST_PAUSED));
        let next = match self.next {
            Some(next) if next.begins > now => Some(next),
            _ => spec.next_after(self.id, now),
        };
        let state = if next.is_some() { ScheduleState::Active } else { ScheduleState::Ended };
        ScheduleChange { paused, next, ..self.becomes(state) }
    }
}

/// How many ticks of a schedule came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TickCounts {
    /// They became runs.
    pub fired: u64,
    /// Runs that a person began.
    pub by_hand: u64,
    /// Skipped: an earlier run still went on.
    pub overlap: u64,
    /// Skipped: nobody could begin them in time.
    pub missed: u64,
    /// Skipped: the schedule was paused.
    pub paused: u64,
    /// The run could not be filed.
    pub failed: u64,
}

/// What is new about a schedule. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleChange {
    /// When it ticks.
    pub spec: Option<ScheduleSpec>,
    /// Its request.
    pub request: Option<String>,
    /// Where it stands now.
    pub state: ScheduleState,
    /// Its next tick now.
    pub next: Option<NextTick>,
    /// So many ticks were skipped while it was paused.
    pub paused: u64,
    /// When its pause ends, if it is paused and that has an end.
    pub paused_until: Option<DateTime<Utc>>,
}

/// One step of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct TickStep {
    /// The schedule.
    pub schedule: ScheduleId,
    /// It is as it was in this revision. Otherwise nothing is done.
    pub revision: i64,
    /// Ticks that come to nothing.
    pub skipped: Option<(Skip, SkippedTicks)>,
    /// What comes next; `None`: nothing ever, and the schedule has ended.
    pub next: Option<NextTick>,
    /// The clock was set back: the last tick is forgotten.
    pub set_back: bool,
}

/// Why ticks come to nothing, if it is known before the database is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// Nobody could begin them in time.
    Missed,
    /// Their run cannot be filed.
    Failed,
}

/// A tick that begins.
pub struct TickRun {
    /// When it was due.
    pub due: DateTime<Utc>,
    /// What it does if an earlier run goes on.
    pub overlap: Overlap,
    /// Its run.
    pub run: NewRun,
    /// Cuts the run into jobs.
    pub planner: Box<dyn Planner>,
}

impl Debug for TickRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TickRun").field("due", &self.due).field("run", &self.run.id).finish_non_exhaustive()
    }
}

/// What became of a step.
#[derive(Debug, Clone)]
pub enum Settled {
    /// Nothing was done: somebody else has changed the schedule, or settles it at this moment.
    Stale,
    /// No tick began.
    Skipped,
    /// The tick had been settled before.
    Known,
    /// The tick is skipped, as this run still goes on.
    Overlap(RunId),
    /// The tick is a run now.
    Fired {
        /// The run.
        filed: Filed,
        /// The runs that were cancelled for it.
        replaced: Vec<RunId>,
    },
}

/// What became of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TickOutcome {
    /// It became a run.
    Fired,
    /// A person began a run.
    ByHand,
    /// Skipped: an earlier run still went on.
    Overlap,
    /// Skipped: nobody could begin it in time.
    Missed,
    /// Its run could not be filed.
    Failed,
}

impl TickOutcome {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::ByHand => "by_hand",
            Self::Overlap => "overlap",
            Self::Missed => "missed",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for TickOutcome {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Fired, Self::ByHand, Self::Overlap, Self::Missed, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no outcome of a tick"))
    }
}

/// A tick that was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When it was due.
    pub due: DateTime<Utc>,
    /// What became of it.
    pub outcome: TickOutcome,
    /// So many ticks up to this one came to the same.
    pub ticks: u64,
    /// Its run.
    pub run: Option<RunId>,
    /// When it was settled, by the database's clock.
    pub settled_at: DateTime<Utc>,
}
