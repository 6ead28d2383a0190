//! Schedules, and what becomes of their ticks.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, SelectableHelper,
};
use diesel_async::RunQueryDsl;
use linkbeat_shared::schedule::Overlap;
use linkbeat_shared::{LinkSelection, RunId, RunState, ScheduleId};

use super::dialect::{locked, locked_if_free};
use super::{Connection, dialect, runs as runs_queries};
use crate::error::Fault;
use crate::rows::{
    NewScheduleRow, NextTickRow, ScheduleChangeRow, ScheduleRow, TickCountsRow, TickRow, stored_count,
};
use crate::schema::{runs, schedules, ticks};
use crate::traits::{
    NewSchedule, ScheduleChange, ScheduleState, Settled, Skip, StoredSchedule, Tick, TickOutcome, TickRun,
    TickStep,
};
use crate::values::{Id, Moment};

/// Ticks of a schedule that are kept.
const KEPT: i64 = 1_000;
/// If the last tick of a schedule lies so far ahead, the clock was set back.
const AHEAD: TimeDelta = TimeDelta::seconds(60);

pub(super) async fn add(connection: &mut Connection, schedule: NewSchedule) -> Result<bool, Fault> {
    let row = NewScheduleRow::from(schedule);
    let insert = diesel::insert_into(schedules::table).values(row).on_conflict(schedules::name).do_nothing();
    Ok(insert.execute(connection).await? > 0)
}

pub(super) async fn page(
    connection: &mut Connection,
    after: &str,
    limit: u32,
) -> Result<Vec<StoredSchedule>, Fault> {
    let rows = schedules::table.filter(schedules::name.gt(after)).order(schedules::name).limit(limit.into());
    parsed(rows.select(ScheduleRow::as_select()).load(connection).await?)
}

pub(super) async fn find(connection: &mut Connection, name: &str) -> Result<Option<StoredSchedule>, Fault> {
    let row = schedules::table.filter(schedules::name.eq(name)).select(ScheduleRow::as_select());
    row.first(connection).await.optional()?.map(StoredSchedule::try_from).transpose()
}

pub(super) async fn change(
    connection: &mut Connection,
    id: ScheduleId,
    revision: i64,
    change: ScheduleChange,
) -> Result<bool, Fault> {
    let now = dialect::now(connection).await?;
    let as_read = schedules::table.find(Id(id.0)).filter(schedules::revision.eq(revision));
    let row = (
        ScheduleChangeRow::from(&change),
        NextTickRow::from(change.next),
        schedules::paused_until.eq(change.paused_until.map(Moment)),
        schedules::skipped_paused.eq(schedules::skipped_paused + count(change.paused)),
        schedules::revision.eq(schedules::revision + 1),
        schedules::changed_at.eq(now),
    );
    Ok(diesel::update(as_read).set(row).execute(connection).await? > 0)
}

pub(super) async fn remove(connection: &mut Connection, id: ScheduleId) -> Result<bool, Fault> {
    Ok(diesel::delete(schedules::table.find(Id(id.0))).execute(connection).await? > 0)
}

