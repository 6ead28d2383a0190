//! Jobs: the outbox.

use std::time::Duration;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    SelectableHelper,
};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Uuid as PgUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{JobId, RunId, RunState};
use uuid::Uuid;

use crate::error::Fault;
use crate::rows::{JobRow, OPEN_JOBS, OpenJobRow, RECHECKS, UnpublishedRunRow, unpublished_runs_sql};
use crate::schema::{jobs, runs, sql as types};
use crate::values::{Id, Moment};
use crate::{OpenJobs, StoredJob, Unpublished, UnpublishedRun};

/// How many jobs one statement inserts: it has seven values for each, and at most 65,535 altogether.
const BATCH: usize = 1_000;
/// A century, in seconds: older than any job, and within what a timestamp can hold.
const LONG_AGO: u64 = 100 * 366 * 86_400;

pub(super) async fn insert(connection: &mut AsyncPgConnection, rows: &[JobRow]) -> QueryResult<()> {
    for rows in rows.chunks(BATCH) {
        diesel::insert_into(jobs::table).values(rows).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn open(
    connection: &mut AsyncPgConnection,
    which: OpenJobs,
    after: Option<JobId>,
    limit: u32,
) -> Result<Vec<StoredJob>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let open = jobs::table
        .inner_join(runs::table)
        .filter(sql::<Bool>(OPEN_JOBS).and(jobs::id.gt(Id(after))))
        .filter(runs::state.ne(RunState::Cancelled.as_str()))
        .order(jobs::id)
        .limit(limit.into())
        .select(OpenJobRow::as_select())
        .into_boxed::<Pg>();
    let open = match which {
        OpenJobs::OfRun(run) => open.filter(jobs::run_id.eq(Id(run.0))),
        OpenJobs::UnpublishedOfRun(run) => {
            open.filter(jobs::run_id.eq(Id(run.0)).and(jobs::published_at.is_null()))
        }
        OpenJobs::PublishedFor(age) => {
            let due = jobs::due_at.is_null().or(jobs::due_at.lt(ago(age).nullable()));
            open.filter(jobs::published_at.lt(ago(age).nullable())).filter(due.assume_not_null())
        }
        OpenJobs::Rechecks => open.filter(sql::<Bool>(RECHECKS).and(jobs::published_at.is_null())),
        OpenJobs::RechecksOfRun(run) => open
            .filter(sql::<Bool>(RECHECKS).and(jobs::published_at.is_null()))
            .filter(jobs::run_id.eq(Id(run.0))),
    };
    let open: Vec<OpenJobRow> = open.load(connection).await?;
    let now = now(connection).await?;
    open.into_iter().map(|job| job.at(now)).collect()
}

pub(super) async fn unpublished_runs(
    connection: &mut AsyncPgConnection,
    which: Unpublished,
    limit: u32,
) -> Result<Vec<UnpublishedRun>, Fault> {
    let (only, idle) = match which {
        Unpublished::OfRun(run) => (Some(run.0), None),
        Unpublished::IdleFor(age) => (None, Some(ago_text(age))),
    };
    let find = sql_query(unpublished_runs_sql(["$1", "$2"], idle.as_deref()));
    let find = find.bind::<Nullable<PgUuid>, _>(only).bind::<BigInt, _>(i64::from(limit));
    let rows: Vec<UnpublishedRunRow> = find.load(connection).await?;
    Ok(rows.into_iter().map(UnpublishedRun::from).collect())
}

/// The moment by the clock of the server.
pub(super) async fn now(connection: &mut AsyncPgConnection) -> QueryResult<Moment> {
    diesel::select(sql::<types::Moment>("clock_timestamp()")).get_result(connection).await
}

/// The moment so long ago, by the clock of the server: that of a producer may be off.
fn ago(age: Duration) -> SqlLiteral<types::Moment> {
    sql(&ago_text(age))
}

fn ago_text(age: Duration) -> String {
    let seconds = age.as_secs().min(LONG_AGO);
    let microseconds = age.subsec_micros();
    format!("clock_timestamp() - interval '{seconds} seconds {microseconds} microseconds'")
}

pub(super) async fn mark_published(connection: &mut AsyncPgConnection, ids: &[JobId]) -> Result<(), Fault> {
    let mark = sql_query(
        "UPDATE jobs SET published_at = clock_timestamp()
         WHERE id IN (SELECT id FROM jobs WHERE id = ANY ($1) ORDER BY id FOR UPDATE)",
    );
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    mark.bind::<Array<PgUuid>, _>(ids).execute(connection).await?;
    Ok(())
}

/// Whoever records results holds jobs in the order of their ids, and so does this.
pub(super) async fn close(
    connection: &mut AsyncPgConnection,
    run: RunId,
    after: Option<JobId>,
    limit: u32,
) -> Result<Option<JobId>, Fault> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = PgUuid)]
        id: Uuid,
    }
    let close = sql_query(
        "WITH held AS (
             SELECT id FROM jobs WHERE run_id = $1 AND state = 'open' AND id > $2
                AND EXISTS (SELECT FROM runs WHERE runs.id = $1 AND runs.state = 'cancelled')
             ORDER BY id LIMIT $3 FOR UPDATE
         )
         UPDATE jobs SET state = 'done', body = NULL FROM held WHERE jobs.id = held.id RETURNING jobs.id",
    );
    let closed: Vec<Row> = close
        .bind::<PgUuid, _>(run.0)
        .bind::<PgUuid, _>(after.map_or(Uuid::nil(), |id| id.0))
        .bind::<BigInt, _>(i64::from(limit))
        .get_results(connection)
        .await?;
    Ok(closed.into_iter().map(|row| JobId(row.id)).max())
}
