//! Results: recorded as checks, and applied to their links. [`crate::recording`] decides what changes.

use diesel::prelude::{QueryDsl, QueryResult, SelectableHelper};
use diesel_async::RunQueryDsl;

use super::{Connection, dialect, history, holds, jobs as outbox, links, runs as run_rows};
use crate::error::Fault;
use crate::kept::Keep;
use crate::recording::{Asked, Batch, Read, RecordChanges, Stored};
use crate::rows::{RecordedJobRow, RemovedLinkRow};
use crate::schema::{jobs, removed_links, runs};
use crate::traits::{JobResults, Judge, Recorded};
use crate::values::{Id, Moment};

pub(super) async fn record(
    connection: &mut Connection,
    batch: &[JobResults],
    judge: &dyn Judge,
) -> Result<Vec<Recorded>, Fault> {
    let batch = Batch(batch);
    let asked = batch.asked(lock_jobs(connection, &batch).await?)?;
    let (stored, now) = stored(connection, &asked).await?;
    let changes = asked.decide(stored, now, judge)?;
    let complete = write(connection, &changes, now).await?;
    Ok(changes.recorded.into_iter().map(|recorded| recorded.of_a_run_in(&complete)).collect())
}

/// Locks the jobs alone: their runs are locked when all else is written, as briefly as can be.
async fn lock_jobs(connection: &mut Connection, batch: &Batch<'_>) -> QueryResult<Vec<RecordedJobRow>> {
    let ids: Vec<Id> = batch.job_ids().into_iter().collect();
    dialect::lock_jobs(connection, &ids).await?;
    let rows = jobs::table.inner_join(runs::table).filter(dialect::among("jobs.id", ids));
    rows.select(RecordedJobRow::as_select()).kept().load(connection).await
}

async fn stored(connection: &mut Connection, asked: &Asked<'_>) -> QueryResult<(Stored, Moment)> {
    let mut missing = asked.link_ids();
    let ids: Vec<Id> = missing.iter().copied().collect();
    let pairs: Vec<(Id, Id)> = asked.pairs().into_iter().collect();
    let Read { links, checks, dropped, now } =
        dialect::read_for_batch(connection, &ids, &pairs, asked.run_ids()).await?;
    for link in &links {
        missing.remove(&link.id);
    }
    let removed = if missing.is_empty() {
        Vec::new()
    } else {
        let removed = removed_links::table.filter(dialect::among("removed_links.id", missing));
        removed.select(RemovedLinkRow::as_select()).kept().load(connection).await?
    };
    let rechecks = rechecks(connection, asked).await?;
    Ok((Stored { links, removed, checks, rechecks, dropped }, now))
}

/// Which rechecks there are.
async fn rechecks(connection: &mut Connection, asked: &Asked<'_>) -> QueryResult<Vec<Id>> {
    let ids = asked.recheck_ids();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    jobs::table.filter(dialect::among("jobs.id", ids)).select(jobs::id).kept().load(connection).await
}

/// Returns the runs that lack no result now.
async fn write(connection: &mut Connection, changes: &RecordChanges, now: Moment) -> Result<Vec<Id>, Fault> {
    let written = dialect::write_batch(connection, changes, now).await?;
    if written.checks != changes.checks.len() {
        // The same link stands in another job of this run, whose results came at the same time.
        return Err(Fault::Conflict);
    }
    holds::insert(connection, &changes.proposals).await?;
    outbox::insert(connection, &changes.rechecks).await?;
    links::insert_changes(connection, &changes.changes).await?;
    history::note_late(connection, &changes.checks, &written.runs.begun).await?;
    run_rows::reopen(connection, changes.reopened()).await?;
    if !changes.open.is_empty() {
        holds::count_alike(connection, &changes.alike).await?;
        holds::release(connection, changes.open.iter().copied()).await?;
    }
    Ok(written.runs.complete)
}
