//! Results that are fresh enough to count instead of a new check.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use linkbeat_shared::{CheckResult, LinkId};

use super::{Connection, dialect};
use crate::error::Fault;
use crate::rows::{CheckRow, LinkRow, check_spec_text};
use crate::schema::{links, runs};
use crate::traits::NewRun;
use crate::values::Id;

/// Runs of whose results it is clear that they hold.
const HOLDS: &str = "runs.hold IN ('free', 'applied') AND runs.state <> 'discarded'";

/// The results that this run may take instead of checking these links, none where it asks for none.
///
/// Such a result is the latest one that its link has, and young enough. Its run has checked links in the same way, is not
/// held back, and nobody has edited the link since that run was filed.
pub(super) async fn results(
    connection: &mut Connection,
    run: &NewRun,
    page: &[LinkRow],
) -> Result<HashMap<LinkId, CheckResult>, Fault> {
    let Some(within) = run.reuse_within else { return Ok(HashMap::new()) };
    let since = dialect::now(connection).await?.0 - within.duration();
    let checked = page.iter().filter(|link| link.verdict.is_some()).map(|link| link.id);
    let alike = runs::check_spec.eq(check_spec_text(&run.check)).and(links::updated_at.le(runs::created_at));
    let latest: Vec<(Id, Id)> = links::table
        .inner_join(runs::table.on(links::last_run_id.eq(runs::id.nullable())))
        .filter(dialect::among("links.id", checked))
        .filter(alike.and(sql::<Bool>(HOLDS)))
        .select((runs::id, links::id))
        .load(connection)
        .await?;
    let checks = dialect::checks_of(connection, &latest).await?;
    let is_fresh = |check: &CheckRow| check.has_verdict() && check.checked_at.0 > since;
    let fresh = checks.into_iter().filter(is_fresh);
    fresh.map(|check| Ok((LinkId(check.link_id.0), check.found()?))).collect()
}
