//! What is written differently for SQLite: many rows at once come as one JSON text. Nothing is locked, because a
//! transaction that writes is alone.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use diesel::connection::SimpleConnection;
use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{AsExpression, SqlLiteral, UncheckedBind};
use diesel::prelude::{ExpressionMethods, QueryDsl, QueryResult, QueryableByName, SelectableHelper};
use diesel::sql_types::{BigInt, Bool, Date, Integer, Text};
use diesel::{SqliteConnection, SqliteExpressionMethods, sql_query};
use diesel_async::RunQueryDsl;
use linkbeat_shared::LinkFilter;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Connection;
use crate::error::Fault;
use crate::kept::Keep;
use crate::recording::{Counted, Read, RecordChanges, RunProgress, Written};
use crate::rows::{CheckRow, CountRow, DayRow, EndedTaskRow, HourRow, LinkRow};
use crate::schema::{checks, jobs, link_days, link_hours, links, runs, sql as types};
use crate::traits::{Count, HistoryStatus, Removed};
use crate::values::{Id, Moment, json};

/// All transactions wait for each other anyway.
pub(super) const EDITORS_WAIT: bool = false;
/// The condition that a link has the tag that is bound between the two.
pub(super) const HAS_TAG: [&str; 2] =
    ["EXISTS (SELECT 1 FROM json_each(links.attributes, '$.tags') AS tag WHERE tag.value = ", ")"];
/// The condition that a link's name or URL is like the pattern that is bound twice.
pub(super) const CONTAINS: [&str; 3] =
    ["(links.name LIKE ", " ESCAPE '\\' OR links.url_key LIKE ", " ESCAPE '\\')"];
/// The condition that a link was reached less often than the number that is bound between the two. `unlikely` makes SQLite
/// take the index, and not go through all links by their ids.
pub(super) const REACHED_BELOW: [&str; 2] = ["unlikely(coalesce(links.reachable, 10001) < ", ")"];
/// That runs check a link: nobody paused it, or its pause has ended.
pub(super) const ACTIVE: &str =
    "(links.active OR coalesce(links.paused_until <= strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), 0))";
/// The opposite, as a partial index serves it.
pub(super) const PAUSED: &str = "(NOT links.active AND (links.paused_until IS NULL OR links.paused_until > strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')))";
/// What links are sorted by, as the indexes have it.
pub(super) const VERDICT_KEY: &str = "coalesce(links.verdict, '~')";
pub(super) const REASON_KEY: &str = "coalesce(links.reason ->> 'type', '~')";
pub(super) const CERTIFICATE_END: &str = "(links.details ->> '$.certificate.expires_at')";

/// A query whose rows are held until the transaction ends, as all are here.
macro_rules! locked {
    ($query:expr) => {
        $query
    };
}
/// The same without those rows that somebody else holds: none are.
macro_rules! locked_if_free {
    ($query:expr) => {
        $query
    };
}
/// Inserts these rows, each by the same statement: it is prepared once, which one with a placeholder for each value of all
/// rows is not.
macro_rules! insert_all {
    ($connection:expr, $table:expr, $rows:expr) => {{
        let rows = $rows.to_vec();
        let insert = move |connection: &mut diesel::SqliteConnection| {
            rows.into_iter().try_fold(0, |inserted, row| {
                let insert = diesel::insert_into($table).values(row);
                Ok::<_, diesel::result::Error>(inserted + diesel::RunQueryDsl::execute(insert, connection)?)
            })
        };
        $connection.spawn_blocking(insert).await
    }};
}
/// Loads many rows as the thread of the connection reads them. diesel-async would copy each value first, because its callers may
/// be on another thread. For thousands of rows the copies take longer than the query.
macro_rules! load_many {
    ($connection:expr, $query:expr) => {{
        let query = $query;
        let load =
            move |connection: &mut diesel::SqliteConnection| diesel::RunQueryDsl::load(query, connection);
        $connection.spawn_blocking(load).await
    }};
}
pub(super) use {insert_all, load_many, locked, locked_if_free};

/// That a column holds one of these ids.
pub(super) type Among = SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, AsExprOf<String, Text>>>;

/// That `column` holds one of these ids.
pub(super) fn among(column: &str, ids: impl IntoIterator<Item = Id>) -> Among {
    let ids: Vec<Id> = ids.into_iter().collect();
    sql::<Bool>(&format!("{column} IN (SELECT unhex(value, '-') FROM json_each("))
        .bind::<Text, _>(json(&ids))
        .sql("))")
}

