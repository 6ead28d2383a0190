//! Leases: one process at a time has one, and does what it stands for.

use std::time::Duration;

use diesel::prelude::{ExpressionMethods, QueryDsl};
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, dialect};
use crate::error::Fault;
use crate::kept::Keep;
use crate::schema::{leases, sql as types};
use crate::values::{Id, Moment};

/// The longest lease: 49 days.
const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

pub(super) async fn take(
    connection: &mut Connection,
    name: &str,
    holder: Uuid,
    length: Duration,
) -> Result<bool, Fault> {
    let now = dialect::now(connection).await?;
    let take = sql_query(
        "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
         WHERE leases.holder = excluded.holder OR leases.until <= $4",
    );
    let taken = take
        .bind::<Text, _>(name)
        .bind::<types::Id, _>(Id(holder))
        .bind::<types::Moment, _>(Moment(now.0 + length.min(LONGEST)))
        .bind::<types::Moment, _>(now)
        .kept()
        .execute(connection)
        .await?;
    Ok(taken == 1)
}

pub(super) async fn has_run_out(connection: &mut Connection, name: &str) -> Result<bool, Fault> {
    let now = dialect::now(connection).await?;
    let old = leases::table.filter(leases::name.eq(name)).filter(leases::until.le(now)).count();
    Ok(old.get_result::<i64>(connection).await? > 0)
}
