//! Rolling up in the server.
//!
//! Most links are checked once a day, and their day is their check. The server makes such days and hours of its own rows.
//! Only where several checks meet in a day or an hour does it hand over their counts and times, one row for each, because
//! a histogram is made here.

use std::iter::successors;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Date, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as PgUuid,
};
use diesel_async::RunQueryDsl;
use linkbeat_shared::history::{CheckCounts, Latency, Summary, Zone};
use uuid::Uuid;

use super::Connection;
use super::queries::history::rolling::{Days, Hours, Page, add_days, add_hours, zone_id};
use crate::error::Fault;
use crate::kept::Keep;
use crate::values::Id;

/// Checks that one step adds, about. Each takes the server some 30 microseconds.
pub(super) const CHECKS: i64 = 10_000;
/// Runs that are rolled up together: a day of a link that is checked every three minutes.
pub(super) const RUNS: i64 = 512;

/// The last link of the page that begins after `$2`: no run has more than `$3` checks in it. NULL: there is no link
/// after this page. And when the first and the last check of the page were made.
const EDGES: &str = "WITH r AS (SELECT unnest($1) AS id), edge AS MATERIALIZED (
     SELECT c.link_id FROM r CROSS JOIN LATERAL (
         SELECT link_id FROM checks WHERE run_id = r.id AND link_id > $2 ORDER BY link_id OFFSET $3 - 1 LIMIT 1) c
     ORDER BY c.link_id LIMIT 1)
     SELECT (SELECT link_id FROM edge) AS last_link, min(c.first) AS first, max(c.last) AS last FROM r CROSS JOIN LATERAL (
         SELECT min(checked_at) AS first, max(checked_at) AS last FROM checks
         WHERE run_id = r.id AND link_id > $2
               AND link_id <= coalesce((SELECT link_id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff')) c";
/// Makes the days and hours that have one check, and gives the others.
const FOLD: &str = include_str!("fold.sql");

/// A day or an hour of a link in which several checks meet.
#[derive(Debug, QueryableByName)]
struct Bucket {
    #[diesel(sql_type = PgUuid)]
    link_id: Uuid,
    #[diesel(sql_type = Nullable<Date>)]
    day: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Integer>)]
    hour: Option<i32>,
    #[diesel(sql_type = BigInt)]
    up: i64,
    #[diesel(sql_type = BigInt)]
    down: i64,
    #[diesel(sql_type = BigInt)]
    no_backlink: i64,
    #[diesel(sql_type = BigInt)]
    blocked: i64,
    #[diesel(sql_type = BigInt)]
    refused: i64,
    #[diesel(sql_type = BigInt)]
    white_listed: i64,
    #[diesel(sql_type = BigInt)]
    held_back: i64,
    #[diesel(sql_type = Array<Integer>)]
    answered_ms: Vec<i32>,
    #[diesel(sql_type = Array<Integer>)]
    timed_out_ms: Vec<i32>,
}

impl Bucket {
    fn summary(&self) -> Summary {
        let mut latency = Latency::default();
        for ms in &self.answered_ms {
            latency.answered(ms.unsigned_abs());
        }
        for ms in &self.timed_out_ms {
            latency.timed_out(ms.unsigned_abs());
        }
        let counts = CheckCounts {
            up: self.up.unsigned_abs(),
            down: self.down.unsigned_abs(),
            no_backlink: self.no_backlink.unsigned_abs(),
            blocked: self.blocked.unsigned_abs(),
            refused: self.refused.unsigned_abs(),
            white_listed: self.white_listed.unsigned_abs(),
            held_back: self.held_back.unsigned_abs(),
        };
        Summary { counts, latency }
    }
}

/// Where a page ends, and the first and the last moment of its checks.
#[derive(Debug, QueryableByName)]
struct Edges {
    #[diesel(sql_type = Nullable<PgUuid>)]
    last_link: Option<Uuid>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    first: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last: Option<DateTime<Utc>>,
}

/// Adds the checks of the next links of these runs to their days and hours. Returns the last of these links; `None`:
/// there are no more.
pub(super) async fn add_page(connection: &mut Connection, page: Page<'_>) -> Result<Option<Id>, Fault> {
    let runs: Vec<Uuid> = page.runs.iter().map(|(id, _)| id.0).collect();
    let edges = sql_query(EDGES).bind::<Array<PgUuid>, _>(&runs).bind::<PgUuid, _>(page.after.0);
    let edges: Edges = edges.bind::<BigInt, _>(page.most_of_a_run).kept().get_result(connection).await?;
    let (upto, last) = (edges.last_link.unwrap_or(Uuid::max()), edges.last_link.map(Id));
    let Some((first, latest)) = edges.first.zip(edges.last) else { return Ok(last) };
    let buckets = fold(connection, &page, &runs, upto, &days_between(page.zone, first, latest)).await?;
    let (mut days, mut hours) = (Days::new(), Hours::new());
    for bucket in buckets {
        let link = Id(bucket.link_id);
        match (bucket.day, bucket.hour) {
            (Some(day), _) => drop(days.insert((link, day), bucket.summary())),
            (None, Some(hour)) => drop(hours.insert((link, hour), bucket.summary())),
            (None, None) => return Err(Fault::Corrupt("a bucket has neither day nor hour".to_owned())),
        }
    }
    add_days(connection, days, page.zone).await?;
    add_hours(connection, hours).await?;
    Ok(last)
}

async fn fold(
    connection: &mut Connection,
    page: &Page<'_>,
    runs: &[Uuid],
    upto: Uuid,
    days: &[NaiveDate],
) -> Result<Vec<Bucket>, Fault> {
    let begin = |day: &NaiveDate| page.zone.begin_of(*day);
    let end = |day: &NaiveDate| page.zone.end_of(*day);
    let fold = sql_query(FOLD)
        .bind::<Array<PgUuid>, _>(runs)
        .bind::<Array<Text>, _>(page.runs.iter().map(|(_, hold)| hold.as_str()).collect::<Vec<_>>())
        .bind::<PgUuid, _>(page.after.0)
        .bind::<PgUuid, _>(upto)
        .bind::<Array<Date>, _>(days)
        .bind::<Array<Timestamptz>, _>(days.iter().map(begin).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(days.iter().map(end).collect::<Vec<_>>())
        .bind::<SmallInt, _>(zone_id(connection, page.zone).await?)
        .bind::<Integer, _>(page.hours_since);
    Ok(fold.kept().load(connection).await?)
}

/// The days from the first moment to the last.
fn days_between(zone: Zone, first: DateTime<Utc>, last: DateTime<Utc>) -> Vec<NaiveDate> {
    let last = zone.day_of(last);
    successors(Some(zone.day_of(first)), NaiveDate::succ_opt).take_while(|day| *day <= last).collect()
}