/// The checks of a link of runs before this one, those of the newest run first. Runs of few links list their checks by link,
/// and those of many are asked one after the other. Many are 256, as the migration `checks_by_run` has it.
pub(super) async fn checks_of_link(
    connection: &mut Connection,
    link: Id,
    before: Id,
    most: i64,
) -> Result<Vec<CheckRow>, Fault> {
    let select = sql_query(
        "WITH found AS (
             SELECT * FROM (SELECT run_id FROM checks_of_small_runs
                            WHERE link_id = ?1 AND run_id < ?2 ORDER BY run_id DESC LIMIT ?3)
             UNION ALL
             SELECT * FROM (SELECT r.id FROM runs r CROSS JOIN checks c ON c.run_id = r.id AND c.link_id = ?1
                            WHERE r.links >= 256 AND r.id < ?2 ORDER BY r.id DESC LIMIT ?3))
         SELECT c.run_id, c.link_id, c.checked_at, c.elapsed_ms, c.status, coalesce(p.outcome, c.outcome) AS outcome,
                c.reason, c.details
         FROM found CROSS JOIN checks c ON c.run_id = found.run_id AND c.link_id = ?1
         LEFT JOIN proposals p ON p.run_id = c.run_id AND p.link_id = c.link_id
         ORDER BY c.run_id DESC LIMIT ?3",
    );
    let select = select.bind::<types::Id, _>(link).bind::<types::Id, _>(before).bind::<BigInt, _>(most);
    Ok(select.load(connection).await?)
}

/// How many links there are. An index tells, so all of them are counted.
pub(super) async fn about_how_many_links(connection: &mut Connection) -> QueryResult<Count> {
    let all: i64 = links::table.count().get_result(connection).await?;
    Ok(Count::Exactly(all.unsigned_abs()))
}

#[expect(clippy::unused_async, reason = "a server is asked for it")]
pub(super) async fn now(_: &mut Connection) -> QueryResult<Moment> {
    Ok(Moment::now())
}

/// The same within a statement.
pub(super) fn clock() -> AsExprOf<Moment, types::Moment> {
    AsExpression::<types::Moment>::as_expression(Moment::now())
}

/// So long after that, within a statement.
pub(super) fn clock_in(length: Duration) -> AsExprOf<Moment, types::Moment> {
    AsExpression::<types::Moment>::as_expression(Moment(Moment::now().0 + length))
}

/// Those of these jobs that are stored, in the order of their ids.
pub(super) async fn lock_jobs(connection: &mut Connection, ids: &[Id]) -> QueryResult<Vec<Id>> {
    let rows = jobs::table.filter(among("jobs.id", ids.iter().copied())).order(jobs::id);
    rows.select(jobs::id).load(connection).await
}

/// Those of these links that are stored, in the order of their ids.
pub(super) async fn lock_links(connection: &mut Connection, ids: &[Id]) -> QueryResult<Vec<LinkRow>> {
    let rows = links::table.filter(among("links.id", ids.iter().copied())).order(links::id);
    load_many!(connection, rows.select(LinkRow::as_select()).kept())
}

