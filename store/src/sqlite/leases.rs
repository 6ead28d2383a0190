//! Leases: what one process does at a time.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use uuid::Uuid;

use crate::error::Fault;
use crate::schema::sql as types;
use crate::values::{Id, Moment};

pub(super) fn take(
    connection: &mut SqliteConnection,
    name: &str,
    holder: Uuid,
    length: Duration,
) -> Result<bool, Fault> {
    let now = Moment::now();
    let until = Moment(now.0 + length.min(Duration::from_millis(u32::MAX.into())));
    let take = sql_query(
        "INSERT INTO leases (name, holder, until) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
         WHERE leases.holder = excluded.holder OR leases.until <= ?",
    );
    let taken = take
        .bind::<Text, _>(name)
        .bind::<types::Id, _>(Id(holder))
        .bind::<types::Moment, _>(until)
        .bind::<types::Moment, _>(now)
        .execute(connection)?;
    Ok(taken == 1)
}
