//! Results: recorded as checks, and applied to their links. [`crate::recording`] decides what changes.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Bool, Text};
use serde_json::json;

use super::links;
use super::{jobs as outbox, runs as run_rows};
use crate::error::Fault;
use crate::recording::{Asked, Batch, RecordChanges, Stored};
use crate::rows::{CheckRow, LinkRow, RecordedJobRow, RemovedLinkRow};
use crate::schema::{jobs, removed_links, runs, sql as types};
use crate::values::{Id, Moment, json};
use crate::{JobResults, Recorded, Rule};

pub(super) fn record(
    connection: &mut SqliteConnection,
    batch: &[JobResults],
    rule: Rule,
) -> Result<Vec<Recorded>, Fault> {
    let batch = Batch(batch);
    let asked = batch.asked(recorded_jobs(connection, &batch)?)?;
    let stored = stored(connection, &asked)?;
    let now = Moment::now();
    let changes = asked.decide(stored, now, rule)?;
    write(connection, &changes, now)?;
    Ok(changes.recorded)
}

fn recorded_jobs(connection: &mut SqliteConnection, batch: &Batch<'_>) -> QueryResult<Vec<RecordedJobRow>> {
    let mut rows = Vec::new();
    for id in batch.job_ids() {
        let job = jobs::table.find(id).inner_join(runs::table).select(RecordedJobRow::as_select());
        rows.extend(job.first(connection).optional()?);
    }
    Ok(rows)
}

fn stored(connection: &mut SqliteConnection, asked: &Asked<'_>) -> QueryResult<Stored> {
    let mut missing = asked.link_ids();
    let ids: Vec<Id> = missing.iter().copied().collect();
    let links = links::of_ids(connection, &ids)?;
    for link in &links {
        missing.remove(&link.id);
    }
    let mut removed = Vec::new();
    for id in missing {
        let link = removed_links::table.find(id).select(RemovedLinkRow::as_select());
        removed.extend(link.first(connection).optional()?);
    }
    let (checks, rechecks) = (stored_checks(connection, asked)?, rechecks(connection, asked)?);
    Ok(Stored { links, removed, checks, rechecks })
}

/// The checks of these (run, link) pairs that were recorded before.
fn stored_checks(connection: &mut SqliteConnection, asked: &Asked<'_>) -> QueryResult<Vec<CheckRow>> {
    let select = sql_query(
        "SELECT checks.* FROM json_each(?) CROSS JOIN checks ON run_id = value ->> 0 AND link_id = value ->> 1",
    );
    select.bind::<Text, _>(json(&asked.pairs())).load(connection)
}

/// Which rechecks there are.
fn rechecks(connection: &mut SqliteConnection, asked: &Asked<'_>) -> QueryResult<Vec<Id>> {
    let ids = asked.recheck_ids();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let among_them =
        sql::<Bool>("jobs.id IN (SELECT value FROM json_each(").bind::<Text, _>(json(&ids)).sql("))");
    jobs::table.filter(among_them).select(jobs::id).load(connection)
}

fn write(connection: &mut SqliteConnection, changes: &RecordChanges, now: Moment) -> QueryResult<()> {
    insert_checks(connection, &changes.checks)?;
    outbox::insert(connection, &changes.rechecks)?;
    update_links(connection, &changes.links)?;
    update_jobs(connection, &changes.jobs, now)?;
    for (id, progress) in &changes.runs {
        let counts =
            (runs::done.eq(runs::done + progress.done), runs::parked.eq(runs::parked + progress.parked));
        diesel::update(runs::table.find(id)).set(counts).execute(connection)?;
        if progress.done > 0 {
            diesel::update(runs::table.find(id)).set(runs::last_result_at.eq(now)).execute(connection)?;
        }
    }
    run_rows::reopen(connection, &changes.reopened())?;
    Ok(())
}

/// One statement for all, here and below: diesel would have SQLite parse one for each.
fn insert_checks(connection: &mut SqliteConnection, rows: &[CheckRow]) -> QueryResult<usize> {
    let insert = sql_query(
        "INSERT INTO checks (run_id, link_id, job_id, name, url, verdict, reason, status, elapsed_ms, details,
                             checked_at, change, shown)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
         FROM json_each(?)",
    );
    let values = |row: &'_ CheckRow| {
        json!([
            row.run_id,
            row.link_id,
            row.job_id,
            row.name,
            row.url,
            row.verdict,
            row.reason,
            row.status,
            row.elapsed_ms,
            row.details,
            row.checked_at,
            row.change,
            row.shown
        ])
    };
    insert.bind::<Text, _>(json(&rows.iter().map(values).collect::<Vec<_>>())).execute(connection)
}

fn update_links(connection: &mut SqliteConnection, rows: &[LinkRow]) -> QueryResult<usize> {
    let update = sql_query(
        "UPDATE links SET shown = t.value ->> 1, hidden_reason = t.value ->> 2, verdict = t.value ->> 3,
                reason = t.value ->> 4, status = t.value ->> 5, elapsed_ms = t.value ->> 6,
                details = t.value ->> 7, last_checked_at = t.value ->> 8, last_run_id = t.value ->> 9,
                last_run_seq = t.value ->> 10, passed_in_a_row = t.value ->> 11,
                failed_in_a_row = t.value ->> 12
         FROM json_each(?) AS t
         WHERE links.id = t.value ->> 0",
    );
    let values = |row: &'_ LinkRow| {
        json!([
            row.id,
            row.shown,
            row.hidden_reason,
            row.verdict,
            row.reason,
            row.status,
            row.elapsed_ms,
            row.details,
            row.last_checked_at,
            row.last_run_id,
            row.last_run_seq,
            row.passed_in_a_row,
            row.failed_in_a_row
        ])
    };
    update.bind::<Text, _>(json(&rows.iter().map(values).collect::<Vec<_>>())).execute(connection)
}

/// Results are a sign of life: a large job of a slow host, which comes in parts, is not taken for lost.
fn update_jobs(
    connection: &mut SqliteConnection,
    fresh: &BTreeMap<Id, i64>,
    now: Moment,
) -> QueryResult<usize> {
    let update = sql_query(
        "UPDATE jobs SET links_done = links_done + fresh.value,
                published_at = ?,
                state = iif(links_done + fresh.value >= links_count, 'done', state),
                body = iif(links_done + fresh.value >= links_count, NULL, body)
         FROM json_each(?) AS fresh
         WHERE jobs.id = fresh.key",
    );
    update.bind::<types::Moment, _>(now).bind::<Text, _>(json(fresh)).execute(connection)
}