pub(super) async fn due(
    connection: &mut Connection,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<StoredSchedule>, Fault> {
    let begins = schedules::begins_at.le(Moment(now));
    let set_back = schedules::last_due_at.gt(Moment(now + AHEAD));
    let ticks =
        schedules::state.eq(ScheduleState::Active.as_str()).and(begins.or(set_back).assume_not_null());
    let ends = schedules::paused_until.le(Moment(now)).assume_not_null();
    let goes_on = schedules::state.eq(ScheduleState::Paused.as_str()).and(ends);
    let due = schedules::table.filter(ticks.or(goes_on)).order(schedules::begins_at).limit(limit.into());
    parsed(due.select(ScheduleRow::as_select()).load(connection).await?)
}

/// `links` are those of the run.
pub(super) async fn settle(
    connection: &mut Connection,
    step: &TickStep,
    tick: Option<(TickRun, LinkSelection)>,
) -> Result<Settled, Fault> {
    let id = Id(step.schedule.0);
    let as_read =
        schedules::revision.eq(step.revision).and(schedules::state.eq(ScheduleState::Active.as_str()));
    let as_read = schedules::table.find(id).filter(as_read).select(TickCountsRow::as_select());
    let held: Option<TickCountsRow> = locked_if_free!(as_read).first(connection).await.optional()?;
    let Some(mut counts) = held else { return Ok(Settled::Stale) };
    let last = tick.as_ref().map(|(tick, _)| tick.due).or(step.skipped.map(|(_, ticks)| ticks.last));
    if let Some((skip, skipped)) = step.skipped {
        let outcome = match skip {
            Skip::Missed => TickOutcome::Missed,
            Skip::Failed => TickOutcome::Failed,
        };
        counts.count(outcome, count(skipped.count));
        keep_tick(connection, id, skipped.last, outcome, skipped.count, None).await?;
    }
    let settled = match tick {
        None => Settled::Skipped,
        Some((tick, links)) => fire(connection, id, tick, links, &mut counts).await?,
    };
    let now = dialect::now(connection).await?;
    let state = if step.next.is_some() { ScheduleState::Active } else { ScheduleState::Ended };
    let row = (
        NextTickRow::from(step.next),
        schedules::state.eq(state.as_str()),
        counts,
        schedules::revision.eq(schedules::revision + 1),
        schedules::changed_at.eq(now),
    );
    diesel::update(schedules::table.find(id)).set(row).execute(connection).await?;
    if last.is_some() || step.set_back {
        let last = schedules::last_due_at.eq(last.map(Moment));
        diesel::update(schedules::table.find(id)).set(last).execute(connection).await?;
    }
    forget_old_ticks(connection, id).await?;
    Ok(settled)
}

/// A tick that is due.
async fn fire(
    connection: &mut Connection,
    id: Id,
    tick: TickRun,
    links: LinkSelection,
    counts: &mut TickCountsRow,
) -> Result<Settled, Fault> {
    let key = (id, Moment(tick.due));
    let known: Option<Id> =
        ticks::table.find(key).select(ticks::schedule_id).first(connection).await.optional()?;
    if known.is_some() {
        return Ok(Settled::Known);
    }
    let due = tick.due;
    let (outcome, run, settled) = match begin(connection, id, tick, links).await? {
        Settled::Overlap(run) => (TickOutcome::Overlap, None, Settled::Overlap(run)),
        Settled::Fired { filed, .. } if filed.existed => {
            (TickOutcome::Fired, Some(filed.run.id), Settled::Known)
        }
        Settled::Fired { filed, replaced } => {
            (TickOutcome::Fired, Some(filed.run.id), Settled::Fired { filed, replaced })
        }
        other @ (Settled::Stale | Settled::Skipped | Settled::Known) => return Ok(other),
    };
    if !matches!(settled, Settled::Known) {
        counts.count(outcome, 1);
    }
    keep_tick(connection, id, due, outcome, 1, run).await?;
    Ok(settled)
}

/// Files the run, unless an earlier one of this schedule forbids it.
async fn begin(
    connection: &mut Connection,
    id: Id,
    tick: TickRun,
    links: LinkSelection,
) -> Result<Settled, Fault> {
    let going_on = match tick.overlap {
        Overlap::Allow => Vec::new(),
        Overlap::Forbid | Overlap::Replace => runs_going_on(connection, id).await?,
    };
    if let (Overlap::Forbid, [run, ..]) = (tick.overlap, &going_on[..]) {
        return Ok(Settled::Overlap(*run));
    }
    let mut replaced = Vec::new();
    for run in going_on {
        let ended = runs_queries::cancel(connection, run).await?;
        replaced.extend(ended.filter(|run| run.state == RunState::Cancelled).map(|run| run.id));
    }
    let filed = runs_queries::file(connection, &tick.run, links, tick.planner, None).await?;
    Ok(Settled::Fired { filed, replaced })
}

/// A run that a person asks for.
pub(super) async fn by_hand(
    connection: &mut Connection,
    id: ScheduleId,
    tick: TickRun,
    links: LinkSelection,
) -> Result<Settled, Fault> {
    let (id, due) = (Id(id.0), tick.due);
    let counts = schedules::table.find(id).select(TickCountsRow::as_select());
    let counts: Option<TickCountsRow> = locked!(counts).first(connection).await.optional()?;
    let Some(mut counts) = counts else { return Ok(Settled::Stale) };
    // The same request came twice at once: `replace` must not cancel the run that the first one filed.
    if let Some(filed) = runs_queries::filed_before(connection, &tick.run).await? {
        return Ok(Settled::Fired { filed, replaced: Vec::new() });
    }
    let settled = begin(connection, id, tick, links).await?;
    if let Settled::Fired { filed, .. } = &settled {
        keep_tick(connection, id, due, TickOutcome::ByHand, 1, Some(filed.run.id)).await?;
        counts.count(TickOutcome::ByHand, 1);
        diesel::update(schedules::table.find(id)).set(counts).execute(connection).await?;
    }
    Ok(settled)
}

async fn runs_going_on(connection: &mut Connection, id: Id) -> Result<Vec<RunId>, Fault> {
    let of_schedule = ticks::table.inner_join(runs::table.on(ticks::run_id.eq(runs::id.nullable())));
    let running = ticks::schedule_id.eq(id).and(runs::state.eq(RunState::Running.as_str()));
    let ids: Vec<Id> =
        of_schedule.filter(running).order(ticks::due_at).select(runs::id).load(connection).await?;
    Ok(ids.into_iter().map(|id| RunId(id.0)).collect())
}

async fn keep_tick(
    connection: &mut Connection,
    id: Id,
    due: DateTime<Utc>,
    outcome: TickOutcome,
    so_many: u64,
    run: Option<RunId>,
) -> Result<(), Fault> {
    let row = TickRow {
        schedule_id: id,
        due_at: Moment(due),
        outcome: outcome.as_str().to_owned(),
        covers: count(so_many),
        run_id: run.map(|run| Id(run.0)),
        settled_at: dialect::now(connection).await?,
    };
    let insert = diesel::insert_into(ticks::table).values(row);
    insert.on_conflict((ticks::schedule_id, ticks::due_at)).do_nothing().execute(connection).await?;
    Ok(())
}

async fn forget_old_ticks(connection: &mut Connection, id: Id) -> Result<(), Fault> {
    let of_schedule = ticks::table.filter(ticks::schedule_id.eq(id)).order(ticks::due_at.desc());
    let oldest: Option<Moment> =
        of_schedule.offset(KEPT - 1).limit(1).select(ticks::due_at).first(connection).await.optional()?;
    if let Some(oldest) = oldest {
        let old = ticks::table.filter(ticks::schedule_id.eq(id).and(ticks::due_at.lt(oldest)));
        diesel::delete(old).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn latest_ticks(
    connection: &mut Connection,
    id: ScheduleId,
    limit: u32,
) -> Result<Vec<Tick>, Fault> {
    let rows = ticks::table.filter(ticks::schedule_id.eq(Id(id.0))).order(ticks::due_at.desc());
    let rows = rows.limit(limit.into()).select(TickRow::as_select()).load(connection).await?;
    rows.into_iter().map(Tick::try_from).collect()
}

fn count(so_many: u64) -> i64 {
    usize::try_from(so_many).map_or(i64::MAX, stored_count)
}

fn parsed(rows: Vec<ScheduleRow>) -> Result<Vec<StoredSchedule>, Fault> {
    rows.into_iter().map(StoredSchedule::try_from).collect()
}