#[expect(clippy::unused_async, reason = "others have to wait for it")]
pub(super) async fn lock_for_editing(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

/// All active links by host and id, page by page. Nobody changes them meanwhile.
pub(super) struct ActiveLinks {
    last: (String, Id),
}

impl ActiveLinks {
    #[expect(clippy::unused_async, reason = "others have to wait for it")]
    pub(super) async fn open(_: &mut Connection) -> QueryResult<Self> {
        Ok(Self { last: (String::new(), Id(Uuid::nil())) })
    }

    pub(super) async fn next(
        &mut self,
        connection: &mut Connection,
        limit: usize,
    ) -> QueryResult<Vec<LinkRow>> {
        // A row value is what the index on (host, id) serves.
        let (host, id) = self.last.clone();
        let rest =
            sql::<Bool>("(host, id) > (").bind::<Text, _>(host).sql(", ").bind::<types::Id, _>(id).sql(")");
        let page = links::table
            .filter(sql::<Bool>(ACTIVE))
            .filter(rest)
            .order((links::host, links::id))
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(LinkRow::as_select());
        let page: Vec<LinkRow> = load_many!(connection, page.kept())?;
        if let Some(last) = page.last() {
            self.last = (last.host.clone(), last.id);
        }
        Ok(page)
    }
}

#[expect(clippy::unused_async, reason = "others have to wait for it")]
pub(super) async fn lock_asker(_: &mut Connection, _: &str) -> QueryResult<()> {
    Ok(())
}

/// The stored links of these keys, and a moment before they were read.
pub(super) async fn links_of_keys_now(
    connection: &mut Connection,
    keys: &[&str],
) -> QueryResult<(Moment, Vec<LinkRow>)> {
    Ok((Moment::now(), links_of_keys(connection, keys).await?))
}

/// Claims tasks whose result is to be told, so long.
pub(super) async fn claim_ended_tasks(
    connection: &mut Connection,
    limit: i64,
    hold: Duration,
) -> QueryResult<Vec<EndedTaskRow>> {
    let now = Moment::now();
    let claim = sql_query(
        "UPDATE celery_tasks SET due_at = ?1 WHERE id IN (
             SELECT id FROM celery_tasks
             WHERE due_at <= ?2
               AND (state = 'ended' OR state = 'running' AND EXISTS (
                    SELECT 1 FROM runs WHERE runs.request_id = celery_tasks.request_id AND runs.state <> 'running'))
             ORDER BY due_at LIMIT ?3)
         RETURNING id, request_id, state, card, outcome, due_at, changed_at,
                   (SELECT runs.id FROM runs WHERE runs.request_id = celery_tasks.request_id) AS run",
    );
    let claim = claim.bind::<types::Moment, _>(Moment(now.0 + hold)).bind::<types::Moment, _>(now);
    claim.bind::<BigInt, _>(limit).kept().load(connection).await
}

/// The stored links of these keys.
pub(super) async fn links_of_keys(connection: &mut Connection, keys: &[&str]) -> QueryResult<Vec<LinkRow>> {
    let of_keys = sql_query("SELECT links.* FROM json_each(?) CROSS JOIN links ON url_key = value");
    of_keys.bind::<Text, _>(json(keys)).kept().load(connection).await
}

/// That an active link matches a filter: `?1` are its groups, `?2` its tags, as JSON.
const MATCHES: &str = "(?1 = '[]' OR group_name IN (SELECT value FROM json_each(?1)))
                       AND (?2 = '[]' OR EXISTS (SELECT 1 FROM json_each(attributes, '$.tags') AS tag
                                                 WHERE tag.value IN (SELECT value FROM json_each(?2))))";

/// How many active links match.
pub(super) async fn count_matching(connection: &mut Connection, filter: &LinkFilter) -> QueryResult<i64> {
    let count = sql_query(format!("SELECT count(*) AS count FROM links WHERE {ACTIVE} AND {MATCHES}"));
    let count = count
        .bind::<Text, _>(values(&filter.groups, |group| group.as_str().into()))
        .bind::<Text, _>(values(&filter.tags, |tag| tag.as_str().into()));
    count.get_result(connection).await.map(|row: CountRow| row.count)
}

/// Active links that match, in the order of host and id, those after this one.
pub(super) async fn matching_links(
    connection: &mut Connection,
    filter: &LinkFilter,
    (host, id): (&str, Id),
    limit: i64,
) -> QueryResult<Vec<LinkRow>> {
    let page = sql_query(format!(
        "SELECT links.* FROM links WHERE {ACTIVE} AND {MATCHES} AND (host, id) > (?3, ?4) ORDER BY host, id LIMIT ?5"
    ));
    let page = page
        .bind::<Text, _>(values(&filter.groups, |group| group.as_str().into()))
        .bind::<Text, _>(values(&filter.tags, |tag| tag.as_str().into()))
        .bind::<Text, _>(host)
        .bind::<types::Id, _>(id)
        .bind::<BigInt, _>(limit);
    page.load(connection).await
}

/// One statement for all.
pub(super) async fn insert_links(connection: &mut Connection, rows: &[LinkRow]) -> QueryResult<()> {
    let insert = sql_query(
        "INSERT INTO links (id, name, url, url_key, host, page_url, group_name, attributes, active, backlink, shown,
                            shown_since, pin, pin_note, paused_until)
         SELECT unhex(value ->> 0, '-'), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14
         FROM json_each(?)",
    );
    let rows = values(rows, |row| {
        json!([
            row.id,
            row.name,
            row.url,
            row.url_key,
            row.host,
            row.page_url,
            row.group_name,
            row.attributes,
            row.active,
            row.backlink,
            row.shown,
            row.shown_since,
            row.pin,
            row.pin_note,
            row.paused_until
        ])
    });
    insert.bind::<Text, _>(rows).kept().execute(connection).await.map(drop)
}

