//! Runs, from the request to the announcement of their end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, NullableExpressionMethods, OptionalExtension,
    QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{Lang, LinkFilter, LinkSelection, NewLink, RequestId, Run, RunId, RunState};
use uuid::Uuid;

use super::dialect::{locked, locked_if_free};
use super::{Connection, asked, askers, dialect, fresh, holds, jobs, kept_requests, links, progress};
use crate::account::Account;
use crate::error::Fault;
use crate::filing::{Filing, PAGE, Planned};
use crate::kept::Keep;
use crate::places::Places;
use crate::recording::RunProgress;
use crate::rows::{EndedRunRow, Hold, LinkRow, NewRunRow, REACHED, RunCountsRow, RunRow, stored_count};
use crate::schema::{links as links_table, runs, sql as types};
use crate::traits::{Filed, NewRun, Planner, SHORT_LIST, Unannounced};
use crate::values::{Id, Moment};

/// Of two processes that file the same request at the same time, the later one waits at the insertion. Then it finds the
/// run of the first. `links` are those of the run.
pub(super) async fn file(
    connection: &mut Connection,
    run: &NewRun,
    links: LinkSelection,
    planner: Box<dyn Planner>,
    account: Option<&Account>,
) -> Result<Filed, Fault> {
    let mut is_new = false;
    if let LinkSelection::Given(given) = &links
        && given.named() <= SHORT_LIST
        && run.reuse_within.is_none()
    {
        match links::stored_as_given(connection, given).await? {
            Some(stored) => return file_stored(connection, run, stored, planner, account).await,
            None => is_new = true,
        }
    }
    let row = NewRunRow::from(run);
    let id = row.id;
    let insert = diesel::insert_into(runs::table).values(&row).on_conflict(runs::request_id).do_nothing();
    if insert.kept().execute(connection).await? == 0 {
        return filed_before(connection, run).await?.ok_or(Fault::Conflict);
    }
    note_request(connection, run, account).await?;
    let mut filed_at = None;
    let planned = match links {
        LinkSelection::Stored => plan_stored(connection, run, planner).await?,
        LinkSelection::Matching(filter) => plan_matching(connection, run, planner, &filter).await?,
        LinkSelection::Given(given) => {
            let import = match is_new {
                true => links::import_new(connection, &given).await?,
                false => links::import(connection, &given).await?,
            };
            let places = import.places;
            // Its checks are of the links as they are now: see `fresh`.
            filed_at = Some(dialect::now(connection).await?);
            // A large list needs its memory no longer.
            drop(given);
            plan_given(connection, run, planner, places.active_by_host()).await?
        }
    };
    let counts = (counts(run, planned), filed_at.map(|at| runs::created_at.eq(at)));
    let update = diesel::update(runs::table.find(id)).set(counts);
    let row: RunRow = update.returning(RunRow::as_returning()).kept().get_result(connection).await?;
    if let Some(account) = account {
        asked::admit(connection, account, run.id, planned.links).await?;
    }
    Ok(Filed { run: row.try_into()?, existed: false, heard: true })
}

/// Files a run whose links are stored as they are given. So they need no edit, all that is to be stored is known before, and
/// each table takes one statement.
async fn file_stored(
    connection: &mut Connection,
    run: &NewRun,
    (filed_at, mut links): (Moment, Vec<LinkRow>),
    planner: Box<dyn Planner>,
    account: Option<&Account>,
) -> Result<Filed, Fault> {
    links.retain(|link| link.is_active(filed_at));
    links.sort_unstable_by(|a, b| (&a.host, a.id).cmp(&(&b.host, b.id)));
    let mut filing = Filing::begin(run.id, planner, stored_count(links.len()));
    let mut jobs = filing.plan(links, HashMap::new());
    let (rest, planned) = filing.finish();
    jobs.extend(rest);
    let row = (NewRunRow::from(run), counts(run, planned), runs::created_at.eq(filed_at));
    let insert = diesel::insert_into(runs::table).values(row).on_conflict(runs::request_id).do_nothing();
    let row: Option<RunRow> =
        insert.returning(RunRow::as_returning()).kept().get_result(connection).await.optional()?;
    let Some(row) = row else {
        return filed_before(connection, run).await?.ok_or(Fault::Conflict);
    };
    note_request(connection, run, account).await?;
    jobs::insert(connection, &jobs).await?;
    if let Some(account) = account {
        asked::admit(connection, account, run.id, planned.links).await?;
    }
    Ok(Filed { run: row.try_into()?, existed: false, heard: true })
}

