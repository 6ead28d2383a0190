//! Jobs that were parked, or put back.

use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, QueryableByName};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as PgUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{JobId, RunId};
use uuid::Uuid;

use super::links::column;
use super::runs;
use crate::ParkingNotice;
use crate::error::Fault;
use crate::parking::{Moved, by_run, job_ids, unknown};
use crate::rows::PARKED;
use crate::schema::jobs;
use crate::values::Id;

pub(super) async fn note(
    connection: &mut AsyncPgConnection,
    notices: &[ParkingNotice],
) -> Result<Vec<JobId>, Fault> {
    let named = job_ids(notices);
    let stored = jobs::table.filter(jobs::id.eq_any(named.iter().copied())).order(jobs::id).select(jobs::id);
    let stored: Vec<Id> = stored.for_update().load(connection).await?;
    insert(connection, notices).await?;
    let moved = settle(connection, &stored).await?;
    runs::move_parked(connection, by_run(moved)).await?;
    Ok(unknown(named, &stored))
}

pub(super) async fn reopen(connection: &mut AsyncPgConnection, run: RunId) -> Result<u64, Fault> {
    let parked = jobs::table.filter(jobs::run_id.eq(Id(run.0)).and(jobs::state.eq(PARKED)));
    let parked: Vec<Id> = parked.order(jobs::id).select(jobs::id).for_update().load(connection).await?;
    let forget = sql_query("DELETE FROM parkings WHERE job_id = ANY ($1)");
    forget.bind::<Array<PgUuid>, _>(column(&parked, |id| id.0)).execute(connection).await?;
    let moved = settle(connection, &parked).await?;
    runs::move_parked(connection, by_run(moved)).await?;
    Ok(parked.len() as u64)
}

async fn insert(connection: &mut AsyncPgConnection, notices: &[ParkingNotice]) -> QueryResult<usize> {
    let insert = sql_query(
        "INSERT INTO parkings (notice_id, job_id, parked, cause)
         SELECT t.* FROM unnest($1, $2, $3, $4) AS t (notice_id, job_id, parked, cause)
         JOIN jobs ON jobs.id = t.job_id
         ON CONFLICT (notice_id) DO NOTHING",
    );
    insert
        .bind::<Array<PgUuid>, _>(column(notices, |notice| notice.id))
        .bind::<Array<PgUuid>, _>(column(notices, |notice| notice.job_id.0))
        .bind::<Array<Bool>, _>(column(notices, |notice| notice.parked))
        .bind::<Array<Text>, _>(column(notices, |notice| notice.cause.replace('\0', "")))
        .execute(connection)
        .await
}

/// Brings the states of these jobs, whose rows are held, in line with their notices.
async fn settle(connection: &mut AsyncPgConnection, ids: &[Id]) -> QueryResult<Vec<Moved>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = PgUuid)]
        run_id: Uuid,
        #[diesel(sql_type = BigInt)]
        links: i64,
    }
    let settle = sql_query(
        "UPDATE jobs SET state = wanted.state,
                published_at = CASE wanted.state WHEN 'open' THEN clock_timestamp() ELSE published_at END
         FROM (SELECT t.id, CASE WHEN count(*) FILTER (WHERE p.parked) > count(*) FILTER (WHERE NOT p.parked)
                                 THEN 'parked' ELSE 'open' END AS state
               FROM unnest($1) AS t (id) LEFT JOIN parkings p ON p.job_id = t.id GROUP BY t.id) AS wanted
         WHERE jobs.id = wanted.id AND jobs.state <> 'done' AND jobs.state <> wanted.state
         RETURNING jobs.run_id, CASE jobs.state WHEN 'parked' THEN links_count - links_done
                                                ELSE links_done - links_count END AS links",
    );
    let rows: Vec<Row> =
        settle.bind::<Array<PgUuid>, _>(column(ids, |id| id.0)).get_results(connection).await?;
    Ok(rows.into_iter().map(|row| (Id(row.run_id), row.links)).collect())
}