/// Writes what an import may change.
pub(super) async fn update_links(connection: &mut Connection, rows: &[LinkRow]) -> QueryResult<()> {
    let now = Moment::now();
    for row in rows {
        let changes = (row, links::updated_at.eq(now));
        diesel::update(links::table.find(row.id)).set(changes).kept().execute(connection).await?;
    }
    Ok(())
}

/// Writes what checks change. One statement for each row takes less time than to hand all rows to SQLite as JSON.
pub(super) async fn update_states(connection: &mut Connection, rows: &[LinkRow]) -> QueryResult<()> {
    let rows = rows.to_vec();
    let update = move |connection: &mut SqliteConnection| {
        rows.into_iter().try_for_each(|row| {
            // A verdict of now is another one than before.
            let may_be_as_before = row.verdict_since != row.last_checked_at;
            if may_be_as_before && update_check(connection, &row)? {
                return Ok(());
            }
            update_state(connection, row)
        })
    };
    connection.spawn_blocking(update).await
}

/// Writes only what each check changes, if all else is as stored. It returns whether it was. SQLite would write the indexes
/// anew of each column that an update names, though its value is the same.
fn update_check(connection: &mut SqliteConnection, row: &LinkRow) -> QueryResult<bool> {
    let as_before = links::table
        .find(row.id)
        .filter(links::shown.eq(row.shown))
        .filter(links::shown_since.eq(row.shown_since))
        .filter(links::hidden_reason.is(&row.hidden_reason))
        .filter(links::verdict.is(&row.verdict))
        .filter(links::verdict_since.is(row.verdict_since))
        .filter(links::reason.is(&row.reason))
        .filter(links::details.is(&row.details));
    let check = (
        links::status.eq(row.status),
        links::elapsed_ms.eq(row.elapsed_ms),
        links::phases.eq(&row.phases),
        links::last_checked_at.eq(row.last_checked_at),
        links::last_run_id.eq(row.last_run_id),
        links::last_run_seq.eq(row.last_run_seq),
        links::passed_in_a_row.eq(row.passed_in_a_row),
        links::failed_in_a_row.eq(row.failed_in_a_row),
    );
    diesel::update(as_before).set(check).kept_edit().carry_out(connection)?;
    let updated: i32 =
        diesel::RunQueryDsl::get_result(diesel::select(sql::<Integer>("changes()")).kept(), connection)?;
    Ok(updated > 0)
}

/// Writes all that a check may change.
fn update_state(connection: &mut SqliteConnection, row: LinkRow) -> QueryResult<()> {
    let state = (
        links::shown.eq(row.shown),
        links::shown_since.eq(row.shown_since),
        links::hidden_reason.eq(row.hidden_reason),
        links::verdict.eq(row.verdict),
        links::verdict_since.eq(row.verdict_since),
        links::reason.eq(row.reason),
        links::status.eq(row.status),
        links::elapsed_ms.eq(row.elapsed_ms),
        links::details.eq(row.details),
        links::phases.eq(row.phases),
        links::last_checked_at.eq(row.last_checked_at),
        links::last_run_id.eq(row.last_run_id),
        links::last_run_seq.eq(row.last_run_seq),
        links::passed_in_a_row.eq(row.passed_in_a_row),
        links::failed_in_a_row.eq(row.failed_in_a_row),
    );
    diesel::update(links::table.find(row.id)).set(state).kept_edit().carry_out(connection)
}

/// The checks of these (run, link) pairs that were recorded before.
pub(super) async fn checks_of(connection: &mut Connection, pairs: &[(Id, Id)]) -> QueryResult<Vec<CheckRow>> {
    let select = sql_query(
        "SELECT checks.* FROM json_each(?)
         CROSS JOIN checks ON run_id = unhex(value ->> 0, '-') AND link_id = unhex(value ->> 1, '-')",
    );
    select.bind::<Text, _>(json(pairs)).kept().load(connection).await
}