/// Keeps who asked for a run that is filed, and what.
async fn note_request(
    connection: &mut Connection,
    run: &NewRun,
    account: Option<&Account>,
) -> Result<(), Fault> {
    if let Some(asker) = run.asker().filter(|asker| asker.lang != Lang::En) {
        askers::insert(connection, Id(run.id.0), &asker).await?;
    }
    if run.progress {
        progress::follow(connection, run.id).await?;
    }
    if let Some(kept) = &run.kept {
        kept_requests::keep(connection, run.id, kept).await?;
    }
    if let Some(account) = account {
        asked::expect_room(connection, account, 1).await?;
    }
    Ok(())
}

/// What is stored of a run that covers so many links.
fn counts(run: &NewRun, planned: Planned) -> RunCountsRow {
    let needed = run.rules.hold_back.needed(planned.known.unsigned_abs());
    RunCountsRow {
        links: planned.links,
        to_check: planned.to_check,
        known: planned.known,
        needed: needed.map_or(0, |needed| i64::try_from(needed).unwrap_or(i64::MAX)),
        hold: if needed.is_some() { Hold::Open } else { Hold::Free }.as_str(),
    }
}

/// Imports some links of a run that is filed after that. `false`: there is no need to go on, because the run is filed already,
/// or whoever asks may not have it.
pub(super) async fn import_ahead(
    connection: &mut Connection,
    run: &NewRun,
    account: Option<&Account>,
    (named, some): (usize, Vec<NewLink>),
) -> Result<bool, Fault> {
    let filed = runs::table.filter(runs::request_id.eq(Id(run.request_id.0)));
    if diesel::select(diesel::dsl::exists(filed)).get_result(connection).await? {
        return Ok(false);
    }
    if let Some(account) = account {
        match asked::expect_room(connection, account, stored_count(named)).await {
            Err(Fault::OverLimit(_)) => return Ok(false),
            room => room?,
        }
    }
    links::import(connection, &some.into()).await?;
    Ok(true)
}

/// Finds the run that this request has already, and keeps who asks for it now.
pub(super) async fn filed_before(connection: &mut Connection, run: &NewRun) -> Result<Option<Filed>, Fault> {
    let filed = askers::ask_again(connection, run.request_id, run.asker().as_ref()).await?;
    if let Some(filed) = &filed
        && run.progress
    {
        progress::follow(connection, filed.run.id).await?;
    }
    Ok(filed)
}

/// Plans all active links; returns how many.
async fn plan_stored(
    connection: &mut Connection,
    run: &NewRun,
    planner: Box<dyn Planner>,
) -> Result<Planned, Fault> {
    let active = links_table::table.filter(sql::<Bool>(dialect::ACTIVE));
    let mut filing = Filing::begin(run.id, planner, active.count().get_result(connection).await?);
    let mut pages = dialect::ActiveLinks::open(connection).await?;
    loop {
        let page = pages.next(connection, PAGE).await?;
        if page.is_empty() {
            break;
        }
        let fresh = fresh::results(connection, run, &page).await?;
        jobs::insert(connection, &filing.plan(page, fresh)).await?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs).await?;
    Ok(planned)
}

/// Plans the active links that match, each once; returns how many. Somebody may move one to a later host meanwhile.
async fn plan_matching(
    connection: &mut Connection,
    run: &NewRun,
    planner: Box<dyn Planner>,
    filter: &LinkFilter,
) -> Result<Planned, Fault> {
    let mut filing = Filing::begin(run.id, planner, dialect::count_matching(connection, filter).await?);
    let (mut host, mut id, mut seen) = (String::new(), Id(Uuid::nil()), HashSet::new());
    loop {
        let mut page = dialect::matching_links(connection, filter, (&host, id), stored_count(PAGE)).await?;
        let Some(last) = page.last() else { break };
        (host, id) = (last.host.clone(), last.id);
        page.retain(|link| seen.insert(link.id));
        let fresh = fresh::results(connection, run, &page).await?;
        jobs::insert(connection, &filing.plan(page, fresh)).await?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs).await?;
    Ok(planned)
}

