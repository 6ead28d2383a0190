//! Runs of which somebody wants to hear how far they have come.

use std::time::Duration;

use diesel::dsl::exists;
use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{RunId, RunState};

use super::dialect::locked_if_free;
use super::{Connection, dialect};
use crate::error::Fault;
use crate::schema::{progress, runs};
use crate::values::{Id, Moment};

/// From now on somebody wants to hear of this run.
pub(super) async fn follow(connection: &mut Connection, run: RunId) -> QueryResult<()> {
    let told_at = progress::told_at.eq(dialect::now(connection).await?);
    diesel::insert_into(progress::table)
        .values((progress::run_id.eq(Id(run.0)), progress::done.eq(0), told_at))
        .on_conflict(progress::run_id)
        .do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// Runs that have come further since that was told, which is at least so long ago. The caller tells it.
pub(super) async fn further(
    connection: &mut Connection,
    limit: u32,
    gap: Duration,
) -> Result<Vec<RunId>, Fault> {
    let now = dialect::now(connection).await?;
    let further = progress::table
        .inner_join(runs::table.on(runs::id.eq(progress::run_id)))
        .filter(runs::state.eq(RunState::Running.as_str()).and(runs::done.gt(progress::done)))
        .filter(progress::told_at.le(Moment(now.0 - gap)))
        .order(progress::told_at)
        .limit(limit.into())
        .select((progress::run_id, runs::done));
    let further: Vec<(Id, i64)> = further.load(connection).await?;
    let mut claimed = Vec::new();
    for (id, done) in further {
        // Of several recorders one tells it.
        let untold = progress::run_id.eq(id).and(progress::told_at.le(Moment(now.0 - gap)));
        let told = (progress::done.eq(done), progress::told_at.eq(now));
        if diesel::update(progress::table.filter(untold)).set(told).execute(connection).await? > 0 {
            claimed.push(RunId(id.0));
        }
    }
    Ok(claimed)
}

/// Forgets runs that have ended; at most so many at once.
pub(super) async fn forget_ended(connection: &mut Connection, limit: u32) -> Result<(), Fault> {
    let ended = runs::id.eq(progress::run_id).and(runs::state.ne(RunState::Running.as_str()));
    let ended = progress::table.filter(exists(runs::table.filter(ended))).limit(limit.into());
    let ended: Vec<Id> = locked_if_free!(ended.select(progress::run_id)).load(connection).await?;
    if !ended.is_empty() {
        let ended = progress::table.filter(dialect::among("progress.run_id", ended));
        diesel::delete(ended).execute(connection).await?;
    }
    Ok(())
}
