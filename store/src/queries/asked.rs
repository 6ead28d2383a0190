//! What apps have asked for, and what each of them may.

use chrono::TimeDelta;
use diesel::prelude::{QueryResult, QueryableByName};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::RunId;

use super::{Connection, dialect};
use crate::account::{Account, OverLimit};
use crate::error::Fault;
use crate::rows::number;
use crate::schema::sql as types;
use crate::values::{Id, Moment};

/// What an app has asked for.
#[derive(Debug, QueryableByName)]
struct Usage {
    /// Its runs that go on.
    #[diesel(sql_type = BigInt)]
    running: i64,
    /// The links of its runs of the last 24 hours.
    #[diesel(sql_type = BigInt)]
    links: i64,
    /// When the first of those runs was asked for.
    #[diesel(sql_type = Nullable<types::Moment>)]
    since: Option<Moment>,
}

fn day() -> TimeDelta {
    TimeDelta::hours(24)
}

/// Refuses an app that may have no run of so many links, before the work of planning one.
pub(super) async fn expect_room(
    connection: &mut Connection,
    account: &Account,
    links: i64,
) -> Result<(), Fault> {
    judge(connection, account, links).await
}

/// Refuses a run of so many links if it goes beyond a limit of whoever asks for it; or else keeps who asked.
///
/// This is the last step of a transaction, so nobody waits long for the lock. Without the lock, several at once would
/// all find room for one.
pub(super) async fn admit(
    connection: &mut Connection,
    account: &Account,
    run: RunId,
    links: i64,
) -> Result<(), Fault> {
    dialect::lock_asker(connection, &account.name).await?;
    judge(connection, account, links).await?;
    let now = dialect::now(connection).await?;
    sql_query("INSERT INTO asked (run_id, asker, links, asked_at) VALUES ($1, $2, $3, $4)")
        .bind::<types::Id, _>(Id(run.0))
        .bind::<Text, _>(&account.name)
        .bind::<BigInt, _>(links)
        .bind::<types::Moment, _>(now)
        .execute(connection)
        .await?;
    Ok(())
}

async fn judge(connection: &mut Connection, account: &Account, links: i64) -> Result<(), Fault> {
    let now = dialect::now(connection).await?;
    let usage = usage(connection, account, Moment(now.0 - day())).await?;
    if let Some(limit) = account.runs_at_once
        && number::<u64, _>(usage.running, "runs")? >= u64::from(limit.get())
    {
        return Err(Fault::OverLimit(OverLimit::Runs { limit }));
    }
    if let Some(limit) = account.links_a_day {
        let left = limit.saturating_sub(number(usage.links, "asked.links")?);
        let asked = number(links, "links")?;
        if asked > left {
            let room_in = usage.since.and_then(|since| (since.0 + day() - now.0).to_std().ok());
            return Err(Fault::OverLimit(OverLimit::Links { limit, left, asked, room_in }));
        }
    }
    Ok(())
}

async fn usage(connection: &mut Connection, account: &Account, since: Moment) -> QueryResult<Usage> {
    let usage = sql_query(
        "SELECT (SELECT count(*) FROM asked JOIN runs ON runs.id = asked.run_id
                 WHERE asked.asker = $1 AND runs.state = 'running') AS running,
                coalesce(CAST(sum(links) AS bigint), 0) AS links,
                min(asked_at) AS since
         FROM asked WHERE asker = $1 AND asked_at > $2",
    );
    usage.bind::<Text, _>(&account.name).bind::<types::Moment, _>(since).get_result(connection).await
}
