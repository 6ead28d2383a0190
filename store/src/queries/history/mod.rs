//! History: checks are rolled up into days and hours, what is old is removed, and what is kept is read.

mod cleaning;
mod reach;
pub(in super::super) mod reading;
pub(in super::super) mod rolling;

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;
use uuid::{Builder, Uuid};

use super::{Connection, dialect};
use crate::kept::Keep;
use crate::schema::history_progress;
use crate::traits::Removed;
use crate::values::{Id, Moment, json};

pub(super) use cleaning::clean_up;
pub(super) use reading::{clean_ups, days, hours, shown, status};
pub(super) use rolling::{note_late, roll_up};

/// Words of `runs.history`.
pub(super) const RAW: &str = "raw";
pub(super) const ROLLING: &str = "rolling";
pub(super) const ROLLED: &str = "rolled";

/// The id of the one row of `history_progress`.
const PROGRESS: i16 = 1;

/// Keeps when nothing was left to roll up.
async fn note_rolled(connection: &mut Connection, now: Moment) -> QueryResult<()> {
    let progress = diesel::update(history_progress::table.find(PROGRESS));
    progress.set(history_progress::rolled_at.eq(now)).kept().execute(connection).await.map(drop)
}

/// Keeps when nothing was left to remove.
async fn note_cleaned(connection: &mut Connection, now: Moment, removed: Removed) -> QueryResult<()> {
    let progress = || diesel::update(history_progress::table.find(PROGRESS));
    progress().set(history_progress::cleaned_at.eq(now)).execute(connection).await?;
    if removed.is_nothing() {
        return Ok(());
    }
    let last = (
        history_progress::removed.eq(json(&removed)),
        history_progress::removed_at.eq(now),
        history_progress::removing.eq(None::<String>),
    );
    progress().set(last).execute(connection).await.map(drop)
}

/// The least id of a run of this moment: ids begin with their time (UUIDv7).
pub(in super::super) fn first_run_id(moment: DateTime<Utc>) -> Id {
    let millis = u64::try_from(moment.timestamp_millis()).unwrap_or_default();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    Id(Builder::from_bytes(bytes).into_uuid())
}

/// Before any link.
const NO_LINK: Id = Id(Uuid::nil());
