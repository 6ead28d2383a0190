//! Leases: what one process does at a time.

use std::time::Duration;

use diesel::sql_query;
use diesel::sql_types::{BigInt, Text, Uuid as PgUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::error::Fault;

pub(super) async fn take(
    connection: &mut AsyncPgConnection,
    name: &str,
    holder: Uuid,
    length: Duration,
) -> Result<bool, Fault> {
    let take = sql_query(
        "INSERT INTO leases (name, holder, until)
         VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
         WHERE leases.holder = excluded.holder OR leases.until <= clock_timestamp()",
    );
    let taken = take
        .bind::<Text, _>(name)
        .bind::<PgUuid, _>(holder)
        .bind::<BigInt, _>(i64::from(u32::try_from(length.as_millis()).unwrap_or(u32::MAX)))
        .execute(connection)
        .await?;
    Ok(taken == 1)
}
