//! A schedule that is changed by what it is at that moment.

use chrono::{DateTime, Utc};

use super::{ScheduleChange, ScheduleState, Schedules, StoredSchedule};
use crate::StoreError;

/// How often a change is tried that somebody else came before: a producer may just settle a tick.
const TRIES: u32 = 5;

/// What became of a change of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleSet {
    /// It is as it should be.
    Set,
    /// There is no schedule of this name.
    Gone,
    /// Others changed it each time.
    Another,
}

/// Why a schedule is neither paused nor resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotPause {
    /// It has no more ticks.
    Ended,
    /// Its definition cannot be read, for this reason.
    Unreadable(String),
}

/// What a change does to a schedule that it has read. `None`: the schedule is as it should be.
pub type ScheduleDecision<E> = std::result::Result<Option<ScheduleChange>, E>;

impl StoredSchedule {
    /// Pauses it, until this moment or without an end.
    pub fn pause(&self, until: Option<DateTime<Utc>>) -> ScheduleDecision<CannotPause> {
        match self.state {
            ScheduleState::Paused if self.paused_until == until => Ok(None),
            ScheduleState::Active | ScheduleState::Paused => Ok(Some(self.pauses(until))),
            ScheduleState::Ended => Err(CannotPause::Ended),
        }
    }

    /// Lets it go on, if it is paused.
    pub fn resume(&self, now: DateTime<Utc>) -> ScheduleDecision<CannotPause> {
        match self.state {
            ScheduleState::Active => Ok(None),
            ScheduleState::Ended => Err(CannotPause::Ended),
            ScheduleState::Paused => match &self.spec {
                Ok(spec) => Ok(Some(self.resumes(spec, now))),
                Err(problem) => Err(CannotPause::Unreadable(problem.clone())),
            },
        }
    }
}

/// Changes the schedule of this name by what it is now, and by the database's clock.
pub async fn set_schedule<E: From<StoreError>>(
    store: &(impl Schedules + ?Sized),
    name: &str,
    decide: impl Fn(&StoredSchedule, DateTime<Utc>) -> ScheduleDecision<E> + Send + Sync,
) -> std::result::Result<ScheduleSet, E> {
    for _ in 0..TRIES {
        let Some(schedule) = store.find_schedule(name.trim()).await? else { return Ok(ScheduleSet::Gone) };
        let Some(change) = decide(&schedule, store.clock().await?)? else { return Ok(ScheduleSet::Set) };
        if store.change_schedule(&schedule, change).await? {
            return Ok(ScheduleSet::Set);
        }
    }
    Ok(ScheduleSet::Another)
}
