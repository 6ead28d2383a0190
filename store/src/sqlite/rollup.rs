//! Rolling up in this process: SQLite is part of it, so nothing is gained by having the database do it.

use diesel::dsl::sql;
use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Connection;
use super::queries::history::rolling::{Page, add};
use crate::error::Fault;
use crate::kept::Keep;
use crate::rows::{NOT_REUSED, RawCheck, RawColumns};
use crate::schema::checks;
use crate::values::Id;

/// Checks that one step adds, about.
pub(super) const CHECKS: i64 = 4_000;
/// Runs that are rolled up together.
pub(super) const RUNS: i64 = 64;

/// Adds the checks of the next links of these runs to their days and hours. Returns the last of these links; `None`:
/// there are no more.
pub(super) async fn add_page(connection: &mut Connection, page: Page<'_>) -> Result<Option<Id>, Fault> {
    let (mut found, mut last) = (Vec::new(), None);
    for (run, hold) in page.runs {
        let checks = checks_after(connection, *run, page.after, page.most_of_a_run).await?;
        if i64::try_from(checks.len()) == Ok(page.most_of_a_run) {
            // There may be more of this run, so the page ends with the last link that was read of it.
            let end = checks.last().map(|columns| columns.0);
            last = last.min(end).or(end);
        }
        found.extend(checks.into_iter().map(|columns| (columns, hold)));
    }
    let in_page = found.into_iter().filter(|(columns, _)| last.is_none_or(|last| columns.0 <= last));
    let checks: Vec<RawCheck> =
        in_page.map(|(columns, hold)| RawCheck::new(columns, hold)).collect::<Result<_, _>>()?;
    if !checks.is_empty() {
        add(connection, &checks, page.zone, page.hours_since).await?;
    }
    Ok(last)
}

/// Checks of a run in the order of their links, without late ones.
async fn checks_after(
    connection: &mut Connection,
    run: Id,
    after: Id,
    limit: i64,
) -> QueryResult<Vec<RawColumns>> {
    let not_late = "NOT EXISTS (SELECT 1 FROM late_checks l WHERE l.link_id = checks.link_id AND l.run_id = checks.run_id)";
    checks::table
        .filter(checks::run_id.eq(run).and(checks::link_id.gt(after)))
        .filter(sql::<Bool>(not_late).and(sql::<Bool>(NOT_REUSED)))
        .order(checks::link_id)
        .limit(limit)
        .select((
            checks::link_id,
            checks::checked_at,
            checks::elapsed_ms,
            checks::status,
            checks::outcome,
            sql::<Nullable<Text>>("checks.reason ->> 'type'"),
        ))
        .kept()
        .load(connection)
        .await
}
