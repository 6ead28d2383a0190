//! Jobs that were parked, or put back.

use std::collections::HashMap;

use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{JobId, RunId};

use super::dialect::locked;
use super::{Connection, dialect, runs};
use crate::error::Fault;
use crate::parking::{Moved, by_run, job_ids, unknown};
use crate::rows::{DONE, OPEN, PARKED};
use crate::schema::{jobs, parkings};
use crate::traits::ParkingNotice;
use crate::values::Id;

pub(super) async fn note(
    connection: &mut Connection,
    notices: &[ParkingNotice],
) -> Result<Vec<JobId>, Fault> {
    let named = job_ids(notices);
    let ids: Vec<Id> = named.iter().copied().collect();
    let stored = dialect::lock_jobs(connection, &ids).await?;
    for notice in notices.iter().filter(|notice| stored.contains(&Id(notice.job_id.0))) {
        insert(connection, notice).await?;
    }
    let moved = settle(connection, &stored).await?;
    runs::move_parked(connection, by_run(moved)).await?;
    Ok(unknown(named, &stored))
}

pub(super) async fn reopen(connection: &mut Connection, run: RunId) -> Result<u64, Fault> {
    let parked = jobs::table.filter(jobs::run_id.eq(Id(run.0)).and(jobs::state.eq(PARKED)));
    let parked: Vec<Id> = locked!(parked.order(jobs::id).select(jobs::id)).load(connection).await?;
    let notices = parkings::table.filter(dialect::among("parkings.job_id", parked.clone()));
    diesel::delete(notices).execute(connection).await?;
    let moved = settle(connection, &parked).await?;
    runs::move_parked(connection, by_run(moved)).await?;
    Ok(parked.len() as u64)
}

async fn insert(connection: &mut Connection, notice: &ParkingNotice) -> QueryResult<usize> {
    let values = (
        parkings::notice_id.eq(Id(notice.id)),
        parkings::job_id.eq(Id(notice.job_id.0)),
        parkings::parked.eq(notice.parked),
        parkings::cause.eq(notice.cause.replace('\0', "")),
    );
    let insert = diesel::insert_into(parkings::table).values(values);
    insert.on_conflict(parkings::notice_id).do_nothing().execute(connection).await
}

/// Brings the states of these jobs, whose rows are held, in line with their notices.
async fn settle(connection: &mut Connection, ids: &[Id]) -> QueryResult<Vec<Moved>> {
    let notices = parkings::table.filter(dialect::among("parkings.job_id", ids.to_vec()));
    let notices: Vec<(Id, bool)> =
        notices.select((parkings::job_id, parkings::parked)).load(connection).await?;
    let mut surplus: HashMap<Id, i64> = HashMap::new();
    for (job, parked) in notices {
        *surplus.entry(job).or_default() += if parked { 1 } else { -1 };
    }
    let stored = jobs::table.filter(dialect::among("jobs.id", ids.to_vec()).and(jobs::state.ne(DONE)));
    let stored = stored.select((jobs::id, jobs::run_id, jobs::state, jobs::links_count, jobs::links_done));
    let (mut moved, mut parked, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    for (id, run, state, links, done) in stored.load::<(Id, Id, String, i64, i64)>(connection).await? {
        let parks = surplus.get(&id).is_some_and(|surplus| *surplus > 0);
        if parks && state != PARKED {
            parked.push(id);
            moved.push((run, links - done));
        } else if !parks && state == PARKED {
            opened.push(id);
            moved.push((run, done - links));
        }
    }
    let parking = diesel::update(jobs::table.filter(dialect::among("jobs.id", parked)));
    parking.set(jobs::state.eq(PARKED)).execute(connection).await?;
    let now = dialect::now(connection).await?;
    let opening = diesel::update(jobs::table.filter(dialect::among("jobs.id", opened)));
    opening.set((jobs::state.eq(OPEN), jobs::published_at.eq(now))).execute(connection).await?;
    Ok(moved)
}
