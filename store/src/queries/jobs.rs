//! Jobs: the outbox.

use std::time::Duration;

use chrono::TimeDelta;
use diesel::dsl::{exists, sql};
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    SelectableHelper,
};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{JobId, RunId, RunState};
use uuid::Uuid;

use super::dialect::{insert_all, locked};
use super::{Backend, Connection, dialect};
use crate::error::Fault;
use crate::kept::Keep;
use crate::rows::{DONE, JobRow, OPEN_JOBS, OpenJobRow, RECHECKS, UnpublishedRunRow, unpublished_runs_sql};
use crate::schema::{jobs, runs, sql as types};
use crate::traits::{OpenJobs, StoredJob, Unpublished, UnpublishedRun};
use crate::values::{Id, Moment};

/// How many jobs one statement inserts: it has seven values for each, and PostgreSQL takes
/// 65,535 altogether. SQLite gets a statement for each row.
const BATCH: usize = 1_000;

pub(super) async fn insert(connection: &mut Connection, rows: &[JobRow]) -> QueryResult<()> {
    for rows in rows.chunks(BATCH) {
        insert_all!(connection, jobs::table, rows)?;
    }
    Ok(())
}

pub(super) async fn open(
    connection: &mut Connection,
    which: OpenJobs,
    after: Option<JobId>,
    limit: u32,
) -> Result<Vec<StoredJob>, Fault> {
    let now = dialect::now(connection).await?;
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let open = jobs::table
        .inner_join(runs::table)
        .filter(sql::<Bool>(OPEN_JOBS).and(jobs::id.gt(Id(after))))
        .filter(runs::state.ne(RunState::Cancelled.as_str()))
        .order(jobs::id)
        .limit(limit.into())
        .select(OpenJobRow::as_select())
        .into_boxed::<Backend>();
    let open = match which {
        OpenJobs::OfRun(run) => open.filter(jobs::run_id.eq(Id(run.0))),
        OpenJobs::UnpublishedOfRun(run) => {
            open.filter(jobs::run_id.eq(Id(run.0)).and(jobs::published_at.is_null()))
        }
        OpenJobs::PublishedFor(age) => {
            let due = jobs::due_at.is_null().or(jobs::due_at.lt(ago(now, age)));
            open.filter(jobs::published_at.lt(ago(now, age))).filter(due.assume_not_null())
        }
        OpenJobs::Rechecks => open.filter(sql::<Bool>(RECHECKS).and(jobs::published_at.is_null())),
        OpenJobs::RechecksOfRun(run) => open
            .filter(sql::<Bool>(RECHECKS).and(jobs::published_at.is_null()))
            .filter(jobs::run_id.eq(Id(run.0))),
    };
    let open: Vec<OpenJobRow> = open.kept().load(connection).await?;
    open.into_iter().map(|job| job.at(now)).collect()
}

pub(super) async fn unpublished_runs(
    connection: &mut Connection,
    which: Unpublished,
    limit: u32,
) -> Result<Vec<UnpublishedRun>, Fault> {
    let (only, idle) = match which {
        Unpublished::OfRun(run) => (Some(Id(run.0)), None),
        Unpublished::IdleFor(age) => (None, Some(ago(dialect::now(connection).await?, age))),
    };
    // Numbered in the order in which the statement has them first.
    let find = sql_query(unpublished_runs_sql(idle.is_some()));
    let find = find.bind::<Nullable<types::Id>, _>(only);
    let rows: Vec<UnpublishedRunRow> = match idle {
        None => find.bind::<BigInt, _>(i64::from(limit)).kept().load(connection).await?,
        Some(idle) => {
            let find = find.bind::<types::Moment, _>(idle).bind::<BigInt, _>(i64::from(limit));
            find.kept().load(connection).await?
        }
    };
    Ok(rows.into_iter().map(UnpublishedRun::from).collect())
}

/// The moment so long before `now`, or the beginning of 1970: older than any job.
fn ago(now: Moment, age: Duration) -> Moment {
    let moment = TimeDelta::from_std(age).ok().and_then(|age| now.0.checked_sub_signed(age));
    Moment(moment.unwrap_or_default().max(chrono::DateTime::UNIX_EPOCH))
}

pub(super) async fn mark_published(connection: &mut Connection, ids: &[JobId]) -> Result<(), Fault> {
    let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
    if ids.len() > 1 {
        dialect::lock_jobs(connection, &ids).await?;
    }
    let published = jobs::table.filter(dialect::among("jobs.id", ids));
    diesel::update(published)
        .set(jobs::published_at.eq(dialect::clock().nullable()))
        .kept()
        .execute(connection)
        .await?;
    Ok(())
}

/// Whoever records results holds jobs in the order of their ids, and so does this.
pub(super) async fn close(
    connection: &mut Connection,
    run: RunId,
    after: Option<JobId>,
    limit: u32,
) -> Result<Option<JobId>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let cancelled = runs::state.eq(RunState::Cancelled.as_str());
    let open = jobs::table
        .filter(jobs::run_id.eq(Id(run.0)).and(sql::<Bool>(OPEN_JOBS)).and(jobs::id.gt(Id(after))))
        .filter(exists(runs::table.filter(runs::id.eq(Id(run.0)).and(cancelled))))
        .order(jobs::id)
        .limit(limit.into())
        .select(jobs::id);
    let open: Vec<Id> = locked!(open).kept().load(connection).await?;
    let last = open.last().map(|id| JobId(id.0));
    let closed = (jobs::state.eq(DONE), jobs::body.eq(None::<Vec<u8>>));
    diesel::update(jobs::table.filter(dialect::among("jobs.id", open)))
        .set(closed)
        .kept()
        .execute(connection)
        .await?;
    Ok(last)
}