/// Those of these runs whose checks were dropped.
pub(super) async fn dropped_runs(
    connection: &mut Connection,
    of: impl IntoIterator<Item = Id>,
) -> QueryResult<Vec<Id>> {
    let dropped =
        runs::table.filter(among("runs.id", of)).filter(sql::<Bool>("history IN ('dropping', 'dropped')"));
    dropped.select(runs::id).load(connection).await
}

pub(super) async fn insert_checks(connection: &mut Connection, rows: &[CheckRow]) -> QueryResult<usize> {
    insert_all!(connection, checks::table, rows)
}

/// Adds to each job so many links with a result. Results are a sign of life: a large job of a slow host, which comes in
/// parts, is not taken for lost.
pub(super) async fn add_to_jobs(
    connection: &mut Connection,
    fresh: &BTreeMap<Id, i64>,
    now: Moment,
) -> QueryResult<()> {
    let update = sql_query(
        "UPDATE jobs SET links_done = links_done + fresh.value,
                published_at = ?,
                state = iif(links_done + fresh.value >= links_count, 'done', state),
                body = iif(links_done + fresh.value >= links_count, NULL, body)
         FROM json_each(?) AS fresh
         WHERE jobs.id = unhex(fresh.key, '-')",
    );
    let update = update.bind::<types::Moment, _>(now).bind::<Text, _>(json(fresh));
    update.kept().execute(connection).await.map(drop)
}

/// Adds to the counts of each run, and returns those that have a result for each link now, or a parked job.
pub(super) async fn add_to_runs(
    connection: &mut Connection,
    runs: &BTreeMap<Id, RunProgress>,
    now: Moment,
) -> QueryResult<Counted> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = types::Id)]
        id: Id,
        #[diesel(sql_type = Bool)]
        complete: bool,
        #[diesel(sql_type = Bool)]
        begun: bool,
    }
    let update = sql_query(
        "UPDATE runs SET done = done + (t.value ->> 'done'), parked = parked + (t.value ->> 'parked'),
                up = up + (t.value ->> 'up'), down = down + (t.value ->> 'down'),
                no_backlink = no_backlink + (t.value ->> 'no_backlink'), blocked = blocked + (t.value ->> 'blocked'),
                refused = refused + (t.value ->> 'refused'), white_listed = white_listed + (t.value ->> 'white_listed'),
                reused = reused + (t.value ->> 'reused'),
                to_not_show = to_not_show + (t.value ->> 'to_not_show'), to_show = to_show + (t.value ->> 'to_show'),
                would_hide = would_hide + (t.value ->> 'would_hide'), would_show = would_show + (t.value ->> 'would_show'),
                untold = untold + (t.value ->> 'untold'),
                last_result_at = iif(t.value ->> 'done' > 0, ?, last_result_at)
         FROM json_each(?) AS t
         WHERE runs.id = unhex(t.value ->> 'id', '-')
         RETURNING id, done + parked >= links AS complete, history <> 'raw' AS begun",
    );
    let more: Vec<Value> = runs.iter().map(|(id, progress)| progress.json(*id)).collect();
    let update = update.bind::<types::Moment, _>(now).bind::<Text, _>(json(&more));
    let rows: Vec<Row> = update.kept().load(connection).await?;
    let of = |wanted: fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).map(|row| row.id).collect();
    Ok(Counted { complete: of(|row| row.complete), begun: of(|row| row.begun) })
}

/// What is stored of these links and their runs.
pub(super) async fn read_for_batch(
    connection: &mut Connection,
    links: &[Id],
    pairs: &[(Id, Id)],
    runs: impl IntoIterator<Item = Id>,
) -> QueryResult<Read> {
    let links = lock_links(connection, links).await?;
    let checks = checks_of(connection, pairs).await?;
    let dropped = dropped_runs(connection, runs).await?;
    Ok(Read { links, checks, dropped, now: now(connection).await? })
}

/// Writes what a batch changes.
pub(super) async fn write_batch(
    connection: &mut Connection,
    changes: &RecordChanges,
    now: Moment,
) -> QueryResult<Written> {
    let checks = insert_checks(connection, &changes.checks).await?;
    update_states(connection, &changes.links).await?;
    add_to_jobs(connection, &changes.jobs, now).await?;
    let runs = add_to_runs(connection, &changes.runs, now).await?;
    Ok(Written { checks, runs })
}

