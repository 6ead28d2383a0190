//! Runs that may be held back: what is counted, decided and carried out.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_types::{Bool, SmallInt};
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use linkbeat_shared::{Alike, Decision, LinkId, RunId, RunState};

use super::dialect::{insert_all, locked};
use super::reports::Selected;
use super::{Backend, Connection, dialect, links, reports};
use crate::error::Fault;
use crate::kept::Keep;
use crate::recording::{RunProgress, Settled, Settlement};
use crate::rows::{
    AlikeRow, Hold, OPEN_PROPOSALS, OUT_OF_REACH, Outcome, ProposalRow, UNTOLD_CHANGES, UnsettledRunRow,
    UntoldRunRow, parse,
};
use crate::schema::{alike, proposals, runs};
use crate::traits::{Decided, Judge, Untold};
use crate::values::{Document, Id, Moment};

/// Runs with proposals that are to be carried out or dropped. The first part is that of the partial index.
const UNSETTLED: &str = "would_hide + would_show + untold > 0 AND would_hide + would_show > 0
    AND hold IN ('free', 'applied', 'discarded')";
/// Runs with changes that are to be told.
const UNTOLD: &str = "would_hide + would_show + untold > 0 AND untold > 0";

/// How many proposals one statement inserts: it has four values for each, and PostgreSQL takes
/// 65,535 altogether. SQLite gets a statement for each row.
const BATCH: usize = 8_000;

pub(super) async fn insert(connection: &mut Connection, rows: &[ProposalRow]) -> QueryResult<()> {
    for rows in rows.chunks(BATCH) {
        insert_all!(connection, proposals::table, rows)?;
    }
    Ok(())
}

