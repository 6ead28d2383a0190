//! Results: recorded as checks, and applied to their links. [`crate::recording`] decides what changes.

use diesel::prelude::{ExpressionMethods, QueryDsl, QueryResult, SelectableHelper};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as PgUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::links::{self, column};
use super::{jobs as outbox, runs as run_rows};
use crate::error::Fault;
use crate::recording::{Asked, Batch, RecordChanges, RunProgress, Stored};
use crate::rows::{CheckRow, LinkRow, RecordedJobRow, RemovedLinkRow};
use crate::schema::{jobs, removed_links, runs, sql as types};
use crate::values::Id;
use crate::{JobResults, Recorded, Rule};

pub(super) async fn record(
    connection: &mut AsyncPgConnection,
    batch: &[JobResults],
    rule: Rule,
) -> Result<Vec<Recorded>, Fault> {
    let batch = Batch(batch);
    let asked = batch.asked(lock_jobs(connection, &batch).await?)?;
    let stored = stored(connection, &asked).await?;
    let now = outbox::now(connection).await?;
    let changes = asked.decide(stored, now, rule)?;
    write(connection, &changes).await?;
    Ok(changes.recorded)
}

async fn lock_jobs(
    connection: &mut AsyncPgConnection,
    batch: &Batch<'_>,
) -> QueryResult<Vec<RecordedJobRow>> {
    // The jobs alone: their runs are locked when all else is written, as briefly as can be.
    let ids: Vec<Id> = batch.job_ids().into_iter().collect();
    let lock = jobs::table.filter(jobs::id.eq_any(&ids)).order(jobs::id).select(jobs::id).for_update();
    lock.load::<Id>(connection).await?;
    let rows = jobs::table.inner_join(runs::table).filter(jobs::id.eq_any(&ids));
    rows.select(RecordedJobRow::as_select()).load(connection).await
}

async fn stored(connection: &mut AsyncPgConnection, asked: &Asked<'_>) -> QueryResult<Stored> {
    let mut missing = asked.link_ids();
    let ids: Vec<Id> = missing.iter().copied().collect();
    let links = links::lock(connection, &ids).await?;
    for link in &links {
        missing.remove(&link.id);
    }
    let removed = if missing.is_empty() {
        Vec::new()
    } else {
        let removed = removed_links::table.filter(removed_links::id.eq_any(missing));
        removed.select(RemovedLinkRow::as_select()).load(connection).await?
    };
    let (checks, rechecks) = (checks(connection, asked).await?, rechecks(connection, asked).await?);
    Ok(Stored { links, removed, checks, rechecks })
}

/// The checks of these (run, link) pairs that were recorded before.
async fn checks(connection: &mut AsyncPgConnection, asked: &Asked<'_>) -> QueryResult<Vec<CheckRow>> {
    let pairs: Vec<(Id, Id)> = asked.pairs().into_iter().collect();
    let select = sql_query(
        "SELECT checks.* FROM checks
         JOIN unnest($1, $2) AS t (run_id, link_id) ON checks.run_id = t.run_id AND checks.link_id = t.link_id",
    );
    select
        .bind::<Array<PgUuid>, _>(column(&pairs, |(run, _)| run.0))
        .bind::<Array<PgUuid>, _>(column(&pairs, |(_, link)| link.0))
        .load(connection)
        .await
}

/// Which rechecks there are.
async fn rechecks(connection: &mut AsyncPgConnection, asked: &Asked<'_>) -> QueryResult<Vec<Id>> {
    let ids = asked.recheck_ids();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    jobs::table.filter(jobs::id.eq_any(ids)).select(jobs::id).load(connection).await
}

async fn write(connection: &mut AsyncPgConnection, changes: &RecordChanges) -> Result<(), Fault> {
    let inserted = insert_checks(connection, &changes.checks).await?;
    if inserted != changes.checks.len() {
        // The same link stands in another job of this run, whose results came at the same time.
        return Err(Fault::Conflict);
    }
    outbox::insert(connection, &changes.rechecks).await?;
    update_links(connection, &changes.links).await?;
    let jobs: Vec<(Id, i64)> = changes.jobs.iter().map(|(id, fresh)| (*id, *fresh)).collect();
    update_jobs(connection, &jobs).await?;
    let runs: Vec<(Id, RunProgress)> = changes.runs.iter().map(|(id, progress)| (*id, *progress)).collect();
    update_runs(connection, &runs).await?;
    run_rows::reopen(connection, &changes.reopened()).await?;
    Ok(())
}

