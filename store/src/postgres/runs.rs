//! Runs, from the request to the announcement of their end.

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{LinkId, Run, RunId, RunState};
use uuid::Uuid;

use super::{jobs, links};
use crate::error::Fault;
use crate::filing::{Filing, PAGE};
use crate::rows::{LinkRow, NewRunRow, RunRow, stored_count};
use crate::schema::{links as links_table, runs, sql as types};
use crate::values::{Id, Moment};
use crate::{Filed, NewRun, Planner, RunLinks};

/// Of two processes that file the same request at the same time, the later one waits at the insertion:
/// then it finds the run of the first, or, in a transaction that cannot see it, meets a conflict.
pub(super) async fn file(
    connection: &mut AsyncPgConnection,
    run: &NewRun,
    planner: Box<dyn Planner>,
) -> Result<Filed, Fault> {
    let row = NewRunRow::from(run);
    let (id, request) = (row.id, row.request_id);
    let insert = diesel::insert_into(runs::table).values(&row).on_conflict(runs::request_id).do_nothing();
    if insert.execute(connection).await? == 0 {
        if row.reply_queue.is_some() {
            ask_again(connection, row).await?;
        }
        let existing = of_request(connection, request).await?.ok_or(Fault::Conflict)?;
        return Ok(Filed { run: existing, existed: true });
    }
    let planned = match &run.links {
        RunLinks::Stored => plan_stored(connection, run.id, planner).await?,
        RunLinks::Given(given) => {
            let imported = links::import(connection, given).await?;
            plan_given(connection, run.id, planner, &imported.ids).await?
        }
    };
    let update = diesel::update(runs::table.find(id)).set(runs::links.eq(planned));
    let row: RunRow = update.returning(RunRow::as_returning()).get_result(connection).await?;
    Ok(Filed { run: row.try_into()?, existed: false })
}

/// Whoever asked last is answered: the run's end is announced once more, if it was already.
async fn ask_again(connection: &mut AsyncPgConnection, row: NewRunRow) -> Result<(), Fault> {
    let asked = (
        runs::reply_queue.eq(row.reply_queue),
        runs::correlation_id.eq(row.correlation_id),
        runs::announced_at.eq(None::<Moment>),
    );
    let run = runs::table.filter(runs::request_id.eq(row.request_id));
    diesel::update(run).set(asked).execute(connection).await?;
    Ok(())
}

/// Plans all active links; returns how many.
async fn plan_stored(
    connection: &mut AsyncPgConnection,
    run: RunId,
    planner: Box<dyn Planner>,
) -> Result<i64, Fault> {
    let active = links_table::table.filter(links_table::active);
    let mut filing = Filing::begin(run, planner, active.count().get_result(connection).await?);
    let (mut host, mut id) = (String::new(), Id(Uuid::nil()));
    loop {
        // A row value is what the index on (host, id) serves.
        let rest =
            sql::<Bool>("(host, id) > (").bind::<Text, _>(host).sql(", ").bind::<types::Id, _>(id).sql(")");
        let page: Vec<LinkRow> = active
            .filter(rest)
            .order((links_table::host, links_table::id))
            .limit(stored_count(PAGE))
            .select(LinkRow::as_select())
            .load(connection)
            .await?;
        let Some(last) = page.last() else { break };
        (host, id) = (last.host.clone(), last.id);
        jobs::insert(connection, &filing.plan(page)?).await?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs).await?;
    Ok(planned)
}

/// Plans the active ones of these links; returns how many. The import holds the lock under which links
/// are edited, so they stay as they are until all are planned.
async fn plan_given(
    connection: &mut AsyncPgConnection,
    run: RunId,
    planner: Box<dyn Planner>,
    ids: &[LinkId],
) -> Result<i64, Fault> {
    let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
    let places: Vec<(String, Id)> = links_table::table
        .filter(links_table::active.and(links_table::id.eq_any(ids)))
        .order((links_table::host, links_table::id))
        .select((links_table::host, links_table::id))
        .load(connection)
        .await?;
    let mut filing = Filing::begin(run, planner, stored_count(places.len()));
    for places in places.chunks(PAGE) {
        let ids: Vec<Id> = places.iter().map(|(_, id)| *id).collect();
        let page = links_table::table
            .filter(links_table::id.eq_any(ids))
            .order((links_table::host, links_table::id))
            .select(LinkRow::as_select())
            .load(connection)
            .await?;
        jobs::insert(connection, &filing.plan(page)?).await?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs).await?;
    Ok(planned)
}

pub(super) async fn find(connection: &mut AsyncPgConnection, id: RunId) -> Result<Option<Run>, Fault> {
    let run = runs::table.find(Id(id.0)).select(RunRow::as_select());
    run.first(connection).await.optional()?.map(Run::try_from).transpose()
}

pub(super) async fn of_request(
    connection: &mut AsyncPgConnection,
    request: Id,
) -> Result<Option<Run>, Fault> {
    let run = runs::table.filter(runs::request_id.eq(request)).select(RunRow::as_select());
    run.first(connection).await.optional()?.map(Run::try_from).transpose()
}

pub(super) async fn latest(connection: &mut AsyncPgConnection, limit: u32) -> Result<Vec<Run>, Fault> {
    let latest = runs::table.order(runs::seq.desc()).limit(limit.into());
    parsed(latest.select(RunRow::as_select()).load(connection).await?)
}

pub(super) async fn cancel(connection: &mut AsyncPgConnection, id: RunId) -> Result<Option<Run>, Fault> {
    let running = runs::table.find(Id(id.0)).filter(runs::state.eq(RunState::Running.as_str()));
    let now = sql::<Nullable<types::Moment>>("clock_timestamp()");
    let end = (runs::state.eq(RunState::Cancelled.as_str()), runs::finished_at.eq(now));
    diesel::update(running).set(end).execute(connection).await?;
    find(connection, id).await
}

pub(super) async fn close_finished(
    connection: &mut AsyncPgConnection,
    limit: u32,
) -> Result<Vec<Run>, Fault> {
    let complete: Vec<Id> = runs::table
        .filter(runs::state.eq(RunState::Running.as_str()).and(runs::done.ge(runs::links)))
        .order(runs::id)
        .limit(limit.into())
        .select(runs::id)
        .for_update()
        .load(connection)
        .await?;
    let last_result = sql::<Nullable<types::Moment>>("coalesce(last_result_at, clock_timestamp())");
    let end = (runs::state.eq(RunState::Finished.as_str()), runs::finished_at.eq(last_result));
    let close = diesel::update(runs::table.filter(runs::id.eq_any(complete))).set(end);
    parsed(close.returning(RunRow::as_returning()).get_results(connection).await?)
}

pub(super) async fn unannounced(connection: &mut AsyncPgConnection, limit: u32) -> Result<Vec<Run>, Fault> {
    let finished = runs::state.eq(RunState::Finished.as_str());
    let rows = runs::table.filter(finished.and(runs::announced_at.is_null())).order(runs::seq);
    parsed(rows.limit(limit.into()).select(RunRow::as_select()).load(connection).await?)
}

pub(super) async fn mark_announced(connection: &mut AsyncPgConnection, run: RunId) -> Result<(), Fault> {
    let run = runs::table.find(Id(run.0)).filter(runs::announced_at.is_null());
    let now = sql::<Nullable<types::Moment>>("clock_timestamp()");
    diesel::update(run).set(runs::announced_at.eq(now)).execute(connection).await?;
    Ok(())
}

fn parsed(rows: Vec<RunRow>) -> Result<Vec<Run>, Fault> {
    rows.into_iter().map(Run::try_from).collect()
}
