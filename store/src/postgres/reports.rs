//! A run's summary and its links, for reports.

use async_trait::async_trait;
use diesel::dsl::count_star;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, PgExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{Change, LinkId, LinkReport, RunId, RunSummary, Verdict};
use uuid::Uuid;

use super::pool::Work;
use super::{PostgresStore, runs};
use crate::Result;
use crate::error::Fault;
use crate::reporting::{ReportLinks, Reports, Tallies};
use crate::rows::{CheckRow, OPEN, RECHECK, WHITE_LISTED};
use crate::schema::{checks, jobs};
use crate::values::Id;

#[async_trait]
impl Reports for PostgresStore {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>> {
        let summary = async |connection: &mut AsyncPgConnection| {
            tallies(connection, run).await?.map(Tallies::summary).transpose()
        };
        self.transaction(Work::Read, summary).await
    }

    async fn report_links(
        &self,
        run: RunId,
        which: ReportLinks,
        after: Option<LinkId>,
        limit: u32,
    ) -> Result<Vec<LinkReport>> {
        let links = async |connection: &mut AsyncPgConnection| {
            let page = page(connection, run, which, after, limit).await?;
            page.into_iter().map(LinkReport::try_from).collect()
        };
        self.transaction(Work::Read, links).await
    }
}

async fn tallies(connection: &mut AsyncPgConnection, run: RunId) -> Result<Option<Tallies>, Fault> {
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

async fn page(
    connection: &mut AsyncPgConnection,
    run: RunId,
    which: ReportLinks,
    after: Option<LinkId>,
    limit: u32,
) -> QueryResult<Vec<CheckRow>> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let page = checks::table
        .filter(checks::run_id.eq(Id(run.0)).and(checks::link_id.gt(Id(after))))
        .order(checks::link_id)
        .limit(limit.into())
        .select(CheckRow::as_select());
    match which {
        ReportLinks::All => page.load(connection).await,
        ReportLinks::ChangedOrFailed => {
            // Neither holds for a link of the white list, whose verdict is NULL.
            let wanted = checks::change.is_not_null().or(checks::verdict.ne(Verdict::Up.as_str()));
            page.filter(wanted).load(connection).await
        }
        ReportLinks::Of { change, verdict } => {
            let of_change = checks::change.is_not_distinct_from(change.map(Change::as_str));
            let of_verdict = checks::verdict.is_not_distinct_from(verdict.map(Verdict::as_str));
            page.filter(of_change.and(of_verdict)).load(connection).await
        }
    }
}