/// Plans these links; returns how many. Those that somebody removes meanwhile are left out.
async fn plan_given(
    connection: &mut Connection,
    run: &NewRun,
    planner: Box<dyn Planner>,
    places: Places,
) -> Result<Planned, Fault> {
    let mut filing = Filing::begin(run.id, planner, stored_count(places.len()));
    for ids in places.pages(PAGE) {
        let page = links_table::table
            .filter(dialect::among("links.id", ids))
            .order((links_table::host, links_table::id))
            .select(LinkRow::as_select())
            .kept()
            .load(connection)
            .await?;
        let fresh = fresh::results(connection, run, &page).await?;
        jobs::insert(connection, &filing.plan(page, fresh)).await?;
    }
    let (jobs, planned) = filing.finish();
    jobs::insert(connection, &jobs).await?;
    Ok(planned)
}

pub(super) async fn find(connection: &mut Connection, id: RunId) -> Result<Option<Run>, Fault> {
    let run = runs::table.find(Id(id.0)).select(RunRow::as_select());
    run.first(connection).await.optional()?.map(Run::try_from).transpose()
}

pub(super) async fn of_request(
    connection: &mut Connection,
    request: RequestId,
) -> Result<Option<Run>, Fault> {
    let run = runs::table.filter(runs::request_id.eq(Id(request.0))).select(RunRow::as_select());
    run.first(connection).await.optional()?.map(Run::try_from).transpose()
}

pub(super) async fn latest(connection: &mut Connection, limit: u32) -> Result<Vec<Run>, Fault> {
    let latest = runs::table.order(runs::seq.desc()).limit(limit.into());
    parsed(latest.select(RunRow::as_select()).load(connection).await?)
}

pub(super) async fn cancel(connection: &mut Connection, id: RunId) -> Result<Option<Run>, Fault> {
    let now = dialect::now(connection).await?;
    let running = runs::table.find(Id(id.0)).filter(runs::state.eq(RunState::Running.as_str()));
    // What is only proposed by then is dropped.
    let hold = sql::<Text>("CASE hold WHEN 'open' THEN 'discarded' ELSE hold END");
    let end = (runs::state.eq(RunState::Cancelled.as_str()), runs::finished_at.eq(now), runs::hold.eq(hold));
    diesel::update(running).set(end).execute(connection).await?;
    find(connection, id).await
}

pub(super) async fn close(connection: &mut Connection, limit: u32) -> Result<Vec<Run>, Fault> {
    let ended =
        "((state = 'running' AND done + parked >= links) OR (state = 'incomplete' AND done >= links))";
    let decided = || sql::<Bool>("(hold = 'open' OR would_hide + would_show = 0)");
    let ended = runs::table.filter(sql::<Bool>(ended).and(decided())).order(runs::id);
    let ended = ended.limit(limit.into()).select(runs::id);
    let ended: Vec<Id> = locked!(ended).kept().load(connection).await?;
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    holds::release(connection, ended.iter().copied()).await?;
    let now = dialect::now(connection).await?;
    let state = format!(
        "CASE WHEN {REACHED} THEN 'held_back' WHEN done >= links THEN 'finished' ELSE 'incomplete' END"
    );
    let hold = format!("CASE WHEN {REACHED} THEN 'held' ELSE hold END");
    let finished_at =
        sql::<Nullable<types::Moment>>("CASE WHEN done >= links THEN coalesce(last_result_at, ")
            .bind::<types::Moment, _>(now)
            .sql(") ELSE ")
            .bind::<types::Moment, _>(now)
            .sql(" END");
    let end = (
        runs::state.eq(sql::<Text>(&state)),
        runs::hold.eq(sql::<Text>(&hold)),
        runs::finished_at.eq(finished_at),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(None::<Moment>),
    );
    let ended = runs::table.filter(dialect::among("runs.id", ended).and(decided()));
    let close = diesel::update(ended).set(end);
    parsed(close.returning(RunRow::as_returning()).kept().get_results(connection).await?)
}

/// Has those of these runs that ended incomplete run again.
pub(super) async fn reopen(connection: &mut Connection, ids: Vec<Id>) -> QueryResult<()> {
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
    let runs = runs::table.filter(dialect::among("runs.id", ids).and(incomplete));
    diesel::update(runs).set(again).execute(connection).await?;
    Ok(())
}

/// Adds to each run so many links that are in parked jobs. Those that have fewer now run again.
pub(super) async fn move_parked(connection: &mut Connection, by_run: BTreeMap<Id, i64>) -> QueryResult<()> {
    let fewer = by_run.iter().filter(|(_, links)| **links < 0).map(|(id, _)| *id).collect();
    let progress = |(id, parked)| (id, RunProgress { parked, ..RunProgress::default() });
    let now = dialect::now(connection).await?;
    dialect::add_to_runs(connection, &by_run.into_iter().map(progress).collect(), now).await?;
    reopen(connection, fewer).await
}

