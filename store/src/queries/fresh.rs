//! Results that are fresh enough to count instead of a new check.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
    SelectableHelper,
};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use linkbeat_shared::{CheckResult, LinkId};

use super::{Connection, dialect};
use crate::error::Fault;
use crate::rows::{CheckRow, FETCHED, LinkRow, check_spec_text};
use crate::schema::{checks, links, runs};
use crate::traits::NewRun;
use crate::values::{Id, Moment};

/// The results that this run may take instead of checking these links, none where it asks for none.
///
/// Such a result is the latest one of its link and young enough. Its run has checked links in the same way, and nobody
/// has edited the link since that run was filed.
pub(super) async fn results(
    connection: &mut Connection,
    run: &NewRun,
    page: &[LinkRow],
) -> Result<HashMap<LinkId, CheckResult>, Fault> {
    let Some(within) = run.reuse_within else { return Ok(HashMap::new()) };
    let now = dialect::now(connection).await?;
    let checked: Vec<Id> = page.iter().filter(|link| link.verdict.is_some()).map(|link| link.id).collect();
    let latest = checks::run_id.nullable().eq(links::last_run_id).and(checks::link_id.eq(links::id));
    let rows = links::table
        .inner_join(checks::table.on(latest))
        .inner_join(runs::table.on(runs::id.eq(checks::run_id)))
        .filter(dialect::among("links.id", checked))
        .filter(checks::checked_at.gt(Moment(now.0 - within.duration())).and(sql::<Bool>(FETCHED)))
        .filter(runs::check_spec.eq(check_spec_text(&run.check)).and(links::updated_at.le(runs::created_at)))
        .select(CheckRow::as_select());
    let rows: Vec<CheckRow> = rows.load(connection).await?;
    rows.into_iter().map(|row| Ok((LinkId(row.link_id.0), row.found()?))).collect()
}
