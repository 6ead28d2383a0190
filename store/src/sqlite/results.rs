//! Results: recorded as checks, and applied to their links. [`crate::recording`] decides what changes.

use diesel::prelude::*;

use super::links;
use crate::error::Fault;
use crate::recording::{Asked, Batch, RecordChanges, Stored};
use crate::rows::{CheckRow, DONE, RecordedJobRow, RemovedLinkRow};
use crate::schema::{checks, jobs, links as links_table, removed_links, runs};
use crate::values::Moment;
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
    let mut stored = Stored::default();
    for id in asked.link_ids() {
        match links::of_id(connection, id)? {
            Some(link) => stored.links.push(link),
            None => {
                let link = removed_links::table.find(id).select(RemovedLinkRow::as_select());
                stored.removed.extend(link.first(connection).optional()?);
            }
        }
    }
    for pair in asked.pairs() {
        let check = checks::table.find(pair).select(CheckRow::as_select());
        stored.checks.extend(check.first(connection).optional()?);
    }
    Ok(stored)
}

fn write(connection: &mut SqliteConnection, changes: &RecordChanges, now: Moment) -> QueryResult<()> {
    for check in &changes.checks {
        diesel::insert_into(checks::table).values(check).execute(connection)?;
    }
    for link in &changes.links {
        diesel::update(links_table::table.find(link.id)).set(link).execute(connection)?;
    }
    for (id, fresh) in &changes.jobs {
        let job = jobs::table.find(id);
        diesel::update(job).set(jobs::links_done.eq(jobs::links_done + fresh)).execute(connection)?;
        let complete = job.filter(jobs::links_done.ge(jobs::links_count));
        let done = (jobs::state.eq(DONE), jobs::body.eq(None::<Vec<u8>>));
        diesel::update(complete).set(done).execute(connection)?;
    }
    for (id, fresh) in &changes.runs {
        let progress = (runs::done.eq(runs::done + fresh), runs::last_result_at.eq(now));
        diesel::update(runs::table.find(id)).set(progress).execute(connection)?;
    }
    Ok(())
}
