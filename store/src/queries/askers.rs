//! Who is told how a run ended. The first who asked stands in `runs`, unless it reads another language than English.

use diesel::dsl::not;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
};
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use linkbeat_shared::{Asker, Lang, RequestId, Run};

use super::dialect::locked;
use super::{Connection, runs as run_rows};
use crate::error::Fault;
use crate::rows::{AskedRunRow, AskerRow, RunRow, number};
use crate::schema::{askers, runs};
use crate::traits::{Filed, MOST_ASKERS};
use crate::values::{Id, Moment};

/// Keeps who asked first, if `runs` has no place for it.
pub(super) async fn insert(connection: &mut Connection, run: Id, asker: &Asker) -> QueryResult<()> {
    diesel::insert_into(askers::table)
        .values(AskerRow::new(run, asker))
        .on_conflict((askers::run_id, askers::reply_queue, askers::correlation_id))
        .do_update()
        .set(askers::lang.eq(excluded(askers::lang)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Finds the run that this request has already, and keeps who asks for it now. Its end is announced once more if it was
/// already.
pub(super) async fn ask_again(
    connection: &mut Connection,
    request: RequestId,
    asker: Option<&Asker>,
) -> Result<Option<Filed>, Fault> {
    let heard = match asker {
        Some(asker) => hear(connection, request, asker).await?,
        None => true,
    };
    let run = runs::table.filter(runs::request_id.eq(Id(request.0))).select(RunRow::as_select());
    let run: Option<RunRow> = run.first(connection).await.optional()?;
    let filed = |run| Ok(Filed { run: Run::try_from(run)?, existed: true, heard });
    run.map(filed).transpose()
}

pub(super) async fn cancel(
    connection: &mut Connection,
    request: RequestId,
    asker: Option<&Asker>,
) -> Result<Option<Filed>, Fault> {
    let Some(filed) = ask_again(connection, request, asker).await? else { return Ok(None) };
    let run = run_rows::cancel(connection, filed.run.id).await?.unwrap_or_else(|| filed.run.clone());
    Ok(Some(Filed { run, ..filed }))
}

/// Whether there is room for whoever asks.
async fn hear(connection: &mut Connection, request: RequestId, asker: &Asker) -> Result<bool, Fault> {
    let of_request = runs::table.filter(runs::request_id.eq(Id(request.0)));
    let run: Vec<AskedRunRow> = locked!(of_request.select(AskedRunRow::as_select())).load(connection).await?;
    let Some(run) = run.into_iter().next() else { return Ok(true) };
    let alone = run.was_told_for_good()?;
    if alone {
        forget(connection, run.id).await?;
    }
    if alone || !run.has_first(asker) {
        if !has_room(connection, run.id, asker).await? {
            return Ok(false);
        }
        match asker.lang == Lang::En && (alone || run.has_no_first()) {
            true => make_first(connection, run.id, asker).await?,
            false => insert(connection, run.id, asker).await?,
        }
    }
    let again = (runs::announced_at.eq(None::<Moment>), runs::claimed_until.eq(None::<Moment>));
    diesel::update(runs::table.find(run.id)).set(again).execute(connection).await?;
    Ok(true)
}

/// Whether one more may wait for the report of this run, or waits already. The caller holds the row of the run, in which
/// one of them may stand.
async fn has_room(connection: &mut Connection, run: Id, asker: &Asker) -> Result<bool, Fault> {
    let row = AskerRow::new(run, asker);
    let same = askers::reply_queue.eq(row.reply_queue).and(askers::correlation_id.eq(row.correlation_id));
    let others = askers::table.filter(askers::run_id.eq(run).and(not(same)));
    let others: i64 = others.count().get_result(connection).await?;
    Ok(number::<usize, _>(others, "the number of askers")? + 1 < MOST_ASKERS)
}

async fn make_first(connection: &mut Connection, run: Id, asker: &Asker) -> QueryResult<()> {
    let to = &asker.reply_to;
    let first = (runs::reply_queue.eq(&to.queue), runs::correlation_id.eq(&to.correlation_id));
    diesel::update(runs::table.find(run)).set(first).execute(connection).await?;
    Ok(())
}

/// Forgets those who have their report.
async fn forget(connection: &mut Connection, run: Id) -> QueryResult<()> {
    diesel::delete(askers::table.filter(askers::run_id.eq(run))).execute(connection).await?;
    let nobody = (runs::reply_queue.eq(None::<String>), runs::correlation_id.eq(None::<String>));
    diesel::update(runs::table.find(run)).set(nobody).execute(connection).await?;
    Ok(())
}

/// Those who are told how a run ended, besides whoever stands in its row.
pub(super) async fn of_run(connection: &mut Connection, run: Id) -> Result<Vec<Asker>, Fault> {
    let rows = askers::table.filter(askers::run_id.eq(run)).select(AskerRow::as_select());
    let rows: Vec<AskerRow> = rows.load(connection).await?;
    rows.into_iter().map(AskerRow::asker).collect()
}
