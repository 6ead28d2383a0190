//! A run's summary and its links, for reports.

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{LinkId, LinkReport, Run, RunId, RunState};
use uuid::Uuid;

use super::dialect::load_many;
use super::{Backend, Connection, dialect, holds};
use crate::error::Fault;
use crate::kept::Keep;
use crate::reporting::Tallies;
use crate::rows::{CHANGED_OR_FAILED, CheckRow, Hold, OPEN, RECHECK, RunRow, Tally, outcomes_of};
use crate::schema::{checks, jobs, links, proposals, removed_links, runs as runs_table};
use crate::traits::ReportLinks;
use crate::values::Id;

pub(super) async fn tallies(connection: &mut Connection, run: RunId) -> Result<Option<Tallies>, Fault> {
    let Some(mut tallies) = tallies_of_run(connection, run).await? else { return Ok(None) };
    let id = Id(run.0);
    if tallies.run.state == RunState::Running {
        tallies.rechecks = open_rechecks(connection, id).await?;
    }
    if tallies.hold != Hold::Free.as_str() {
        tallies.alike = holds::alike(connection, id).await?;
    }
    Ok(Some(tallies))
}

/// The same, in one statement, of a run that has ended and that nothing holds back. `None`: it is none of these.
pub(super) async fn tallies_at_once(
    connection: &mut Connection,
    run: RunId,
) -> Result<Option<Tallies>, Fault> {
    let tallies = tallies_of_run(connection, run).await?;
    Ok(tallies.filter(|it| it.run.state != RunState::Running && it.hold == Hold::Free.as_str()))
}

/// What stands with the run itself.
async fn tallies_of_run(connection: &mut Connection, run: RunId) -> Result<Option<Tallies>, Fault> {
    let numbers = (Tally::as_select(), runs_table::to_check, runs_table::hold, runs_table::known);
    let row = runs_table::table.find(Id(run.0)).select((RunRow::as_select(), numbers));
    type Row = (RunRow, (Tally, i64, String, i64));
    let row: Option<Row> = row.kept().get_result(connection).await.optional()?;
    let Some((run, (tally, to_check, hold, known))) = row else { return Ok(None) };
    let (rechecks, alike) = (0, Vec::new());
    Ok(Some(Tallies { run: Run::try_from(run)?, tally, to_check, rechecks, hold, known, alike }))
}

async fn open_rechecks(connection: &mut Connection, run: Id) -> QueryResult<i64> {
    let open = jobs::run_id.eq(run).and(jobs::kind.eq(RECHECK)).and(jobs::state.eq(OPEN));
    jobs::table.filter(open).count().get_result(connection).await
}

/// The checks of a run in the order of their links, under the names that the links have now.
pub(super) async fn links(
    connection: &mut Connection,
    run: RunId,
    which: ReportLinks,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<LinkReport>, Fault> {
    let selected_links = match which {
        ReportLinks::All => Selected::All,
        ReportLinks::ChangedOrFailed => Selected::Where(CHANGED_OR_FAILED.to_owned()),
        ReportLinks::Of { change, verdict } => Selected::Where(outcomes_of(verdict, change)),
    };
    selected(connection, run, selected_links, after, limit).await
}

/// Which checks of a run to read.
pub(super) enum Selected {
    All,
    /// Those of which this holds.
    Where(String),
    /// Those of these links.
    Of(Vec<Id>),
}

/// The same for other choices of checks.
pub(super) async fn selected(
    connection: &mut Connection,
    run: RunId,
    which: Selected,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<LinkReport>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let page = checks::table
        .left_join(links::table.on(links::id.eq(checks::link_id)))
        .left_join(removed_links::table.on(removed_links::id.eq(checks::link_id)))
        .left_join(
            proposals::table
                .on(proposals::run_id.eq(checks::run_id).and(proposals::link_id.eq(checks::link_id))),
        )
        .filter(checks::run_id.eq(Id(run.0)).and(checks::link_id.gt(Id(after))))
        .order(checks::link_id)
        .limit(limit.into())
        .select((
            CheckRow::as_select(),
            proposals::outcome.nullable(),
            sql::<Nullable<Text>>("coalesce(links.name, removed_links.name)"),
            sql::<Nullable<Text>>("coalesce(links.url_key, removed_links.url)"),
        ))
        .into_boxed::<Backend>();
    let page = match which {
        Selected::All => page,
        Selected::Where(condition) => page.filter(sql::<Bool>(&condition)),
        Selected::Of(links) => page.filter(dialect::among("checks.link_id", links)),
    };
    type Row = (CheckRow, Option<i16>, Option<String>, Option<String>);
    let rows: Vec<Row> = load_many!(connection, page.kept())?;
    let report = |(check, outcome, name, url): Row| match (name, url) {
        (Some(name), Some(url)) => {
            CheckRow { outcome: outcome.unwrap_or(check.outcome), ..check }.report(&name, url)
        }
        _ => Err(Fault::Corrupt("checks.link_id is neither in links nor in removed_links".to_owned())),
    };
    rows.into_iter().map(report).collect()
}