/// Adds to the links that change alike. The caller holds the rows of their runs.
pub(super) async fn count_alike(connection: &mut Connection, more: &[AlikeRow]) -> QueryResult<()> {
    for row in more {
        diesel::insert_into(alike::table)
            .values(row)
            .on_conflict((alike::run_id, alike::change, alike::reason_type))
            .do_update()
            .set(alike::links.eq(alike::links + excluded(alike::links)))
            .kept()
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Has those of these runs apply their results in which too few links can change alike. The caller holds their rows.
pub(super) async fn release(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = Id>,
) -> QueryResult<()> {
    let runs = runs::table.filter(dialect::among("runs.id", runs).and(sql::<Bool>(OUT_OF_REACH)));
    diesel::update(runs).set(runs::hold.eq(Hold::Free.as_str())).kept().execute(connection).await?;
    Ok(())
}

/// The links of a run that change alike, the most first.
pub(super) async fn alike(connection: &mut Connection, run: Id) -> Result<Vec<Alike>, Fault> {
    let rows = alike::table.filter(alike::run_id.eq(run));
    let rows = rows.order((alike::links.desc(), alike::change, alike::reason_type));
    let rows: Vec<AlikeRow> = rows.select(AlikeRow::as_select()).load(connection).await?;
    rows.into_iter().map(Alike::try_from).collect()
}

pub(super) async fn decide(
    connection: &mut Connection,
    run: RunId,
    decision: Decision,
) -> Result<Option<Decided>, Fault> {
    let row = runs::table.filter(runs::id.eq(Id(run.0))).select((runs::hold, runs::state));
    let rows: Vec<(String, String)> = locked!(row).kept().load(connection).await?;
    let Some((hold, state)) = rows.into_iter().next() else { return Ok(None) };
    let (hold, state) = (parse(&hold, "runs.hold")?, parse(&state, "runs.state")?);
    Ok(Some(match (hold, state) {
        (Hold::Held, _) | (Hold::Open, RunState::Incomplete) => {
            keep(connection, run, decision).await?;
            Decided::Now
        }
        (Hold::Applied, _) => Decided::Before(Decision::Applied),
        (Hold::Discarded, RunState::Discarded) => Decided::Before(Decision::Discarded),
        (Hold::Open | Hold::Free | Hold::Discarded, state) => Decided::NotHeld(state),
    }))
}

/// An applied run goes on until all is carried out. Of either its end is announced anew.
async fn keep(connection: &mut Connection, run: RunId, decision: Decision) -> QueryResult<()> {
    let (hold, state) = match decision {
        Decision::Applied => (Hold::Applied, RunState::Running),
        Decision::Discarded => (Hold::Discarded, RunState::Discarded),
    };
    let decided = (
        runs::hold.eq(hold.as_str()),
        runs::state.eq(state.as_str()),
        runs::announced_at.eq(None::<Moment>),
        runs::claimed_until.eq(None::<Moment>),
    );
    diesel::update(runs::table.find(Id(run.0))).set(decided).kept().execute(connection).await?;
    if decision == Decision::Applied {
        let open_end = runs::finished_at.eq(None::<Moment>);
        diesel::update(runs::table.find(Id(run.0))).set(open_end).kept().execute(connection).await?;
    }
    Ok(())
}

/// Proposals are held first, then links, then the run. Whoever records results adds proposals and changes none.
pub(super) async fn settle(
    connection: &mut Connection,
    only: Option<RunId>,
    limit: u32,
    judge: &dyn Judge,
) -> Result<bool, Fault> {
    let run = some_run(only, UNSETTLED).select(UnsettledRunRow::as_select());
    let run: Option<UnsettledRunRow> = run.kept().get_result(connection).await.optional()?;
    let Some(run) = run else { return Ok(false) };
    let page = proposals::table
        .filter(proposals::run_id.eq(run.id).and(sql::<Bool>(OPEN_PROPOSALS)))
        .order(proposals::link_id)
        .limit(limit.into())
        .select(ProposalRow::as_select());
    // Without any, somebody else has just settled them.
    let page: Vec<ProposalRow> = locked!(page).kept().load(connection).await?;
    let ids: Vec<Id> = page.iter().map(|proposal| proposal.link_id).collect();
    let links = dialect::lock_links(connection, &ids).await?;
    let pairs: Vec<(Id, Id)> = ids.into_iter().map(|link| (run.id, link)).collect();
    let checks = dialect::checks_of(connection, &pairs).await?;
    let now = dialect::now(connection).await?;
    let settled = Settlement::new(&run, checks, links, now, judge).settle(&page)?;
    write(connection, run.id, settled, now).await?;
    Ok(true)
}

async fn write(connection: &mut Connection, run: Id, settled: Settled, now: Moment) -> QueryResult<()> {
    for ((shown, did), ids) in settled.ends {
        let outcome = format!("(outcome & 15) | {}", Outcome::code_of(shown, did));
        let end = (proposals::outcome.eq(sql::<SmallInt>(&outcome)), proposals::details.eq(None::<Document>));
        let of_links = proposals::run_id.eq(run).and(dialect::among("proposals.link_id", ids));
        diesel::update(proposals::table.filter(of_links)).set(end).kept().execute(connection).await?;
    }
    dialect::update_states(connection, &settled.links).await?;
    links::insert_changes(connection, &settled.changes).await?;
    dialect::add_to_runs(connection, &BTreeMap::from([(run, settled.progress)]), now).await.map(drop)
}

pub(super) async fn untold(
    connection: &mut Connection,
    only: Option<RunId>,
    limit: u32,
) -> Result<Option<Untold>, Fault> {
    let run = some_run(only, UNTOLD).select(UntoldRunRow::as_select());
    let run: Option<UntoldRunRow> = run.kept().get_result(connection).await.optional()?;
    let Some((run_id, request_id, trace)) = run.map(UntoldRunRow::names) else { return Ok(None) };
    let page = proposals::table
        .filter(proposals::run_id.eq(Id(run_id.0)).and(sql::<Bool>(UNTOLD_CHANGES)))
        .order(proposals::link_id)
        .limit(limit.into())
        .select(proposals::link_id);
    let ids: Vec<Id> = page.kept().load(connection).await?;
    let link_ids = ids.iter().map(|id| LinkId(id.0)).collect();
    let links = reports::selected(connection, run_id, Selected::Of(ids), None, limit).await?;
    Ok(Some(Untold { run_id, request_id, trace, link_ids, links }))
}

pub(super) async fn mark_told(
    connection: &mut Connection,
    run: RunId,
    links: &[LinkId],
) -> Result<(), Fault> {
    let ids = links.iter().map(|id| Id(id.0));
    let told = proposals::run_id.eq(Id(run.0)).and(dialect::among("proposals.link_id", ids));
    let told = proposals::table.filter(told).filter(sql::<Bool>(UNTOLD_CHANGES));
    let told = diesel::update(told).set(proposals::outcome.eq(sql::<SmallInt>("outcome & 127")));
    let told = i64::try_from(told.kept().execute(connection).await?).unwrap_or(i64::MAX);
    let now = dialect::now(connection).await?;
    let progress = RunProgress { untold: -told, ..RunProgress::default() };
    dialect::add_to_runs(connection, &BTreeMap::from([(Id(run.0), progress)]), now).await?;
    Ok(())
}

/// The first run of which this holds; with `only`, that run alone.
fn some_run(only: Option<RunId>, condition: &str) -> runs::BoxedQuery<'static, Backend> {
    let run = runs::table.filter(sql::<Bool>(condition)).order(runs::id).limit(1).into_boxed();
    match only {
        Some(only) => run.filter(runs::id.eq(Id(only.0))),
        None => run,
    }
}
