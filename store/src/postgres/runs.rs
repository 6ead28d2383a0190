//! Runs, from the request to the announcement of their end.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, OptionalExtension, PgSortExpressionMethods, QueryDsl,
    SelectableHelper,
};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as PgUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{LinkId, LinkSelection, Run, RunId, RunState};
use uuid::Uuid;

use super::jobs;
use super::links::{self, column};
use crate::error::Fault;
use crate::filing::{Filing, PAGE};
use crate::rows::{LinkRow, NewRunRow, RunRow, stored_count};
use crate::schema::{links as links_table, runs, sql as types};
use crate::values::{Id, Moment};
use crate::{Filed, NewRun, Planner, Unannounced};

/// Of two processes that file the same request at the same time, the later one waits at the insertion:
/// then it finds the run of the first, or, in a transaction that cannot see it, meets a conflict. So does one that
/// finds the run while others change it.
pub(super) async fn file(
    connection: &mut AsyncPgConnection,
    run: &NewRun,
    planner: Box<dyn Planner>,
) -> Result<Filed, Fault> {
    let row = NewRunRow::from(run);
    let id = row.id;
    let insert = diesel::insert_into(runs::table).values(&row).on_conflict(runs::request_id).do_nothing();
    if insert.execute(connection).await? == 0 {
        let existing = filed_before(connection, run).await?.ok_or(Fault::Conflict)?;
        return Ok(Filed { run: existing, existed: true });
    }
    let planned = match &run.links {
        LinkSelection::Stored => plan_stored(connection, run.id, planner).await?,
        LinkSelection::Given(given) => {
            let imported = links::import(connection, given).await?;
            plan_given(connection, run.id, planner, &imported.ids).await?
        }
    };
    let update = diesel::update(runs::table.find(id)).set(runs::links.eq(planned));
    let row: RunRow = update.returning(RunRow::as_returning()).get_result(connection).await?;
    Ok(Filed { run: row.try_into()?, existed: false })
}

/// Finds the run that this request has already, and notes who asks for it now.
pub(super) async fn filed_before(
    connection: &mut AsyncPgConnection,
    run: &NewRun,
) -> Result<Option<Run>, Fault> {
    let row = NewRunRow::from(run);
    let request = row.request_id;
    if row.reply_queue.is_some() {
        ask_again(connection, row).await?;
    }
    of_request(connection, request).await
}

/// Whoever asked last is answered: the run's end is announced once more, if it was already.
async fn ask_again(connection: &mut AsyncPgConnection, row: NewRunRow) -> Result<(), Fault> {
    let asked = (
        runs::reply_queue.eq(row.reply_queue),
        runs::correlation_id.eq(row.correlation_id),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(None::<Moment>),
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
        jobs::insert(connection, &filing.plan(page)).await?;
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
        jobs::insert(connection, &filing.plan(page)).await?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs).await?;
    Ok(planned)
}

pub(super) async fn find(connection: &mut AsyncPgConnection, id: RunId) -> Result<Option<Run>, Fault> {
    let run = runs::table.find(Id(id.0)).select(RunRow::as_select());
    run.first(connection).await.optional()?.map(Run::try_from).transpose()
}

