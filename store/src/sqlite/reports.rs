//! A run's summary and its links, for reports.

use async_trait::async_trait;
use diesel::dsl::count_star;
use diesel::prelude::*;
use linkbeat_shared::{Change, LinkId, LinkReport, RunId, RunSummary, Verdict};
use uuid::Uuid;

use super::{SqliteStore, runs};
use crate::Result;
use crate::error::Fault;
use crate::reporting::{ReportLinks, Reports, Tallies};
use crate::rows::{CheckRow, OPEN, RECHECK, WHITE_LISTED};
use crate::schema::{checks, jobs};
use crate::values::Id;

#[async_trait]
impl Reports for SqliteStore {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>> {
        self.read(move |connection| tallies(connection, run)?.map(Tallies::summary).transpose()).await
    }

    async fn report_links(
        &self,
        run: RunId,
        which: ReportLinks,
        after: Option<LinkId>,
        limit: u32,
    ) -> Result<Vec<LinkReport>> {
        let links = move |connection: &mut SqliteConnection| {
            let page = page(connection, run, which, after, limit)?;
            page.into_iter().map(LinkReport::try_from).collect()
        };
        self.read(links).await
    }
}

fn tallies(connection: &mut SqliteConnection, run: RunId) -> Result<Option<Tallies>, Fault> {
    let Some(run) = runs::find(connection, run)? else { return Ok(None) };
    let id = Id(run.id.0);
    let by_kind = checks::table
        .filter(checks::run_id.eq(id))
        .group_by((checks::verdict, checks::change))
        .select((checks::verdict, checks::change, count_star()))
        .load(connection)?;
    let white_listed = jobs::table.filter(jobs::run_id.eq(id).and(jobs::kind.eq(WHITE_LISTED)));
    let white_listed = white_listed.select(jobs::links_count).load(connection)?;
    let rechecks =
        jobs::table.filter(jobs::run_id.eq(id).and(jobs::kind.eq(RECHECK)).and(jobs::state.eq(OPEN)));
    let rechecks = rechecks.count().get_result(connection)?;
    Ok(Some(Tallies { run, by_kind, white_listed, rechecks }))
}

fn page(
    connection: &mut SqliteConnection,
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
        ReportLinks::All => page.load(connection),
        ReportLinks::ChangedOrFailed => {
            // Neither holds for a link of the white list, whose verdict is NULL.
            let wanted = checks::change.is_not_null().or(checks::verdict.ne(Verdict::Up.as_str()));
            page.filter(wanted).load(connection)
        }
        ReportLinks::Of { change, verdict } => {
            let of_change = checks::change.is(change.map(Change::as_str));
            let of_verdict = checks::verdict.is(verdict.map(Verdict::as_str));
            page.filter(of_change.and(of_verdict)).load(connection)
        }
    }
}