pub(super) async fn claim(
    connection: &mut Connection,
    only: Option<RunId>,
    limit: u32,
    hold: Duration,
) -> Result<Vec<Unannounced>, Fault> {
    let now = dialect::now(connection).await?;
    let free = runs::claimed_until.is_null().or(runs::claimed_until.le(now));
    let (all, id) = (only.is_none(), Id(only.map_or(Uuid::nil(), |run| run.0)));
    let unannounced = runs::table
        .filter(runs::state.ne(RunState::Running.as_str()).and(runs::announced_at.is_null()))
        .filter(free.assume_not_null())
        // First come the changes of a run, then its end.
        .filter(sql::<Bool>(
            "untold = 0 AND (would_hide + would_show = 0 OR hold NOT IN ('free', 'applied'))",
        ))
        .filter(runs::id.eq(id).or(all.into_sql::<Bool>()))
        // The databases do not agree on where NULL comes.
        .order((runs::claimed_until.is_not_null(), runs::claimed_until, runs::seq))
        .limit(limit.into())
        .select(runs::id);
    let ids: Vec<Id> = locked_if_free!(unannounced).kept().load(connection).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let claimed = runs::table.filter(dialect::among("runs.id", ids));
    let claim = diesel::update(claimed).set(runs::claimed_until.eq(Moment(now.0 + hold)));
    let mut rows: Vec<EndedRunRow> =
        claim.returning(EndedRunRow::as_returning()).kept().get_results(connection).await?;
    rows.sort_by_key(|row| row.seq);
    with_all_that_is_told(connection, rows).await
}

/// Ends those of these runs that lack nothing, and that nothing may hold back, and claims their ends: in one statement.
pub(super) async fn end(
    connection: &mut Connection,
    ids: &[RunId],
    hold: Duration,
) -> Result<Vec<Unannounced>, Fault> {
    let complete = "runs.state = 'running' AND runs.done + runs.parked >= runs.links AND runs.hold = 'free'
        AND runs.would_hide + runs.would_show + runs.untold = 0";
    let ids = ids.iter().map(|id| Id(id.0));
    let complete = runs::table.filter(dialect::among("runs.id", ids).and(sql::<Bool>(complete)));
    let finished_at =
        sql::<Nullable<types::Moment>>("CASE WHEN done >= links THEN coalesce(last_result_at, ")
            .bind::<types::Moment, _>(dialect::clock())
            .sql(") ELSE ")
            .bind::<types::Moment, _>(dialect::clock())
            .sql(" END");
    let end = (
        runs::state.eq(sql::<Text>("CASE WHEN done >= links THEN 'finished' ELSE 'incomplete' END")),
        runs::finished_at.eq(finished_at),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(dialect::clock_in(hold).nullable()),
    );
    let end = diesel::update(complete).set(end).returning(EndedRunRow::as_returning());
    let rows = end.kept().get_results(connection).await?;
    with_all_that_is_told(connection, rows).await
}

/// What is to be told of the ends of these runs, and to whom. What changed alike is read only where it may hold a run back.
async fn with_all_that_is_told(
    connection: &mut Connection,
    rows: Vec<EndedRunRow>,
) -> Result<Vec<Unannounced>, Fault> {
    let mut unannounced = Vec::with_capacity(rows.len());
    for row in rows {
        let alike =
            if row.may_be_held_back() { holds::alike(connection, row.id()).await? } else { Vec::new() };
        let others = if row.others_asked { askers::of_run(connection, row.id()).await? } else { Vec::new() };
        unannounced.push(row.with(alike, others)?);
    }
    Ok(unannounced)
}

pub(super) async fn mark_announced(
    connection: &mut Connection,
    announced: &Unannounced,
) -> Result<(), Fault> {
    let claim = runs::claimed_until.eq(Moment(announced.claimed_until));
    let run = runs::table.find(Id(announced.run.id.0)).filter(claim.and(runs::announced_at.is_null()));
    diesel::update(run)
        .set(runs::announced_at.eq(dialect::clock().nullable()))
        .kept()
        .execute(connection)
        .await?;
    Ok(())
}

fn parsed(rows: Vec<RunRow>) -> Result<Vec<Run>, Fault> {
    rows.into_iter().map(Run::try_from).collect()
}
