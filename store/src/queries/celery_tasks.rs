//! Tasks of Celery clients.

use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, OptionalExtension, QueryDsl, QueryResult,
    SelectableHelper,
};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::dialect::{locked, locked_if_free};
use super::{Connection, dialect};
use crate::error::Fault;
use crate::kept::Keep;
use crate::rows::{CeleryTaskChangeRow, CeleryTaskRow, EndedTaskRow, NewCeleryTaskRow, number};
use crate::schema::{celery_tasks, runs};
use crate::traits::{CeleryTask, NewTask, TaskChange, TaskState};
use crate::values::{Id, Moment};

/// Keeps a task; `false`: it is known.
pub(super) async fn insert(connection: &mut Connection, task: NewTask) -> QueryResult<bool> {
    let due_at = celery_tasks::due_at.eq(dialect::clock_in(task.due_in));
    let row = (NewCeleryTaskRow::from(task), due_at, celery_tasks::changed_at.eq(dialect::clock()));
    let insert = diesel::insert_into(celery_tasks::table).values(row);
    let insert = insert.on_conflict(celery_tasks::id).do_nothing();
    Ok(insert.kept().execute(connection).await? > 0)
}

/// A task that is known; nobody changes it until the transaction ends.
pub(super) async fn known(connection: &mut Connection, id: &str) -> Result<CeleryTask, Fault> {
    let known = locked!(celery_tasks::table.find(id).select(CeleryTaskRow::as_select()));
    let known: Option<CeleryTaskRow> = known.first(connection).await.optional()?;
    // It was forgotten at this moment: whoever asks again is given it.
    let known = known.ok_or(Fault::Conflict)?;
    with_runs(connection, vec![known]).await?.pop().ok_or(Fault::Conflict)
}

pub(super) async fn change(
    connection: &mut Connection,
    id: &str,
    from: &[TaskState],
    change: TaskChange,
) -> Result<bool, Fault> {
    let now = dialect::now(connection).await?;
    let same = from.contains(&change.state);
    let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
    let (any_card, card) = (change.if_card.is_none(), change.if_card.clone().unwrap_or_default());
    let as_read = celery_tasks::card.eq(card).or(any_card.into_sql::<Bool>());
    let task = celery_tasks::table
        .filter(celery_tasks::id.eq(id).and(celery_tasks::state.eq_any(from)).and(as_read));
    let row = CeleryTaskChangeRow::new(change, now);
    let changed = match same {
        true => diesel::update(task).set(row).kept().execute(connection).await?,
        false => {
            diesel::update(task)
                .set((row, celery_tasks::changed_at.eq(now)))
                .kept()
                .execute(connection)
                .await?
        }
    };
    Ok(changed > 0)
}

pub(super) async fn due(
    connection: &mut Connection,
    limit: u32,
    hold: Duration,
) -> Result<Vec<CeleryTask>, Fault> {
    let now = dialect::now(connection).await?;
    let due = celery_tasks::state.eq(TaskState::Waiting.as_str()).and(celery_tasks::due_at.le(now));
    let due = celery_tasks::table.filter(due).order(celery_tasks::due_at).limit(limit.into());
    let ids: Vec<String> = locked_if_free!(due.select(celery_tasks::id)).kept().load(connection).await?;
    claim(connection, ids, Moment(now.0 + hold)).await
}

pub(super) async fn ended(
    connection: &mut Connection,
    limit: u32,
    hold: Duration,
) -> Result<Vec<CeleryTask>, Fault> {
    let rows = dialect::claim_ended_tasks(connection, limit.into(), hold).await?;
    rows.into_iter().map(EndedTaskRow::task).collect()
}

async fn claim(
    connection: &mut Connection,
    ids: Vec<String>,
    until: Moment,
) -> Result<Vec<CeleryTask>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let claimed = celery_tasks::table.filter(celery_tasks::id.eq_any(ids.clone()));
    diesel::update(claimed).set(celery_tasks::due_at.eq(until)).execute(connection).await?;
    found(connection, ids).await
}

pub(super) async fn found(connection: &mut Connection, ids: Vec<String>) -> Result<Vec<CeleryTask>, Fault> {
    let rows = celery_tasks::table.filter(celery_tasks::id.eq_any(ids)).select(CeleryTaskRow::as_select());
    let rows = rows.load(connection).await?;
    with_runs(connection, rows).await
}

async fn with_runs(connection: &mut Connection, rows: Vec<CeleryTaskRow>) -> Result<Vec<CeleryTask>, Fault> {
    let requests = rows.iter().map(|row| row.request_id);
    let runs = runs::table.filter(dialect::among("runs.request_id", requests));
    let runs: Vec<(Id, Id)> = runs.select((runs::request_id, runs::id)).kept().load(connection).await?;
    let runs: HashMap<Id, Id> = runs.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let run = runs.get(&row.request_id).copied();
            row.with_run(run)
        })
        .collect()
}

pub(super) async fn next(connection: &mut Connection) -> Result<Option<Duration>, Fault> {
    let waiting = celery_tasks::table.filter(celery_tasks::state.eq(TaskState::Waiting.as_str()));
    let next = waiting.order(celery_tasks::due_at).select(celery_tasks::due_at).limit(1);
    let next: Option<Moment> = next.first(connection).await.optional()?;
    let now = dialect::now(connection).await?;
    Ok(next.map(|due| (due.0 - now.0).to_std().unwrap_or_default()))
}

pub(super) async fn in_state(
    connection: &mut Connection,
    state: TaskState,
    limit: u32,
) -> Result<Vec<CeleryTask>, Fault> {
    let tasks = celery_tasks::table.filter(celery_tasks::state.eq(state.as_str()));
    let tasks = tasks.order(celery_tasks::due_at).limit(limit.into()).select(CeleryTaskRow::as_select());
    let rows = tasks.kept().load(connection).await?;
    with_runs(connection, rows).await
}

pub(super) async fn count(connection: &mut Connection, state: TaskState) -> Result<u64, Fault> {
    let tasks = celery_tasks::table.filter(celery_tasks::state.eq(state.as_str()));
    let count: i64 = tasks.count().kept().get_result(connection).await?;
    number(count, "the number of tasks")
}

pub(super) async fn forget(
    connection: &mut Connection,
    state: TaskState,
    unchanged_for: Duration,
    limit: u32,
) -> Result<u64, Fault> {
    let now = dialect::now(connection).await?;
    let old = celery_tasks::state
        .eq(state.as_str())
        .and(celery_tasks::changed_at.lt(Moment(now.0 - unchanged_for)));
    let old = celery_tasks::table.filter(old).limit(limit.into()).select(celery_tasks::id);
    let old: Vec<String> = locked_if_free!(old).kept().load(connection).await?;
    let forgotten = celery_tasks::table.filter(celery_tasks::id.eq_any(old));
    Ok(diesel::delete(forgotten).execute(connection).await? as u64)
}
