//! Cleaning up: what is kept no longer goes, a bounded number of rows in each transaction.

use super::super::dialect::locked;
use super::{Connection, PROGRESS, dialect, first_run_id, note_cleaned};
use crate::error::Fault;
use crate::rows::hour_of;
use crate::schema::history_progress;
use crate::traits::HistoryRules;
use crate::values::Id;
use diesel::prelude::QueryDsl;
use diesel_async::RunQueryDsl;

/// Rows of a table that one step removes.
const ROWS: i32 = 2_000;

/// The first of these steps that finds something to do, does it.
pub(in super::super) async fn clean_up(
    connection: &mut Connection,
    rules: &HistoryRules,
) -> Result<bool, Fault> {
    let progress = history_progress::table.find(PROGRESS).select(history_progress::after);
    // Held until the end: nothing is rolled up meanwhile.
    let _: Id = locked!(progress).first(connection).await?;
    let now = dialect::now(connection).await?;
    let runs_before = |keep: linkbeat_shared::history::Keep| first_run_id(now.0 - keep.duration());
    if let Some(keep) = rules.hours
        && dialect::delete_old_hours(connection, hour_of(now.0 - keep.duration()), ROWS).await?
    {
        return Ok(true);
    }
    if let Some(keep) = rules.checks
        && dialect::drop_old_checks(connection, runs_before(keep), ROWS).await?
    {
        return Ok(true);
    }
    // A run outlives its checks, or it would be filed again.
    if let (Some(runs), Some(checks)) = (rules.runs, rules.checks)
        && dialect::delete_old_runs(connection, runs_before(runs.max(checks)), ROWS).await?
    {
        return Ok(true);
    }
    if dialect::give_room_back(connection).await? {
        return Ok(true);
    }
    note_cleaned(connection, now).await?;
    Ok(false)
}
