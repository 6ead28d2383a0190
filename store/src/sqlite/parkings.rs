//! Jobs that were parked, or put back.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};
use linkbeat_shared::{JobId, RunId};
use serde_json::json;

use super::runs;
use crate::ParkingNotice;
use crate::error::Fault;
use crate::parking::{Moved, by_run, job_ids, unknown};
use crate::rows::PARKED;
use crate::schema::{jobs, sql as types};
use crate::values::{Id, Moment, json};

pub(super) fn note(
    connection: &mut SqliteConnection,
    notices: &[ParkingNotice],
) -> Result<Vec<JobId>, Fault> {
    let named = job_ids(notices);
    let among_them =
        sql::<Bool>("jobs.id IN (SELECT value FROM json_each(").bind::<Text, _>(json(&named)).sql("))");
    let stored: Vec<Id> = jobs::table.filter(among_them).select(jobs::id).load(connection)?;
    insert(connection, notices)?;
    let moved = settle(connection, &stored)?;
    runs::move_parked(connection, by_run(moved))?;
    Ok(unknown(named, &stored))
}

pub(super) fn reopen(connection: &mut SqliteConnection, run: RunId) -> Result<u64, Fault> {
    let parked = jobs::table.filter(jobs::run_id.eq(Id(run.0)).and(jobs::state.eq(PARKED)));
    let parked: Vec<Id> = parked.select(jobs::id).load(connection)?;
    let forget = sql_query("DELETE FROM parkings WHERE job_id IN (SELECT value FROM json_each(?))");
    forget.bind::<Text, _>(json(&parked)).execute(connection)?;
    let moved = settle(connection, &parked)?;
    runs::move_parked(connection, by_run(moved))?;
    Ok(parked.len() as u64)
}

fn insert(connection: &mut SqliteConnection, notices: &[ParkingNotice]) -> QueryResult<usize> {
    let insert = sql_query(
        "INSERT OR IGNORE INTO parkings (notice_id, job_id, parked, cause)
         SELECT t.value ->> 0, t.value ->> 1, t.value ->> 2, t.value ->> 3
         FROM json_each(?) AS t JOIN jobs ON jobs.id = t.value ->> 1",
    );
    let values = |notice: &ParkingNotice| json!([notice.id, notice.job_id, notice.parked, notice.cause]);
    insert.bind::<Text, _>(json(&notices.iter().map(values).collect::<Vec<_>>())).execute(connection)
}

/// Brings the states of these jobs in line with their notices.
fn settle(connection: &mut SqliteConnection, ids: &[Id]) -> QueryResult<Vec<Moved>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = types::Id)]
        run_id: Id,
        #[diesel(sql_type = BigInt)]
        links: i64,
    }
    let settle = sql_query(
        "UPDATE jobs SET state = wanted.state,
                published_at = CASE wanted.state WHEN 'open' THEN ? ELSE published_at END
         FROM (SELECT t.value AS id, CASE WHEN count(*) FILTER (WHERE p.parked) > count(*) FILTER (WHERE NOT p.parked)
                                          THEN 'parked' ELSE 'open' END AS state
               FROM json_each(?) AS t LEFT JOIN parkings p ON p.job_id = t.value GROUP BY t.value) AS wanted
         WHERE jobs.id = wanted.id AND jobs.state <> 'done' AND jobs.state <> wanted.state
         RETURNING run_id, CASE state WHEN 'parked' THEN links_count - links_done
                                      ELSE links_done - links_count END AS links",
    );
    let rows: Vec<Row> =
        settle.bind::<types::Moment, _>(Moment::now()).bind::<Text, _>(json(&ids)).load(connection)?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.links)).collect())
}
