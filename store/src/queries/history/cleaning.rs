//! Cleaning up: what is kept no longer goes, a bounded number of rows in each transaction.

use super::super::dialect::locked;
use super::{Connection, PROGRESS, dialect, first_run_id, note_cleaned};
use crate::error::Fault;
use crate::rows::hour_of;
use crate::schema::history_progress;
use crate::traits::{HistoryRules, Removed};
use crate::values::json;
use diesel::prelude::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

/// Rows of a table that one step removes.
const ROWS: i32 = 2_000;

/// The first of these steps that finds something to do, does it.
pub(in super::super) async fn clean_up(
    connection: &mut Connection,
    rules: &HistoryRules,
) -> Result<bool, Fault> {
    let progress = history_progress::table.find(PROGRESS).select(history_progress::removing);
    // Held until the end: nothing is rolled up meanwhile.
    let removing: Option<String> = locked!(progress).first(connection).await?;
    let removing = removed(removing.as_deref());
    let now = dialect::now(connection).await?;
    let runs_before = |keep: linkbeat_shared::history::Keep| first_run_id(now.0 - keep.duration());
    if let Some(keep) = rules.hours {
        let hours = dialect::delete_old_hours(connection, hour_of(now.0 - keep.duration()), ROWS).await?;
        if hours > 0 {
            return note(connection, removing, Removed { hours, ..Removed::default() }).await;
        }
    }
    if let Some(keep) = rules.checks
        && let Some(dropped) = dialect::drop_old_checks(connection, runs_before(keep), ROWS).await?
    {
        return note(connection, removing, dropped).await;
    }
    // A run outlives its checks, or it would be filed again.
    if let (Some(runs), Some(checks)) = (rules.runs, rules.checks) {
        let runs = dialect::delete_old_runs(connection, runs_before(runs.max(checks)), ROWS).await?;
        if runs > 0 {
            return note(connection, removing, Removed { runs, ..Removed::default() }).await;
        }
    }
    if dialect::give_room_back(connection).await? {
        return Ok(true);
    }
    dialect::note_how_links_are_spread(connection).await?;
    note_cleaned(connection, now, removing).await?;
    Ok(false)
}

/// What a text of `history_progress` says; nothing if another linkbeat has written it.
pub(super) fn removed(text: Option<&str>) -> Removed {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Keeps what a step removed. There may be more.
async fn note(connection: &mut Connection, mut so_far: Removed, more: Removed) -> Result<bool, Fault> {
    so_far += more;
    let progress = diesel::update(history_progress::table.find(PROGRESS));
    progress.set(history_progress::removing.eq(json(&so_far))).execute(connection).await?;
    Ok(true)
}
