//! Schedules and their ticks: rows of `schedules` and `ticks`.

use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use linkbeat_shared::schedule::NextTick;
use linkbeat_shared::{RunId, ScheduleId};

use super::{number, parse};
use crate::error::Fault;
use crate::schema::{schedules, ticks};
use crate::traits::{
    NewSchedule, ScheduleChange, ScheduleState, StoredSchedule, Tick, TickCounts, TickOutcome,
};
use crate::values::{Document, Id, Moment};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = schedules)]
pub(crate) struct ScheduleRow {
    id: Id,
    name: String,
    definition: Document,
    request: String,
    state: String,
    due_at: Option<Moment>,
    begins_at: Option<Moment>,
    last_due_at: Option<Moment>,
    paused_until: Option<Moment>,
    #[diesel(embed)]
    counts: TickCountsRow,
    revision: i64,
    created_at: Moment,
}

/// What became of a schedule's ticks.
#[derive(Debug, Clone, Copy, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = schedules)]
pub(crate) struct TickCountsRow {
    fired: i64,
    by_hand: i64,
    skipped_overlap: i64,
    skipped_missed: i64,
    skipped_paused: i64,
    failed: i64,
}

impl TickCountsRow {
    /// Counts so many more ticks of this outcome.
    pub(crate) fn count(&mut self, outcome: TickOutcome, ticks: i64) {
        *match outcome {
            TickOutcome::Fired => &mut self.fired,
            TickOutcome::ByHand => &mut self.by_hand,
            TickOutcome::Overlap => &mut self.skipped_overlap,
            TickOutcome::Missed => &mut self.skipped_missed,
            TickOutcome::Failed => &mut self.failed,
        } += ticks;
    }
}

impl TryFrom<ScheduleRow> for StoredSchedule {
    type Error = Fault;

    fn try_from(row: ScheduleRow) -> Result<Self, Fault> {
        Ok(Self {
            counts: row.counts.try_into()?,
            id: ScheduleId(row.id.0),
            name: row.name,
            // One that cannot be read must not keep the others from being read.
            spec: row.definition.read("schedules.definition").map_err(|fault| fault.to_string()),
            request: row.request,
            state: parse(&row.state, "schedules.state")?,
            next: row
                .due_at
                .zip(row.begins_at)
                .map(|(due, begins)| NextTick { due: due.0, begins: begins.0 }),
            last_due: row.last_due_at.map(|moment| moment.0),
            paused_until: row.paused_until.map(|moment| moment.0),
            revision: row.revision,
            created_at: row.created_at.0,
        })
    }
}

impl TryFrom<TickCountsRow> for TickCounts {
    type Error = Fault;

    fn try_from(row: TickCountsRow) -> Result<Self, Fault> {
        Ok(Self {
            fired: number(row.fired, "schedules.fired")?,
            by_hand: number(row.by_hand, "schedules.by_hand")?,
            overlap: number(row.skipped_overlap, "schedules.skipped_overlap")?,
            missed: number(row.skipped_missed, "schedules.skipped_missed")?,
            paused: number(row.skipped_paused, "schedules.skipped_paused")?,
            failed: number(row.failed, "schedules.failed")?,
        })
    }
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = schedules)]
pub(crate) struct NewScheduleRow {
    id: Id,
    name: String,
    definition: Document,
    request: String,
    state: &'static str,
    #[diesel(embed)]
    next: NextTickRow,
}

impl From<NewSchedule> for NewScheduleRow {
    fn from(schedule: NewSchedule) -> Self {
        Self {
            id: Id(schedule.id.0),
            name: schedule.name.into(),
            definition: Document::of(&schedule.spec),
            request: schedule.request,
            state: ScheduleState::Active.as_str(),
            next: Some(schedule.next).into(),
        }
    }
}

/// When the next tick is due, and when it begins.
#[derive(Debug, Clone, Copy, Insertable, AsChangeset)]
#[diesel(table_name = schedules, treat_none_as_null = true)]
pub(crate) struct NextTickRow {
    due_at: Option<Moment>,
    begins_at: Option<Moment>,
}

impl From<Option<NextTick>> for NextTickRow {
    fn from(next: Option<NextTick>) -> Self {
        Self { due_at: next.map(|next| Moment(next.due)), begins_at: next.map(|next| Moment(next.begins)) }
    }
}

/// What is `None` is left as it is.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = schedules)]
pub(crate) struct ScheduleChangeRow {
    definition: Option<Document>,
    request: Option<String>,
    state: &'static str,
}

impl From<&ScheduleChange> for ScheduleChangeRow {
    fn from(change: &ScheduleChange) -> Self {
        Self {
            definition: change.spec.as_ref().map(Document::of),
            request: change.request.clone(),
            state: change.state.as_str(),
        }
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = ticks)]
pub(crate) struct TickRow {
    pub(crate) schedule_id: Id,
    pub(crate) due_at: Moment,
    pub(crate) outcome: String,
    pub(crate) covers: i64,
    pub(crate) run_id: Option<Id>,
    pub(crate) settled_at: Moment,
}

impl TryFrom<TickRow> for Tick {
    type Error = Fault;

    fn try_from(row: TickRow) -> Result<Self, Fault> {
        Ok(Self {
            due: row.due_at.0,
            outcome: parse(&row.outcome, "ticks.outcome")?,
            ticks: number(row.covers, "ticks.covers")?,
            run: row.run_id.map(|run| RunId(run.0)),
            settled_at: row.settled_at.0,
        })
    }
}
