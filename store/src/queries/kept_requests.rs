//! What runs were asked, so that it can be asked again.

use std::collections::HashSet;

use diesel::dsl::sql;
use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use linkbeat_shared::{LinkId, RunId};
use uuid::Uuid;

use super::Connection;
use crate::error::Fault;
use crate::kept::Keep;
use crate::rows::RECHECKS;
use crate::schema::{jobs, run_requests, runs};
use crate::traits::KeptRequest;
use crate::values::{Id, Ids};

/// Jobs that are read at once.
const PAGE: i64 = 500;

pub(super) async fn keep(connection: &mut Connection, run: RunId, kept: &KeptRequest) -> QueryResult<()> {
    let row = (
        run_requests::run_id.eq(Id(run.0)),
        run_requests::request.eq(&kept.request),
        run_requests::listed.eq(kept.listed),
    );
    diesel::insert_into(run_requests::table).values(row).kept().execute(connection).await.map(drop)
}

pub(super) async fn of(connection: &mut Connection, run: RunId) -> Result<Option<KeptRequest>, Fault> {
    let kept = run_requests::table.find(Id(run.0)).select((run_requests::request, run_requests::listed));
    let kept: Option<(String, bool)> = kept.first(connection).await.optional()?;
    Ok(kept.map(|(request, listed)| KeptRequest { request, listed }))
}

pub(super) async fn links(
    connection: &mut Connection,
    run: RunId,
    most: usize,
) -> Result<Vec<LinkId>, Fault> {
    // Its jobs are removed step by step: what is left may be a part of them.
    let kept = runs::table.find(Id(run.0)).filter(runs::history.ne_all(["dropping", "dropped"]));
    if kept.select(runs::id).first::<Id>(connection).await.optional()?.is_none() {
        return Ok(Vec::new());
    }
    let (mut links, mut seen, mut last) = (Vec::new(), HashSet::new(), Id(Uuid::nil()));
    while links.len() <= most {
        let page: Vec<(Id, Ids)> = jobs::table
            .filter(jobs::run_id.eq(Id(run.0)).and(jobs::id.gt(last)))
            .filter(sql::<Bool>(&format!("NOT {RECHECKS}")))
            .order(jobs::id)
            .limit(PAGE)
            .select((jobs::id, jobs::links))
            .load(connection)
            .await?;
        let Some((id, _)) = page.last() else { break };
        last = *id;
        links.extend(page.into_iter().flat_map(|(_, ids)| ids.0).filter(|id| seen.insert(*id)).map(LinkId));
    }
    Ok(links)
}
