//! Runs, from the request to the announcement of their end.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use linkbeat_shared::{LinkId, LinkSelection, Run, RunId, RunState};
use uuid::Uuid;

use super::{jobs, links};
use crate::error::Fault;
use crate::filing::{Filing, PAGE};
use crate::rows::{LinkRow, NewRunRow, RunRow, stored_count};
use crate::schema::{links as links_table, runs, sql as types};
use crate::values::{Id, Moment, json};
use crate::{Filed, NewRun, Planner, Unannounced};

pub(super) fn file(
    connection: &mut SqliteConnection,
    run: &NewRun,
    planner: Box<dyn Planner>,
) -> Result<Filed, Fault> {
    if let Some(existing) = filed_before(connection, run)? {
        return Ok(Filed { run: existing, existed: true });
    }
    let row = NewRunRow::from(run);
    diesel::insert_into(runs::table).values(&row).execute(connection)?;
    let planned = match &run.links {
        LinkSelection::Stored => plan_stored(connection, run.id, planner)?,
        LinkSelection::Given(given) => {
            let imported = links::import(connection, given)?;
            plan_given(connection, run.id, planner, imported.ids)?
        }
    };
    diesel::update(runs::table.find(row.id)).set(runs::links.eq(planned)).execute(connection)?;
    let run = runs::table.find(row.id).select(RunRow::as_select()).first(connection)?.try_into()?;
    Ok(Filed { run, existed: false })
}

/// Finds the run that this request has already, and notes who asks for it now.
fn filed_before(connection: &mut SqliteConnection, run: &NewRun) -> Result<Option<Run>, Fault> {
    let row = NewRunRow::from(run);
    let request = row.request_id;
    if row.reply_queue.is_some() {
        ask_again(connection, row)?;
    }
    of_request(connection, request)
}

/// Whoever asked last is answered: the run's end is announced once more, if it was already.
fn ask_again(connection: &mut SqliteConnection, row: NewRunRow) -> Result<(), Fault> {
    let asked = (
        runs::reply_queue.eq(row.reply_queue),
        runs::correlation_id.eq(row.correlation_id),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(None::<Moment>),
    );
    diesel::update(runs::table.filter(runs::request_id.eq(row.request_id))).set(asked).execute(connection)?;
    Ok(())
}

/// Plans all active links; returns how many.
fn plan_stored(
    connection: &mut SqliteConnection,
    run: RunId,
    planner: Box<dyn Planner>,
) -> Result<i64, Fault> {
    let active = links_table::table.filter(links_table::active);
    let mut filing = Filing::begin(run, planner, active.count().get_result(connection)?);
    let (mut host, mut id) = (String::new(), Id(Uuid::nil()));
    loop {
        // A row value is what the index on (host, id) serves.
        let rest = sql::<Bool>("(host, id) > (")
            .bind::<Text, _>(host.clone())
            .sql(", ")
            .bind::<types::Id, _>(id)
            .sql(")");
        let page: Vec<LinkRow> = active
            .filter(rest)
            .order((links_table::host, links_table::id))
            .limit(stored_count(PAGE))
            .select(LinkRow::as_select())
            .load(connection)?;
        let Some(last) = page.last() else { break };
        (host, id) = (last.host.clone(), last.id);
        jobs::insert(connection, &filing.plan(page))?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs)?;
    Ok(planned)
}

/// Plans the active ones of these links; returns how many.
fn plan_given(
    connection: &mut SqliteConnection,
    run: RunId,
    planner: Box<dyn Planner>,
    ids: Vec<LinkId>,
) -> Result<i64, Fault> {
    let ids: Vec<Id> = ids.into_iter().map(|id| Id(id.0)).collect();
    let among_them =
        sql::<Bool>("links.id IN (SELECT value FROM json_each(").bind::<Text, _>(json(&ids)).sql("))");
    let places: Vec<(String, Id)> = links_table::table
        .filter(links_table::active.and(among_them))
        .order((links_table::host, links_table::id))
        .select((links_table::host, links_table::id))
        .load(connection)?;
    let mut filing = Filing::begin(run, planner, stored_count(places.len()));
    for places in places.chunks(PAGE) {
        let ids: Vec<Id> = places.iter().map(|(_, id)| *id).collect();
        // They come in the order of the input.
        let page = links::of_ids(connection, &ids)?;
        jobs::insert(connection, &filing.plan(page))?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs)?;
    Ok(planned)
}

pub(super) fn find(connection: &mut SqliteConnection, id: RunId) -> Result<Option<Run>, Fault> {
    let row = runs::table.find(Id(id.0)).select(RunRow::as_select()).first(connection).optional()?;
    row.map(Run::try_from).transpose()
}

fn of_request(connection: &mut SqliteConnection, request: Id) -> Result<Option<Run>, Fault> {
    let row = runs::table.filter(runs::request_id.eq(request)).select(RunRow::as_select());
    row.first(connection).optional()?.map(Run::try_from).transpose()
}