/// There are no partitions here.
#[expect(clippy::unused_async, reason = "a server makes some")]
pub(super) async fn make_partitions(_: &mut Connection) -> Result<u32, crate::error::Fault> {
    Ok(0)
}

/// Adds these days, or puts them in the place of the stored ones.
pub(super) async fn put_days(connection: &mut Connection, rows: &[DayRow]) -> QueryResult<()> {
    let rows = rows.to_vec();
    let put = move |connection: &mut SqliteConnection| {
        rows.into_iter().try_for_each(|row| {
            let put = diesel::replace_into(link_days::table).values(row);
            diesel::RunQueryDsl::execute(put, connection).map(drop)
        })
    };
    connection.spawn_blocking(put).await
}

/// The same for hours.
pub(super) async fn put_hours(connection: &mut Connection, rows: &[HourRow]) -> QueryResult<()> {
    let rows = rows.to_vec();
    let put = move |connection: &mut SqliteConnection| {
        rows.into_iter().try_for_each(|row| {
            let put = diesel::replace_into(link_hours::table).values(row);
            diesel::RunQueryDsl::execute(put, connection).map(drop)
        })
    };
    connection.spawn_blocking(put).await
}

/// Removes hours before this one. Returns whether there were any.
pub(super) async fn delete_old_hours(
    connection: &mut Connection,
    before: i32,
    most: i32,
) -> Result<u64, Fault> {
    let delete = sql_query(
        "DELETE FROM link_hours WHERE (link_id, hour) IN
             (SELECT link_id, hour FROM link_hours WHERE hour < ? LIMIT ?)",
    );
    let gone = delete.bind::<Integer, _>(before).bind::<Integer, _>(most).execute(connection).await?;
    Ok(gone as u64)
}

/// The runs whose remains are removed in one step.
const DROPPING: &str = "SELECT id FROM runs WHERE history = 'dropping' ORDER BY id LIMIT 100";

/// Removes what runs before this one found, with their jobs. Returns whether there was anything.
pub(super) async fn drop_old_checks(
    connection: &mut Connection,
    before: Id,
    most: i32,
) -> Result<Option<Removed>, Fault> {
    let mark = sql_query(
        "UPDATE runs SET history = 'dropping' WHERE id IN (
             SELECT r.id FROM runs r
             WHERE r.history = 'rolled' AND r.id < ? AND r.state NOT IN ('running', 'held_back')
               AND NOT EXISTS (SELECT 1 FROM late_checks c WHERE c.run_id = r.id)
             ORDER BY r.id LIMIT ?)",
    );
    let mut gone = mark.bind::<types::Id, _>(before).bind::<Integer, _>(most).execute(connection).await?;
    let mut checks = 0;
    for (place, rows) in [
        format!(
            "checks WHERE (run_id, link_id) IN (SELECT run_id, link_id FROM checks WHERE run_id IN ({DROPPING}) LIMIT ?)"
        ),
        format!(
            "proposals WHERE (run_id, link_id) IN (SELECT run_id, link_id FROM proposals WHERE run_id IN ({DROPPING}) LIMIT ?)"
        ),
        format!(
            "parkings WHERE notice_id IN (SELECT p.notice_id FROM jobs j JOIN parkings p ON p.job_id = j.id
                                          WHERE j.run_id IN ({DROPPING}) LIMIT ?)"
        ),
        format!(
            "jobs WHERE id IN (SELECT j.id FROM jobs j WHERE j.run_id IN ({DROPPING})
                               AND NOT EXISTS (SELECT 1 FROM parkings p WHERE p.job_id = j.id) LIMIT ?)"
        ),
    ]
    .iter()
    .enumerate()
    {
        let delete = sql_query(format!("DELETE FROM {rows}"));
        let rows = delete.bind::<Integer, _>(most).execute(connection).await?;
        gone += rows;
        // The first of them.
        checks += if place == 0 { rows as u64 } else { 0 };
    }
    sql_query(format!("DELETE FROM alike WHERE run_id IN ({DROPPING})")).execute(connection).await?;
    let done = sql_query(format!(
        "UPDATE runs SET history = 'dropped' WHERE id IN ({DROPPING})
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.run_id = runs.id)
            AND NOT EXISTS (SELECT 1 FROM proposals p WHERE p.run_id = runs.id)
            AND NOT EXISTS (SELECT 1 FROM checks c WHERE c.run_id = runs.id)"
    ));
    gone += done.execute(connection).await?;
    Ok((gone > 0).then(|| Removed { checks, ..Removed::default() }))
}