async fn of_request(connection: &mut AsyncPgConnection, request: Id) -> Result<Option<Run>, Fault> {
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

pub(super) async fn close(connection: &mut AsyncPgConnection, limit: u32) -> Result<Vec<Run>, Fault> {
    let ended = "(state = 'running' AND done + parked >= links) OR (state = 'incomplete' AND done >= links)";
    let ended: Vec<Id> = runs::table
        .filter(sql::<Bool>(ended))
        .order(runs::id)
        .limit(limit.into())
        .select(runs::id)
        .for_update()
        .load(connection)
        .await?;
    let state = sql::<Text>("CASE WHEN done >= links THEN 'finished' ELSE 'incomplete' END");
    let finished_at = sql::<Nullable<types::Moment>>(
        "CASE WHEN done >= links THEN coalesce(last_result_at, clock_timestamp()) ELSE clock_timestamp() END",
    );
    let end = (
        runs::state.eq(state),
        runs::finished_at.eq(finished_at),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(None::<Moment>),
    );
    let close = diesel::update(runs::table.filter(runs::id.eq_any(ended))).set(end);
    parsed(close.returning(RunRow::as_returning()).get_results(connection).await?)
}

/// Has those of these runs that ended incomplete run again.
pub(super) async fn reopen(connection: &mut AsyncPgConnection, ids: &[Id]) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let again = (
        runs::state.eq(RunState::Running.as_str()),
        runs::finished_at.eq(None::<Moment>),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(None::<Moment>),
    );
    let incomplete = runs::state.eq(RunState::Incomplete.as_str());
    let runs = runs::table.filter(runs::id.eq_any(ids.iter().copied()).and(incomplete));
    diesel::update(runs).set(again).execute(connection).await?;
    Ok(())
}

/// Adds to each run so many links that are in parked jobs. Those that have fewer now run again.
pub(super) async fn move_parked(
    connection: &mut AsyncPgConnection,
    by_run: BTreeMap<Id, i64>,
) -> Result<(), Fault> {
    let moved: Vec<(Id, i64)> = by_run.into_iter().collect();
    let update = sql_query(
        "WITH held AS (SELECT id FROM runs WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE)
         UPDATE runs SET parked = parked + more
         FROM held JOIN unnest($1, $2) AS t (id, more) ON held.id = t.id
         WHERE runs.id = held.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(&moved, |(id, _)| id.0))
        .bind::<Array<BigInt>, _>(column(&moved, |(_, links)| *links))
        .execute(connection)
        .await?;
    let fewer: Vec<Id> = moved.iter().filter(|(_, links)| *links < 0).map(|(id, _)| *id).collect();
    reopen(connection, &fewer).await
}

pub(super) async fn claim(
    connection: &mut AsyncPgConnection,
    only: Option<RunId>,
    limit: u32,
    hold: Duration,
) -> Result<Vec<Unannounced>, Fault> {
    let free = "announced_at IS NULL AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())";
    let (all, id) = (only.is_none(), Id(only.map_or(Uuid::nil(), |run| run.0)));
    let ids: Vec<Id> = runs::table
        .filter(runs::state.ne(RunState::Running.as_str()).and(sql::<Bool>(free)))
        .filter(runs::id.eq(id).or(all.into_sql::<Bool>()))
        .order((runs::claimed_until.asc().nulls_first(), runs::seq))
        .limit(limit.into())
        .select(runs::id)
        .for_update()
        .skip_locked()
        .load(connection)
        .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let until = Moment(jobs::now(connection).await?.0 + hold);
    let claimed = runs::table.filter(runs::id.eq_any(&ids));
    diesel::update(claimed.clone()).set(runs::claimed_until.eq(until)).execute(connection).await?;
    let rows = claimed.order(runs::seq).select(RunRow::as_select()).load(connection).await?;
    let unannounced = |run| Unannounced { run, claimed_until: until.0 };
    Ok(parsed(rows)?.into_iter().map(unannounced).collect())
}

pub(super) async fn mark_announced(
    connection: &mut AsyncPgConnection,
    told: &Unannounced,
) -> Result<(), Fault> {
    let claim = runs::claimed_until.eq(Moment(told.claimed_until));
    let run = runs::table.find(Id(told.run.id.0)).filter(claim.and(runs::announced_at.is_null()));
    let now = sql::<Nullable<types::Moment>>("clock_timestamp()");
    diesel::update(run).set(runs::announced_at.eq(now)).execute(connection).await?;
    Ok(())
}

fn parsed(rows: Vec<RunRow>) -> Result<Vec<Run>, Fault> {
    rows.into_iter().map(Run::try_from).collect()
}
