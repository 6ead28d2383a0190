//! A run's summary and its links, for reports.

use diesel::dsl::sql;
use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, SelectableHelper};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{LinkId, LinkReport, RunId};
use uuid::Uuid;

use super::{Backend, Connection, runs};
use crate::error::Fault;
use crate::reporting::Tallies;
use crate::rows::{CHANGED_OR_FAILED, CheckRow, OPEN, RECHECK, Tally, outcomes_of};
use crate::schema::{checks, jobs, links, removed_links, runs as runs_table};
use crate::traits::ReportLinks;
use crate::values::Id;

pub(super) async fn tallies(connection: &mut Connection, run: RunId) -> Result<Option<Tallies>, Fault> {
    let Some(run) = runs::find(connection, run).await? else { return Ok(None) };
    let id = Id(run.id.0);
    let row = runs_table::table.find(id).select((Tally::as_select(), runs_table::to_check));
    let (tally, to_check) = row.first(connection).await?;
    let rechecks =
        jobs::table.filter(jobs::run_id.eq(id).and(jobs::kind.eq(RECHECK)).and(jobs::state.eq(OPEN)));
    let rechecks = rechecks.count().get_result(connection).await?;
    Ok(Some(Tallies { run, tally, to_check, rechecks }))
}

/// The checks of a run in the order of their links, under the names that the links have now.
pub(super) async fn links(
    connection: &mut Connection,
    run: RunId,
    which: ReportLinks,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<LinkReport>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let page = checks::table
        .left_join(links::table.on(links::id.eq(checks::link_id)))
        .left_join(removed_links::table.on(removed_links::id.eq(checks::link_id)))
        .filter(checks::run_id.eq(Id(run.0)).and(checks::link_id.gt(Id(after))))
        .order(checks::link_id)
        .limit(limit.into())
        .select((
            CheckRow::as_select(),
            sql::<Nullable<Text>>("coalesce(links.name, removed_links.name)"),
            sql::<Nullable<Text>>("coalesce(links.url_key, removed_links.url)"),
        ))
        .into_boxed::<Backend>();
    let page = match which {
        ReportLinks::All => page,
        ReportLinks::ChangedOrFailed => page.filter(sql::<Bool>(CHANGED_OR_FAILED)),
        ReportLinks::Of { change, verdict } => page.filter(sql::<Bool>(&outcomes_of(verdict, change))),
    };
    let rows: Vec<(CheckRow, Option<String>, Option<String>)> = page.load(connection).await?;
    let report = |(check, name, url): (CheckRow, Option<String>, Option<String>)| match (name, url) {
        (Some(name), Some(url)) => check.report(&name, url),
        _ => Err(Fault::Corrupt("checks.link_id is neither in links nor in removed_links".to_owned())),
    };
    rows.into_iter().map(report).collect()
}