pub(super) fn latest(connection: &mut SqliteConnection, limit: u32) -> Result<Vec<Run>, Fault> {
    let latest = runs::table.order(runs::seq.desc()).limit(limit.into());
    parsed(latest.select(RunRow::as_select()).load(connection)?)
}

pub(super) fn cancel(connection: &mut SqliteConnection, id: RunId) -> Result<Option<Run>, Fault> {
    let running = runs::table.find(Id(id.0)).filter(runs::state.eq(RunState::Running.as_str()));
    let end = (runs::state.eq(RunState::Cancelled.as_str()), runs::finished_at.eq(Moment::now()));
    diesel::update(running).set(end).execute(connection)?;
    find(connection, id)
}

pub(super) fn close(connection: &mut SqliteConnection, limit: u32) -> Result<Vec<Run>, Fault> {
    let ended = "(state = 'running' AND done + parked >= links) OR (state = 'incomplete' AND done >= links)";
    let ended: Vec<RunRow> = runs::table
        .filter(sql::<Bool>(ended))
        .order(runs::id)
        .limit(limit.into())
        .select(RunRow::as_select())
        .load(connection)?;
    let mut closed = Vec::with_capacity(ended.len());
    for run in parsed(ended)? {
        let id = Id(run.id.0);
        let last_result_at: Option<Moment> =
            runs::table.find(id).select(runs::last_result_at).first(connection)?;
        let (state, finished_at) = if run.done >= run.links {
            (RunState::Finished, last_result_at.unwrap_or_else(Moment::now))
        } else {
            (RunState::Incomplete, Moment::now())
        };
        let end = (
            runs::state.eq(state.as_str()),
            runs::finished_at.eq(finished_at),
            runs::announced_at.eq(None::<Moment>),
            runs::claimed_until.eq(None::<Moment>),
        );
        diesel::update(runs::table.find(id)).set(end).execute(connection)?;
        closed.push(runs::table.find(id).select(RunRow::as_select()).first(connection)?);
    }
    parsed(closed)
}

/// Has those of these runs that ended incomplete run again.
pub(super) fn reopen(connection: &mut SqliteConnection, ids: &[Id]) -> QueryResult<()> {
    for id in ids {
        let again = (
            runs::state.eq(RunState::Running.as_str()),
            runs::finished_at.eq(None::<Moment>),
            runs::announced_at.eq(None::<Moment>),
            runs::claimed_until.eq(None::<Moment>),
        );
        let incomplete = runs::table.find(id).filter(runs::state.eq(RunState::Incomplete.as_str()));
        diesel::update(incomplete).set(again).execute(connection)?;
    }
    Ok(())
}

/// Adds to each run so many links that are in parked jobs. Those that have fewer now run again.
pub(super) fn move_parked(connection: &mut SqliteConnection, by_run: BTreeMap<Id, i64>) -> QueryResult<()> {
    for (id, links) in &by_run {
        diesel::update(runs::table.find(id))
            .set(runs::parked.eq(runs::parked + links))
            .execute(connection)?;
    }
    let fewer: Vec<Id> = by_run.into_iter().filter(|(_, links)| *links < 0).map(|(id, _)| id).collect();
    reopen(connection, &fewer)
}

pub(super) fn claim(
    connection: &mut SqliteConnection,
    only: Option<RunId>,
    limit: u32,
    hold: Duration,
) -> Result<Vec<Unannounced>, Fault> {
    let now = Moment::now();
    let free = runs::claimed_until.is_null().or(runs::claimed_until.le(now));
    let (all, id) = (only.is_none(), Id(only.map_or(Uuid::nil(), |run| run.0)));
    let rows: Vec<RunRow> = runs::table
        .filter(runs::state.ne(RunState::Running.as_str()).and(runs::announced_at.is_null()))
        .filter(free.assume_not_null())
        .filter(runs::id.eq(id).or(all.into_sql::<Bool>()))
        // NULL comes first here.
        .order((runs::claimed_until, runs::seq))
        .limit(limit.into())
        .select(RunRow::as_select())
        .load(connection)?;
    let until = now.0 + hold;
    let claimed = parsed(rows)?;
    for run in &claimed {
        let claim = runs::claimed_until.eq(Moment(until));
        diesel::update(runs::table.find(Id(run.id.0))).set(claim).execute(connection)?;
    }
    Ok(claimed.into_iter().map(|run| Unannounced { run, claimed_until: until }).collect())
}

pub(super) fn mark_announced(
    connection: &mut SqliteConnection,
    run: RunId,
    claimed_until: DateTime<Utc>,
) -> Result<(), Fault> {
    let claim = runs::claimed_until.eq(Moment(claimed_until));
    let run = runs::table.find(Id(run.0)).filter(claim.and(runs::announced_at.is_null()));
    diesel::update(run).set(runs::announced_at.eq(Moment::now())).execute(connection)?;
    Ok(())
}

fn parsed(rows: Vec<RunRow>) -> Result<Vec<Run>, Fault> {
    rows.into_iter().map(Run::try_from).collect()
}
