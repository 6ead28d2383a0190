//! What a report is made from.

use diesel::dsl::count_star;
use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{RunId, Verdict};

use super::runs;
use crate::ReportLinks;
use crate::error::Fault;
use crate::reporting::Tallies;
use crate::rows::{CheckRow, OPEN, RECHECK, WHITE_LISTED};
use crate::schema::{checks, jobs};
use crate::values::Id;

pub(super) async fn tallies(
    connection: &mut AsyncPgConnection,
    run: RunId,
) -> Result<Option<Tallies>, Fault> {
    let Some(run) = runs::find(connection, run).await? else { return Ok(None) };
    let id = Id(run.id.0);
    let by_kind = checks::table
        .filter(checks::run_id.eq(id))
        .group_by((checks::verdict, checks::change))
        .select((checks::verdict, checks::change, count_star()))
        .load(connection)
        .await?;
    let white_listed = jobs::table.filter(jobs::run_id.eq(id).and(jobs::kind.eq(WHITE_LISTED)));
    let white_listed = white_listed.select(jobs::links_count).load(connection).await?;
    let rechecks =
        jobs::table.filter(jobs::run_id.eq(id).and(jobs::kind.eq(RECHECK)).and(jobs::state.eq(OPEN)));
    let rechecks = rechecks.count().get_result(connection).await?;
    Ok(Some(Tallies { run, by_kind, white_listed, rechecks }))
}

pub(super) async fn checks(
    connection: &mut AsyncPgConnection,
    run: RunId,
    which: ReportLinks,
) -> QueryResult<Vec<CheckRow>> {
    let of_run = checks::table
        .filter(checks::run_id.eq(Id(run.0)))
        .order(checks::link_id)
        .select(CheckRow::as_select());
    match which {
        ReportLinks::All => of_run.load(connection).await,
        ReportLinks::ChangedOrFailed { limit } => {
            // Neither holds for a link of the white list, whose verdict is NULL.
            let wanted = checks::change.is_not_null().or(checks::verdict.ne(Verdict::Up.as_str()));
            of_run.filter(wanted).limit(limit.into()).load(connection).await
        }
    }
}