async fn insert_checks(connection: &mut AsyncPgConnection, rows: &[CheckRow]) -> QueryResult<usize> {
    let insert = sql_query(
        "INSERT INTO checks (run_id, link_id, job_id, name, url, verdict, reason, status, elapsed_ms, details,
                             checked_at, change, shown)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (run_id, link_id) DO NOTHING",
    );
    insert
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.run_id.0))
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.link_id.0))
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.job_id.0))
        .bind::<Array<Text>, _>(column(rows, |row| &row.name))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.verdict.as_ref()))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.reason.as_ref()))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.status))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.elapsed_ms))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.details.as_ref()))
        .bind::<Array<types::Moment>, _>(column(rows, |row| row.checked_at))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.change.as_ref()))
        .bind::<Array<Bool>, _>(column(rows, |row| row.shown))
        .execute(connection)
        .await
}

async fn update_links(connection: &mut AsyncPgConnection, rows: &[LinkRow]) -> QueryResult<usize> {
    let update = sql_query(
        "UPDATE links SET shown = t.shown, hidden_reason = t.hidden_reason, verdict = t.verdict, reason = t.reason,
                status = t.status, elapsed_ms = t.elapsed_ms, details = t.details, last_checked_at = t.last_checked_at,
                last_run_id = t.last_run_id, last_run_seq = t.last_run_seq,
                passed_in_a_row = t.passed_in_a_row, failed_in_a_row = t.failed_in_a_row
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
              AS t (id, shown, hidden_reason, verdict, reason, status, elapsed_ms, details, last_checked_at,
                    last_run_id, last_run_seq, passed_in_a_row, failed_in_a_row)
         WHERE links.id = t.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.id.0))
        .bind::<Array<Bool>, _>(column(rows, |row| row.shown))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.hidden_reason.as_ref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.verdict.as_ref()))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.reason.as_ref()))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.status))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.elapsed_ms))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.details.as_ref()))
        .bind::<Array<Nullable<types::Moment>>, _>(column(rows, |row| row.last_checked_at))
        .bind::<Array<Nullable<types::Id>>, _>(column(rows, |row| row.last_run_id))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.last_run_seq))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.passed_in_a_row))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.failed_in_a_row))
        .execute(connection)
        .await
}

/// Results are a sign of life: a large job of a slow host, which comes in parts, is not taken for lost.
async fn update_jobs(connection: &mut AsyncPgConnection, fresh: &[(Id, i64)]) -> QueryResult<usize> {
    let update = sql_query(
        "UPDATE jobs SET links_done = links_done + fresh,
                published_at = clock_timestamp(),
                state = CASE WHEN links_done + fresh >= links_count THEN 'done' ELSE state END,
                body = CASE WHEN links_done + fresh >= links_count THEN NULL ELSE body END
         FROM unnest($1, $2) AS t (id, fresh)
         WHERE jobs.id = t.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(fresh, |(id, _)| id.0))
        .bind::<Array<BigInt>, _>(column(fresh, |(_, fresh)| *fresh))
        .execute(connection)
        .await
}

async fn update_runs(connection: &mut AsyncPgConnection, runs: &[(Id, RunProgress)]) -> QueryResult<usize> {
    let update = sql_query(
        "WITH held AS (SELECT id FROM runs WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE)
         UPDATE runs SET done = done + more_done, parked = parked + more_parked,
                last_result_at = CASE WHEN more_done > 0 THEN clock_timestamp() ELSE last_result_at END
         FROM held JOIN unnest($1, $2, $3) AS t (id, more_done, more_parked) ON held.id = t.id
         WHERE runs.id = held.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(runs, |(id, _)| id.0))
        .bind::<Array<BigInt>, _>(column(runs, |(_, progress)| progress.done))
        .bind::<Array<BigInt>, _>(column(runs, |(_, progress)| progress.parked))
        .execute(connection)
        .await
}