/// Removes runs before this one of which only the counts are left. Returns whether there were any.
pub(super) async fn delete_old_runs(
    connection: &mut Connection,
    before: Id,
    most: i32,
) -> Result<u64, Fault> {
    let delete = sql_query(
        "DELETE FROM runs WHERE id IN (
             SELECT id FROM runs WHERE history = 'dropped' AND id < ? AND state NOT IN ('running', 'held_back')
             ORDER BY id LIMIT ?)",
    );
    let gone = delete.bind::<types::Id, _>(before).bind::<Integer, _>(most).execute(connection).await?;
    Ok(gone as u64)
}

/// Keeps with each of the next links how reachable it was from this day on. Returns the last of them.
pub(super) async fn keep_reachable(
    connection: &mut Connection,
    after: Id,
    from: NaiveDate,
    limit: i64,
) -> QueryResult<Option<Id>> {
    let page = links::table.filter(links::id.gt(after)).order(links::id).limit(limit).select(links::id);
    let page: Vec<Id> = page.load(connection).await?;
    let Some(last) = page.last() else { return Ok(None) };
    let keep = sql_query(
        "UPDATE links SET reachable = seen.reachable
         FROM (SELECT page.id,
                      (SELECT 10000 * sum(coalesce(d.up, 0) + coalesce(d.no_backlink, 0))
                              / nullif(sum(coalesce(d.up, 0) + coalesce(d.down, 0) + coalesce(d.no_backlink, 0)), 0)
                       FROM link_days d WHERE d.link_id = page.id AND d.day >= ?2) AS reachable
               FROM (SELECT id FROM links WHERE id > ?1 AND id <= ?3) AS page) AS seen
         WHERE links.id = seen.id AND links.reachable IS NOT seen.reachable",
    );
    let keep = keep.bind::<types::Id, _>(after).bind::<Date, _>(from).bind::<types::Id, _>(*last);
    keep.execute(connection).await?;
    Ok(Some(*last))
}

/// Gives some of the pages that hold nothing back to the disk. Returns whether there were more than a few. In a file that
/// was made without `auto_vacuum` they are only used again.
pub(super) async fn give_room_back(connection: &mut Connection) -> Result<bool, Fault> {
    const PAGES: i64 = 500;
    let pragma = |name: &str| sql::<BigInt>(&format!("(SELECT {name} FROM pragma_{name})"));
    let incremental: i64 = diesel::select(pragma("auto_vacuum")).get_result(connection).await?;
    let free: i64 = diesel::select(pragma("freelist_count")).get_result(connection).await?;
    if incremental != 2 || free <= PAGES {
        return Ok(false);
    }
    let vacuum = format!("PRAGMA incremental_vacuum({PAGES})");
    connection.spawn_blocking(move |connection| connection.batch_execute(&vacuum)).await?;
    Ok(true)
}

/// Notes how links are spread over their indexes: the planner does not know it otherwise, and then reads all links of a
/// verdict where a host has one. Only some rows are looked at, so it takes milliseconds.
pub(super) async fn note_how_links_are_spread(connection: &mut Connection) -> QueryResult<()> {
    let note = "PRAGMA analysis_limit = 1000; ANALYZE links";
    connection.spawn_blocking(move |connection| connection.batch_execute(note)).await
}

/// How large the file is, and how much of it holds nothing.
pub(super) async fn sizes(connection: &mut Connection) -> Result<HistoryStatus, Fault> {
    let pages = |name: &str| {
        let bytes = format!("(SELECT {name} * page_size FROM pragma_{name}, pragma_page_size)");
        diesel::select(sql::<BigInt>(&bytes))
    };
    let database: i64 = pages("page_count").get_result(connection).await?;
    let free: i64 = pages("freelist_count").get_result(connection).await?;
    Ok(HistoryStatus {
        database_bytes: database.unsigned_abs(),
        free_bytes: Some(free.unsigned_abs()),
        ..HistoryStatus::default()
    })
}

/// These rows as one JSON text.
fn values<R>(rows: &[R], value: impl Fn(&R) -> Value) -> String {
    json(&rows.iter().map(value).collect::<Vec<_>>())
}
