//! Jobs: the outbox.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;
use linkbeat_shared::{JobId, RunId, RunState};
use uuid::Uuid;

use crate::error::Fault;
use crate::rows::{JobRow, OPEN_JOBS, OpenJobRow, RECHECKS, UnpublishedRunRow, unpublished_runs_sql};
use crate::schema::{jobs, runs, sql as types};
use crate::values::{Id, Moment, json};
use crate::{OpenJobs, StoredJob, Unpublished, UnpublishedRun};

/// How many jobs one statement inserts: it has seven values for each, and at most 32,766 altogether.
const BATCH: usize = 1_000;

pub(super) fn insert(connection: &mut SqliteConnection, rows: &[JobRow]) -> QueryResult<()> {
    for rows in rows.chunks(BATCH) {
        diesel::insert_into(jobs::table).values(rows).execute(connection)?;
    }
    Ok(())
}

pub(super) fn open(
    connection: &mut SqliteConnection,
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
        .into_boxed::<Sqlite>();
    let open = match which {
        OpenJobs::OfRun(run) => open.filter(jobs::run_id.eq(Id(run.0))),
        OpenJobs::UnpublishedOfRun(run) => {
            open.filter(jobs::run_id.eq(Id(run.0)).and(jobs::published_at.is_null()))
        }
        OpenJobs::PublishedFor(age) => {
            let due = jobs::due_at.is_null().or(jobs::due_at.lt(ago(age)));
            open.filter(jobs::published_at.lt(ago(age))).filter(due.assume_not_null())
        }
        OpenJobs::Rechecks => open.filter(sql::<Bool>(RECHECKS).and(jobs::published_at.is_null())),
        OpenJobs::RechecksOfRun(run) => open
            .filter(sql::<Bool>(RECHECKS).and(jobs::published_at.is_null()))
            .filter(jobs::run_id.eq(Id(run.0))),
    };
    let (open, now): (Vec<OpenJobRow>, _) = (open.load(connection)?, Moment::now());
    open.into_iter().map(|job| job.at(now)).collect()
}

pub(super) fn unpublished_runs(
    connection: &mut SqliteConnection,
    which: Unpublished,
    limit: u32,
) -> Result<Vec<UnpublishedRun>, Fault> {
    let (only, idle) = match which {
        Unpublished::OfRun(run) => (Some(Id(run.0)), None),
        Unpublished::IdleFor(age) => (None, Some(ago(age))),
    };
    let find = sql_query(unpublished_runs_sql(["?1", "?2"], idle.map(|_| "?3")))
        .bind::<Nullable<types::Id>, _>(only)
        .bind::<BigInt, _>(i64::from(limit));
    let rows: Vec<UnpublishedRunRow> = match idle {
        None => find.load(connection)?,
        Some(idle) => find.bind::<types::Moment, _>(idle).load(connection)?,
    };
    Ok(rows.into_iter().map(UnpublishedRun::from).collect())
}

fn ago(age: Duration) -> Moment {
    Moment(
        TimeDelta::from_std(age).ok().and_then(|age| Utc::now().checked_sub_signed(age)).unwrap_or_default(),
    )
}

pub(super) fn mark_published(connection: &mut SqliteConnection, ids: &[JobId]) -> Result<(), Fault> {
    let mark = sql_query("UPDATE jobs SET published_at = ? WHERE id IN (SELECT value FROM json_each(?))");
    mark.bind::<types::Moment, _>(Moment::now()).bind::<Text, _>(json(&ids)).execute(connection)?;
    Ok(())
}

pub(super) fn close(
    connection: &mut SqliteConnection,
    run: RunId,
    after: Option<JobId>,
    limit: u32,
) -> Result<Option<JobId>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let open: Vec<Id> = jobs::table
        .inner_join(runs::table)
        .filter(jobs::run_id.eq(Id(run.0)).and(runs::state.eq(RunState::Cancelled.as_str())))
        .filter(sql::<Bool>(OPEN_JOBS).and(jobs::id.gt(Id(after))))
        .order(jobs::id)
        .limit(limit.into())
        .select(jobs::id)
        .load(connection)?;
    let ids: Vec<JobId> = open.into_iter().map(|id| JobId(id.0)).collect();
    let close =
        sql_query("UPDATE jobs SET state = 'done', body = NULL WHERE id IN (SELECT value FROM json_each(?))");
    close.bind::<Text, _>(json(&ids)).execute(connection)?;
    Ok(ids.last().copied())
}
