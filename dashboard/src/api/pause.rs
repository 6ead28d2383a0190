//! When pauses end.

use chrono::{DateTime, Utc};
use linkbeat_shared::{BadPauseEnd, check_pause_end};

use super::problem::Problem;
use super::value::Time;
use crate::serve::App;

/// When a pause that begins now ends, if the call says so: not before now, and not after ten years.
pub(super) async fn end_of(
    app: &App,
    pointer: &str,
    until: Option<Time>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(Time(until)) = until else { return Ok(None) };
    let end = check_pause_end(until, app.ports.store.clock().await?);
    end.map(Some).map_err(|error| Problem::invalid_at(pointer, error))
}

/// The same for a link of a list. A list may be old: what is past by now has ended.
pub(super) fn check_of_list(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Problem> {
    match until.map(|until| check_pause_end(until, now)) {
        Some(Err(error @ BadPauseEnd::TooFar(_))) => Err(Problem::invalid_at("/paused_until", error)),
        _ => Ok(()),
    }
}
