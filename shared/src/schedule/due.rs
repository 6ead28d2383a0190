//! What is to be done about the ticks of a schedule that are due. Pure: the time is a value.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Missed, ScheduleSpec};
use crate::{ScheduleId, derived_id};

/// So much later a tick may always begin: a producer that takes over from one that was killed needs some of it.
const ON_TIME: Duration = Duration::from_secs(60);
/// How late a tick may begin, that is made up for, if the schedule does not say.
const LATE: Duration = Duration::from_secs(24 * 3_600);
/// If the last tick lies so far ahead, the clock was set back.
const AHEAD: TimeDelta = TimeDelta::seconds(60);
/// Most ticks that are skipped in one step.
const MOST: u64 = 2_000;

/// One step: some ticks that are skipped, then perhaps one that begins, and the tick that comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTicks {
    /// Ticks that nobody could begin in time.
    pub missed: Option<SkippedTicks>,
    /// The tick that begins now.
    pub fire: Option<DateTime<Utc>>,
    /// What comes next; `None`: nothing ever.
    pub next: Option<NextTick>,
    /// The clock was set back since the last tick, so ticks are computed anew from now. One that has fired does not
    /// fire again: its time is taken.
    pub set_back: bool,
}

/// Ticks that were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedTicks {
    /// How many.
    pub count: u64,
    /// The last of them.
    pub last: DateTime<Utc>,
}

/// A tick that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextTick {
    /// Its time by the schedule. It names the tick.
    pub due: DateTime<Utc>,
    /// When it begins: as much later as the jitter says.
    pub begins: DateTime<Utc>,
}

impl ScheduleSpec {
    /// The first tick after this moment.
    pub fn next_after(&self, id: ScheduleId, after: DateTime<Utc>) -> Option<NextTick> {
        self.timing.next_after(after, self.time_zone).map(|due| self.tick(id, due))
    }

    /// The first ticks after this moment, at most so many.
    pub fn upcoming(&self, id: ScheduleId, after: DateTime<Utc>, count: usize) -> Vec<NextTick> {
        let first = self.next_after(id, after);
        std::iter::successors(first, |tick| self.next_after(id, tick.due)).take(count).collect()
    }

    /// The tick that is due then.
    pub fn tick(&self, id: ScheduleId, due: DateTime<Utc>) -> NextTick {
        let jitter =
            self.jitter.map_or(0, |jitter| derived_id::tick_jitter(id, due) % (jitter.as_millis() + 1));
        let later = TimeDelta::milliseconds(i64::try_from(jitter).unwrap_or_default());
        NextTick { due, begins: due.checked_add_signed(later).unwrap_or(due) }
    }

    /// The next step of a schedule whose next tick is `next` and whose last one was `last`; `None`: nothing is due.
    ///
    /// Each tick is computed from the one before. Only if the clock was set back, it is computed from now.
    pub fn due(
        &self,
        id: ScheduleId,
        next: NextTick,
        last: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<DueTicks> {
        if last.is_some_and(|last| last > now + AHEAD) {
            let next = self.next_after(id, now);
            return Some(DueTicks { missed: None, fire: None, next, set_back: true });
        }
        let (mut tick, mut missed) = (next, None::<SkippedTicks>);
        while tick.begins <= now {
            let count = missed.map_or(0, |missed| missed.count);
            if count >= MOST {
                return Some(DueTicks { missed, fire: None, next: Some(tick), set_back: false });
            }
            let next = self.next_after(id, tick.due);
            let is_latest = next.is_none_or(|next| next.begins > now);
            if self.begins_still((now - tick.begins).to_std().unwrap_or_default(), is_latest) {
                return Some(DueTicks { missed, fire: Some(tick.due), next, set_back: false });
            }
            missed = Some(SkippedTicks { count: count + 1, last: tick.due });
            let Some(next) = next else {
                return Some(DueTicks { missed, fire: None, next: None, set_back: false });
            };
            tick = next;
        }
        missed?;
        Some(DueTicks { missed, fire: None, next: Some(tick), set_back: false })
    }

    /// Whether a tick begins that is so late. `is_latest`: no later one is due.
    fn begins_still(&self, late: Duration, is_latest: bool) -> bool {
        let deadline = self.deadline.map(crate::TickDeadline::duration);
        match self.missed {
            Missed::Skip => late <= deadline.unwrap_or(ON_TIME),
            Missed::Once => {
                let deadline = deadline.unwrap_or(LATE);
                late <= deadline.min(ON_TIME) || (is_latest && late <= deadline)
            }
        }
    }
}

/// How many ticks there are from this one on until `now`, counted no further than `most`.
pub fn ticks_between(
    spec: &ScheduleSpec,
    id: ScheduleId,
    from: NextTick,
    now: DateTime<Utc>,
    most: usize,
) -> u64 {
    let ticks = std::iter::successors(Some(from), |tick| spec.next_after(id, tick.due));
    ticks.take(most).take_while(|tick| tick.begins <= now).count() as u64
}
