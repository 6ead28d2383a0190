//! How reachable each link was in the last days, kept with the link, so that lists can be filtered and sorted by it.
//!
//! A pass goes through all links, some in each step. It begins when days were written since the last one began, and at
//! least once a day, because old days leave the window.

use chrono::TimeDelta;
use diesel::prelude::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::{Connection, NO_LINK, PROGRESS, dialect};
use crate::error::Fault;
use crate::kept::Keep;
use crate::schema::history_progress;
use crate::traits::HistoryRules;
use crate::values::{Id, Moment};

/// Checks of so many days count.
const DAYS: TimeDelta = TimeDelta::days(30);
/// Links of one step.
const LINKS: i64 = 2_000;
/// Old days leave the window.
const LATEST: TimeDelta = TimeDelta::days(1);

/// Returns whether there may be more to do.
pub(super) async fn step(
    connection: &mut Connection,
    rules: &HistoryRules,
    now: Moment,
) -> Result<bool, Fault> {
    let progress = history_progress::table.find(PROGRESS);
    let progress = progress.select((
        history_progress::reach_after,
        history_progress::reach_began,
        history_progress::reach_due,
    ));
    let (after, began, due): (Option<Id>, Option<Moment>, bool) =
        progress.kept().get_result(connection).await?;
    let is_due = due || began.is_some_and(|began| now.0 - began.0 > LATEST);
    let update = || diesel::update(history_progress::table.find(PROGRESS));
    let after = match after {
        Some(after) => after,
        None if is_due => {
            let begin = (history_progress::reach_began.eq(now), history_progress::reach_due.eq(false));
            update().set(begin).kept().execute(connection).await?;
            NO_LINK
        }
        None => return Ok(false),
    };
    let last = dialect::keep_reachable(connection, after, rules.zone.day_of(now.0 - DAYS), LINKS).await?;
    update().set(history_progress::reach_after.eq(last)).kept().execute(connection).await?;
    Ok(true)
}
