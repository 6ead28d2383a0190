//! What is written differently for PostgreSQL: locks, many rows at once, and partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::pg::Pg;
use diesel::prelude::{ExpressionMethods, QueryDsl, QueryResult, QueryableByName, SelectableHelper};
use diesel::sql_query;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Date, Double, Integer, Jsonb, Nullable, SmallInt, Text, Uuid as PgUuid,
};
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use futures::future::{try_join, try_join3, try_join4};
use linkbeat_shared::LinkFilter;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Connection;
use crate::error::Fault;
use crate::kept::Keep;
use crate::recording::{Counted, Read, RecordChanges, RunProgress, Written};
use crate::rows::{CheckRow, CountRow, DayRow, EndedTaskRow, HourRow, LinkRow};
use crate::schema::{jobs, links, sql as types};
use crate::traits::{Count, HistoryStatus, PartitionStatus, Removed};
use crate::values::{Id, Moment};

/// The advisory lock under which links are added, edited and removed: "lblinks" in ASCII. Recorders go on
/// meanwhile; they write only what the checks made of a link.
const EDIT_LOCK: i64 = 0x6c_626c_696e_6b73;

/// Whoever edits links waits for others who do, until their transactions end.
pub(super) const EDITORS_WAIT: bool = true;
/// The condition that a link has the tag that is bound between the two.
pub(super) const HAS_TAG: [&str; 2] =
    ["links.attributes IS NOT NULL AND links.attributes -> 'tags' @> to_jsonb(", "::text)"];
/// The condition that a link's name or URL is like the pattern that is bound twice.
pub(super) const CONTAINS: [&str; 3] = ["(links.name ILIKE ", " OR links.url_key ILIKE ", ")"];
/// The condition that a link was reached less often than the number that is bound between the two.
pub(super) const REACHED_BELOW: [&str; 2] = ["coalesce(links.reachable, 10001) < ", ""];
/// That runs check a link: nobody paused it, or its pause has ended.
pub(super) const ACTIVE: &str = "(links.active OR coalesce(links.paused_until <= now(), false))";
/// The opposite, as a partial index serves it.
pub(super) const PAUSED: &str =
    "(NOT links.active AND (links.paused_until IS NULL OR links.paused_until > now()))";
/// What links are sorted by, as the indexes have it.
pub(super) const VERDICT_KEY: &str = "coalesce(links.verdict, '~') COLLATE \"C\"";
pub(super) const REASON_KEY: &str = "coalesce(links.reason ->> 'type', '~') COLLATE \"C\"";
pub(super) const CERTIFICATE_END: &str = "(links.details #>> '{certificate,expires_at}') COLLATE \"C\"";

/// A connection, or one that several share at the same time. Then their statements wait for one round trip together.
pub(super) trait Postgres: AsyncConnectionCore<Backend = Pg> + Send {}
impl<C: AsyncConnectionCore<Backend = Pg> + Send> Postgres for C {}

/// A query whose rows are held until the transaction ends.
macro_rules! locked {
    ($query:expr) => {
        $query.for_update()
    };
}
/// The same without those rows that somebody else holds.
macro_rules! locked_if_free {
    ($query:expr) => {
        $query.for_update().skip_locked()
    };
}
/// Loads many rows.
macro_rules! load_many {
    ($connection:expr, $query:expr) => {
        $query.load($connection).await
    };
}
/// Inserts these rows in one statement. The one for a single row is kept.
macro_rules! insert_all {
    ($connection:expr, $table:expr, $rows:expr) => {{
        let insert = diesel::insert_into($table).values($rows);
        match $rows.len() {
            1 => crate::kept::Keep::kept(insert).execute($connection).await,
            _ => insert.execute($connection).await,
        }
    }};
}
pub(super) use {insert_all, load_many, locked, locked_if_free};

/// That a column holds one of these ids.
pub(super) type Among = SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, AsExprOf<Vec<Uuid>, Array<PgUuid>>>>;

/// That `column` holds one of these ids.
pub(super) fn among(column: &str, ids: impl IntoIterator<Item = Id>) -> Among {
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
    sql::<Bool>(&format!("{column} = ANY (")).bind::<Array<PgUuid>, _>(ids).sql(")")
}

pub(super) use super::checks_of_link::checks_of_link;

/// How many links there are, as the server last counted them.
pub(super) async fn about_how_many_links(connection: &mut Connection) -> QueryResult<Count> {
    let about = "SELECT greatest(reltuples, 0)::bigint AS count FROM pg_class WHERE oid = 'links'::regclass";
    let about: CountRow = sql_query(about).kept().get_result(connection).await?;
    Ok(Count::About(about.count.unsigned_abs()))
}

/// The moment by the clock of the server: that of this machine may be off.
pub(super) async fn now(connection: &mut impl Postgres) -> QueryResult<Moment> {
    diesel::select(sql::<types::Moment>("clock_timestamp()")).kept().get_result(connection).await
}

/// The same within a statement.
pub(super) fn clock() -> SqlLiteral<types::Moment> {
    sql("clock_timestamp()")
}

/// So long after that, within a statement.
pub(super) fn clock_in(
    length: Duration,
) -> SqlLiteral<types::Moment, UncheckedBind<SqlLiteral<types::Moment>, AsExprOf<f64, Double>>> {
    sql("clock_timestamp() + make_interval(secs => ").bind::<Double, _>(length.as_secs_f64()).sql(")")
}

/// Holds those of these jobs that are stored, in the order of their ids, until the transaction ends.
pub(super) async fn lock_jobs(connection: &mut Connection, ids: &[Id]) -> QueryResult<Vec<Id>> {
    let rows = jobs::table.filter(jobs::id.eq_any(ids)).order(jobs::id).select(jobs::id);
    rows.for_update().load(connection).await
}

/// Holds those of these links that are stored, in the order of their ids, until the transaction ends.
pub(super) async fn lock_links(connection: &mut impl Postgres, ids: &[Id]) -> QueryResult<Vec<LinkRow>> {
    let rows = links::table.filter(links::id.eq_any(ids)).order(links::id);
    rows.select(LinkRow::as_select()).for_update().load(connection).await
}

/// Waits until nobody else edits links, and keeps others from it until the transaction ends.
pub(super) async fn lock_for_editing(connection: &mut Connection) -> QueryResult<()> {
    let lock = sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(EDIT_LOCK);
    lock.kept().execute(connection).await.map(drop)
}

/// All active links by host and id, page by page, as they were when it was opened: nobody's change moves a link to a later
/// page. It ends with the transaction.
pub(super) struct ActiveLinks;

impl ActiveLinks {
    pub(super) async fn open(connection: &mut Connection) -> QueryResult<Self> {
        let open = format!(
            "DECLARE active_links NO SCROLL CURSOR FOR SELECT * FROM links WHERE {ACTIVE} ORDER BY host, id"
        );
        sql_query(open).execute(connection).await.map(|_| Self)
    }

    pub(super) async fn next(
        &mut self,
        connection: &mut Connection,
        limit: usize,
    ) -> QueryResult<Vec<LinkRow>> {
        sql_query(format!("FETCH {limit} FROM active_links")).load(connection).await
    }
}

/// Claims tasks whose result is to be told, so long, in one statement.
pub(super) async fn claim_ended_tasks(
    connection: &mut Connection,
    limit: i64,
    hold: Duration,
) -> QueryResult<Vec<EndedTaskRow>> {
    let claim = sql_query(
        "WITH ended AS MATERIALIZED (
             SELECT id FROM celery_tasks
             WHERE due_at <= statement_timestamp()
               AND (state = 'ended' OR state = 'running' AND EXISTS (
                    SELECT 1 FROM runs WHERE runs.request_id = celery_tasks.request_id AND runs.state <> 'running'))
             ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         UPDATE celery_tasks AS task SET due_at = clock_timestamp() + make_interval(secs => $2)
         FROM ended WHERE task.id = ended.id
         RETURNING task.id, request_id, state, card, outcome, due_at, changed_at,
                   (SELECT runs.id FROM runs WHERE runs.request_id = task.request_id) AS run",
    );
    let claim = claim.bind::<BigInt, _>(limit).bind::<Double, _>(hold.as_secs_f64());
    claim.kept().load(connection).await
}

/// Keeps others from filing for the same asker until the transaction ends.
pub(super) async fn lock_asker(connection: &mut Connection, asker: &str) -> QueryResult<()> {
    let lock = sql_query("SELECT pg_advisory_xact_lock(hashtextextended('linkbeat asker ' || $1, 0))");
    lock.bind::<Text, _>(asker).execute(connection).await.map(drop)
}

/// The stored links of these keys, and a moment before they were read, in one round trip.
pub(super) async fn links_of_keys_now(
    connection: &mut Connection,
    keys: &[&str],
) -> QueryResult<(Moment, Vec<LinkRow>)> {
    let (mut asking, mut reading) = (&*connection, &*connection);
    try_join(now(&mut asking), links_of_keys(&mut reading, keys)).await
}

/// The stored links of these keys.
pub(super) async fn links_of_keys(
    connection: &mut impl Postgres,
    keys: &[&str],
) -> QueryResult<Vec<LinkRow>> {
    // A join: for `= ANY` a hash index compares each row it finds with each key.
    let of_keys = sql::<Bool>("url_key IN (SELECT unnest(").bind::<Array<Text>, _>(keys).sql("))");
    links::table.filter(of_keys).select(LinkRow::as_select()).kept().load(connection).await
}

/// That an active link matches a filter: `$1` are its groups, `$2` its tags.
const MATCHES: &str = "(cardinality($1) = 0 OR group_name = ANY ($1))
                       AND (cardinality($2) = 0 OR attributes -> 'tags' ?| $2)";

/// How many active links match.
pub(super) async fn count_matching(connection: &mut Connection, filter: &LinkFilter) -> QueryResult<i64> {
    let count = sql_query(format!("SELECT count(*) AS count FROM links WHERE {ACTIVE} AND {MATCHES}"));
    let count = count
        .bind::<Array<Text>, _>(column(&filter.groups, |group| group.as_str()))
        .bind::<Array<Text>, _>(column(&filter.tags, |tag| tag.as_str()));
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
        "SELECT links.* FROM links WHERE {ACTIVE} AND {MATCHES} AND (host, id) > ($3, $4) ORDER BY host, id LIMIT $5"
    ));
    let page = page
        .bind::<Array<Text>, _>(column(&filter.groups, |group| group.as_str()))
        .bind::<Array<Text>, _>(column(&filter.tags, |tag| tag.as_str()))
        .bind::<Text, _>(host)
        .bind::<types::Id, _>(id)
        .bind::<BigInt, _>(limit);
    page.load(connection).await
}

pub(super) async fn insert_links(connection: &mut Connection, rows: &[LinkRow]) -> QueryResult<()> {
    let insert = sql_query(
        "INSERT INTO links (id, name, url, url_key, host, page_url, group_name, attributes, active, backlink, shown,
                            shown_since, pin, pin_note, paused_until)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    );
    insert
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.id.0))
        .bind::<Array<Text>, _>(column(rows, |row| &row.name))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url_key))
        .bind::<Array<Text>, _>(column(rows, |row| &row.host))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.page_url.as_ref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.group_name.as_ref()))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.attributes.as_ref()))
        .bind::<Array<Bool>, _>(column(rows, |row| row.active))
        .bind::<Array<Bool>, _>(column(rows, |row| row.backlink))
        .bind::<Array<Bool>, _>(column(rows, |row| row.shown))
        .bind::<Array<types::Moment>, _>(column(rows, |row| row.shown_since))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.pin.as_ref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.pin_note.as_ref()))
        .bind::<Array<Nullable<types::Moment>>, _>(column(rows, |row| row.paused_until))
        .kept()
        .execute(connection)
        .await
        .map(drop)
}

/// Writes what an import may change, and leaves alone what checks do. The caller has locked these links.
pub(super) async fn update_links(connection: &mut Connection, rows: &[LinkRow]) -> QueryResult<()> {
    let update = sql_query(
        "UPDATE links SET name = t.name, url = t.url, host = t.host, page_url = t.page_url,
                group_name = t.group_name, attributes = t.attributes,
                active = t.active, backlink = t.backlink, paused_until = t.paused_until,
                updated_at = clock_timestamp()
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
              AS t (id, name, url, host, page_url, group_name, attributes, active, backlink, paused_until)
         WHERE links.id = t.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.id.0))
        .bind::<Array<Text>, _>(column(rows, |row| &row.name))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url))
        .bind::<Array<Text>, _>(column(rows, |row| &row.host))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.page_url.as_ref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.group_name.as_ref()))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.attributes.as_ref()))
        .bind::<Array<Bool>, _>(column(rows, |row| row.active))
        .bind::<Array<Bool>, _>(column(rows, |row| row.backlink))
        .bind::<Array<Nullable<types::Moment>>, _>(column(rows, |row| row.paused_until))
        .kept()
        .execute(connection)
        .await
        .map(drop)
}

/// Writes what checks change, and leaves alone what imports do.
pub(super) async fn update_states(connection: &mut impl Postgres, rows: &[LinkRow]) -> QueryResult<()> {
    let update = sql_query(
        "UPDATE links SET shown = t.shown, shown_since = t.shown_since, hidden_reason = t.hidden_reason,
                verdict = t.verdict, verdict_since = t.verdict_since, reason = t.reason,
                status = t.status, elapsed_ms = t.elapsed_ms, details = t.details, phases = t.phases,
                last_checked_at = t.last_checked_at,
                last_run_id = t.last_run_id, last_run_seq = t.last_run_seq,
                passed_in_a_row = t.passed_in_a_row, failed_in_a_row = t.failed_in_a_row
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
              AS t (id, shown, shown_since, hidden_reason, verdict, verdict_since, reason, status, elapsed_ms, details,
                    last_checked_at, last_run_id, last_run_seq, passed_in_a_row, failed_in_a_row, phases)
         WHERE links.id = t.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.id.0))
        .bind::<Array<Bool>, _>(column(rows, |row| row.shown))
        .bind::<Array<types::Moment>, _>(column(rows, |row| row.shown_since))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.hidden_reason.as_ref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.verdict.as_ref()))
        .bind::<Array<Nullable<types::Moment>>, _>(column(rows, |row| row.verdict_since))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.reason.as_ref()))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.status))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.elapsed_ms))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.details.as_ref()))
        .bind::<Array<Nullable<types::Moment>>, _>(column(rows, |row| row.last_checked_at))
        .bind::<Array<Nullable<types::Id>>, _>(column(rows, |row| row.last_run_id))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.last_run_seq))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.passed_in_a_row))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.failed_in_a_row))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.phases.as_ref()))
        .kept()
        .execute(connection)
        .await
        .map(drop)
}

/// The checks of these (run, link) pairs that were recorded before.
pub(super) async fn checks_of(
    connection: &mut impl Postgres,
    pairs: &[(Id, Id)],
) -> QueryResult<Vec<CheckRow>> {
    let select = sql_query(
        "SELECT checks.checked_at, checks.run_id, checks.link_id, elapsed_ms, status, outcome, reason, details FROM checks
         JOIN unnest($1, $2) AS t (run_id, link_id) ON checks.run_id = t.run_id AND checks.link_id = t.link_id",
    );
    select
        .bind::<Array<PgUuid>, _>(column(pairs, |(run, _)| run.0))
        .bind::<Array<PgUuid>, _>(column(pairs, |(_, link)| link.0))
        .kept()
        .load(connection)
        .await
}

/// Those of these runs whose checks were dropped: their partition was made and is no longer attached, or they lay in none.
pub(super) async fn dropped_runs(
    connection: &mut impl Postgres,
    runs: impl IntoIterator<Item = Id>,
) -> QueryResult<Vec<Id>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = PgUuid)]
        run_id: Uuid,
    }
    let runs: Vec<Uuid> = runs.into_iter().map(|run| run.0).collect();
    let select = sql_query(
        "SELECT run_id FROM unnest($1) AS t (run_id)
         JOIN checks_partitions made ON made.from_run <= run_id AND run_id < made.to_run
         WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'checks'::regclass
                                                      AND inhrelid = to_regclass(made.name))
         UNION SELECT run_id FROM unnest($1) AS t (run_id)
         JOIN runs ON runs.id = run_id AND runs.history IN ('dropping', 'dropped')",
    );
    let rows: Vec<Row> = select.bind::<Array<PgUuid>, _>(runs).kept().load(connection).await?;
    Ok(rows.into_iter().map(|row| Id(row.run_id)).collect())
}

pub(super) async fn insert_checks(connection: &mut impl Postgres, rows: &[CheckRow]) -> QueryResult<usize> {
    let insert = sql_query(
        "INSERT INTO checks (checked_at, run_id, link_id, elapsed_ms, status, outcome, reason, details)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (run_id, link_id) DO NOTHING",
    );
    insert
        .bind::<Array<types::Moment>, _>(column(rows, |row| row.checked_at))
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.run_id.0))
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.link_id.0))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.elapsed_ms))
        .bind::<Array<Nullable<SmallInt>>, _>(column(rows, |row| row.status))
        .bind::<Array<SmallInt>, _>(column(rows, |row| row.outcome))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.reason.as_ref()))
        .bind::<Array<Nullable<types::Document>>, _>(column(rows, |row| row.details.as_ref()))
        .kept()
        .execute(connection)
        .await
}

/// Adds to each job so many links with a result. Results are a sign of life: a large job of a slow host, which comes in
/// parts, is not taken for lost.
pub(super) async fn add_to_jobs(
    connection: &mut impl Postgres,
    fresh: &BTreeMap<Id, i64>,
    now: Moment,
) -> QueryResult<()> {
    let update = sql_query(
        "UPDATE jobs SET links_done = links_done + fresh,
                published_at = $3,
                state = CASE WHEN links_done + fresh >= links_count THEN 'done' ELSE state END,
                body = CASE WHEN links_done + fresh >= links_count THEN NULL ELSE body END
         FROM unnest($1, $2) AS t (id, fresh)
         WHERE jobs.id = t.id",
    );
    update
        .bind::<Array<PgUuid>, _>(fresh.keys().map(|id| id.0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(fresh.values().copied().collect::<Vec<_>>())
        .bind::<types::Moment, _>(now)
        .kept()
        .execute(connection)
        .await
        .map(drop)
}

/// Adds to the counts of each run, and returns those that have a result for each link now, or a parked job. The runs are
/// held in the order of their ids.
pub(super) async fn add_to_runs(
    connection: &mut impl Postgres,
    runs: &BTreeMap<Id, RunProgress>,
    now: Moment,
) -> QueryResult<Counted> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = PgUuid)]
        id: Uuid,
        #[diesel(sql_type = Bool)]
        complete: bool,
        #[diesel(sql_type = Bool)]
        begun: bool,
    }
    let update = sql_query(
        "WITH more AS (SELECT * FROM jsonb_to_recordset($1) AS t (id uuid, done bigint, parked bigint,
                           up bigint, down bigint, no_backlink bigint, blocked bigint, refused bigint,
                           white_listed bigint, reused bigint, to_not_show bigint, to_show bigint, would_hide bigint,
                           would_show bigint, untold bigint)),
              held AS (SELECT id FROM runs WHERE id IN (SELECT id FROM more) ORDER BY id FOR NO KEY UPDATE)
         UPDATE runs SET done = runs.done + more.done, parked = runs.parked + more.parked,
                up = runs.up + more.up, down = runs.down + more.down,
                no_backlink = runs.no_backlink + more.no_backlink, blocked = runs.blocked + more.blocked,
                refused = runs.refused + more.refused, white_listed = runs.white_listed + more.white_listed,
                reused = runs.reused + more.reused,
                to_not_show = runs.to_not_show + more.to_not_show, to_show = runs.to_show + more.to_show,
                would_hide = runs.would_hide + more.would_hide, would_show = runs.would_show + more.would_show,
                untold = runs.untold + more.untold,
                last_result_at = CASE WHEN more.done > 0 THEN $2 ELSE last_result_at END
         FROM held JOIN more ON held.id = more.id
         WHERE runs.id = held.id
         RETURNING runs.id, runs.done + runs.parked >= runs.links AS complete, runs.history <> 'raw' AS begun",
    );
    let more: Vec<Value> = runs.iter().map(|(id, progress)| progress.json(*id)).collect();
    let update = update.bind::<Jsonb, _>(json!(more)).bind::<types::Moment, _>(now);
    let rows: Vec<Row> = update.kept().load(connection).await?;
    let of = |wanted: fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).map(|row| Id(row.id)).collect();
    Ok(Counted { complete: of(|row| row.complete), begun: of(|row| row.begun) })
}

/// Holds these links, and reads what is stored of them and their runs, in one round trip.
pub(super) async fn read_for_batch(
    connection: &mut Connection,
    links: &[Id],
    pairs: &[(Id, Id)],
    runs: impl IntoIterator<Item = Id>,
) -> QueryResult<Read> {
    let connection = &*connection;
    let checks = async {
        let mut reading = connection;
        let checks = checks_of(&mut reading, pairs).await?;
        // After that query, which keeps partitions from being dropped until this transaction ends.
        Ok((checks, dropped_runs(&mut reading, runs).await?))
    };
    let (mut locking, mut asking) = (connection, connection);
    let (links, (checks, dropped), now) =
        try_join3(lock_links(&mut locking, links), checks, now(&mut asking)).await?;
    Ok(Read { links, checks, dropped, now })
}

/// Writes what a batch changes, in one round trip.
pub(super) async fn write_batch(
    connection: &mut Connection,
    changes: &RecordChanges,
    now: Moment,
) -> QueryResult<Written> {
    let connection = &*connection;
    let (mut a, mut b, mut c, mut d) = (connection, connection, connection, connection);
    let (checks, (), (), runs) = try_join4(
        insert_checks(&mut a, &changes.checks),
        update_states(&mut b, &changes.links),
        add_to_jobs(&mut c, &changes.jobs, now),
        add_to_runs(&mut d, &changes.runs, now),
    )
    .await?;
    Ok(Written { checks, runs })
}

/// Makes the partitions of `checks` that lack; returns how many. The function has its owner's rights.
pub(super) async fn make_partitions(connection: &mut Connection) -> Result<u32, crate::error::Fault> {
    let made = diesel::select(sql::<Integer>("make_checks_partitions()"));
    let made: i32 = made.get_result(connection).await?;
    Ok(made.unsigned_abs())
}

/// Binds the columns of counts of these rows, in the order of the table.
macro_rules! bind_counts {
    ($statement:expr, $rows:expr) => {
        $statement
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.up))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.down))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.no_backlink))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.blocked))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.refused))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.white_listed))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.held_back))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.timeouts))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.p50_ms))
            .bind::<Array<Nullable<Integer>>, _>(column($rows, |row| row.p95_ms))
            .bind::<Array<Nullable<Binary>>, _>(column($rows, |row| row.latency.as_deref()))
    };
}

/// Adds these days, or puts them in the place of the stored ones.
pub(super) async fn put_days(connection: &mut Connection, rows: &[DayRow]) -> QueryResult<()> {
    let put = sql_query(
        "INSERT INTO link_days (link_id, day, zone, up, down, no_backlink, blocked, refused, white_listed, held_back,
                                timeouts, p50_ms, p95_ms, latency)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (link_id, day, zone) DO UPDATE SET up = excluded.up, down = excluded.down,
            no_backlink = excluded.no_backlink, blocked = excluded.blocked, refused = excluded.refused,
            white_listed = excluded.white_listed, held_back = excluded.held_back, timeouts = excluded.timeouts,
            p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms, latency = excluded.latency",
    );
    let put = put
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.link_id.0))
        .bind::<Array<Date>, _>(column(rows, |row| row.day))
        .bind::<Array<SmallInt>, _>(column(rows, |row| row.zone));
    bind_counts!(put, rows).kept().execute(connection).await.map(drop)
}

/// The same for hours.
pub(super) async fn put_hours(connection: &mut Connection, rows: &[HourRow]) -> QueryResult<()> {
    let put = sql_query(
        "INSERT INTO link_hours (link_id, hour, up, down, no_backlink, blocked, refused, white_listed, held_back,
                                 timeouts, p50_ms, p95_ms, latency)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (link_id, hour) DO UPDATE SET up = excluded.up, down = excluded.down,
            no_backlink = excluded.no_backlink, blocked = excluded.blocked, refused = excluded.refused,
            white_listed = excluded.white_listed, held_back = excluded.held_back, timeouts = excluded.timeouts,
            p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms, latency = excluded.latency",
    );
    let put = put
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.link_id.0))
        .bind::<Array<Integer>, _>(column(rows, |row| row.hour));
    bind_counts!(put, rows).kept().execute(connection).await.map(drop)
}

/// Removes hours before this one. Returns whether there were any.
pub(super) async fn delete_old_hours(
    connection: &mut Connection,
    before: i32,
    most: i32,
) -> Result<u64, Fault> {
    let delete = sql::<BigInt>("delete_old_hours(").bind::<Integer, _>(before);
    let delete = delete.sql(", ").bind::<Integer, _>(most).sql(")");
    let gone: i64 = diesel::select(delete).get_result(connection).await?;
    Ok(gone.unsigned_abs())
}

/// Drops a partition whose runs all come before this one, or removes what is left of runs whose checks are gone. Returns
/// whether there was anything.
pub(super) async fn drop_old_checks(
    connection: &mut Connection,
    before: Id,
    most: i32,
) -> Result<Option<Removed>, Fault> {
    let drop_one = sql::<Nullable<Text>>("drop_checks_partition(").bind::<PgUuid, _>(before.0).sql(")");
    let dropped: Option<String> = diesel::select(drop_one).get_result(connection).await?;
    if dropped.is_some() {
        return Ok(Some(Removed { weeks: 1, ..Removed::default() }));
    }
    let mark = sql_query(
        "UPDATE runs SET history = 'dropping' WHERE id IN (
             SELECT r.id FROM runs r
             WHERE r.history = 'rolled' AND r.id < $1 AND r.state NOT IN ('running', 'held_back')
               AND NOT EXISTS (SELECT FROM late_checks c WHERE c.run_id = r.id)
               AND NOT EXISTS (
                   SELECT FROM checks_partitions p
                   JOIN pg_inherits i ON i.inhparent = 'checks'::regclass AND i.inhrelid = to_regclass(p.name)
                   WHERE p.from_run <= r.id AND r.id < p.to_run)
             ORDER BY r.id LIMIT $2)",
    );
    let marked = mark.bind::<PgUuid, _>(before.0).bind::<Integer, _>(most).execute(connection).await?;
    let clean = sql::<BigInt>("clean_dropped_runs(").bind::<Integer, _>(most).sql(")");
    let cleaned: i64 = diesel::select(clean).get_result(connection).await?;
    Ok((marked > 0 || cleaned > 0).then(Removed::default))
}

/// Removes runs before this one of which only the counts are left. Returns whether there were any.
pub(super) async fn delete_old_runs(
    connection: &mut Connection,
    before: Id,
    most: i32,
) -> Result<u64, Fault> {
    let delete = sql::<BigInt>("delete_old_runs(").bind::<PgUuid, _>(before.0);
    let delete = delete.sql(", ").bind::<Integer, _>(most).sql(")");
    let gone: i64 = diesel::select(delete).get_result(connection).await?;
    Ok(gone.unsigned_abs())
}

/// Keeps with each of the next links how reachable it was from this day on. Returns the last of them. A link that somebody
/// else holds at this moment has its turn in the next pass.
pub(super) async fn keep_reachable(
    connection: &mut Connection,
    after: Id,
    from: NaiveDate,
    limit: i64,
) -> QueryResult<Option<Id>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = types::Id)]
        id: Id,
    }
    let keep = sql_query(
        "WITH page AS MATERIALIZED (SELECT id FROM links WHERE id > $1 ORDER BY id LIMIT $3),
              seen AS MATERIALIZED (
                SELECT page.id,
                       (SELECT 10000 * sum(coalesce(d.up, 0) + coalesce(d.no_backlink, 0))
                              / nullif(sum(coalesce(d.up, 0) + coalesce(d.down, 0) + coalesce(d.no_backlink, 0)), 0)
                       FROM link_days d WHERE d.link_id = page.id AND d.day >= $2)::integer AS reachable
                FROM page),
              held AS MATERIALIZED (
                SELECT l.id FROM links l JOIN seen ON seen.id = l.id
                WHERE l.reachable IS DISTINCT FROM seen.reachable ORDER BY l.id FOR UPDATE OF l SKIP LOCKED),
              kept AS (
                UPDATE links SET reachable = seen.reachable FROM seen JOIN held ON held.id = seen.id
                WHERE links.id = seen.id)
         SELECT id FROM page ORDER BY id DESC LIMIT 1",
    );
    let keep = keep.bind::<PgUuid, _>(after.0).bind::<Date, _>(from).bind::<BigInt, _>(limit);
    let last: Vec<Row> = keep.kept().load(connection).await?;
    Ok(last.into_iter().next().map(|row| row.id))
}

/// A server gives room back by itself.
#[expect(clippy::unused_async, reason = "SQLite is asked for it")]
pub(super) async fn give_room_back(_: &mut Connection) -> Result<bool, Fault> {
    Ok(false)
}

/// The server notes by itself how links are spread over their indexes.
#[expect(clippy::unused_async, reason = "SQLite is asked for it")]
pub(super) async fn note_how_links_are_spread(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

/// How large the tables of history are, and which partitions there are.
pub(super) async fn sizes(connection: &mut Connection) -> Result<HistoryStatus, Fault> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        database: i64,
        #[diesel(sql_type = BigInt)]
        checks: i64,
        #[diesel(sql_type = BigInt)]
        days: i64,
        #[diesel(sql_type = BigInt)]
        hours: i64,
        #[diesel(sql_type = BigInt)]
        largest: i64,
        #[diesel(sql_type = BigInt)]
        kept: i64,
        #[diesel(sql_type = BigInt)]
        ahead: i64,
    }
    let ask = sql_query(
        "SELECT pg_database_size(current_database()) AS database,
                coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint AS checks,
                pg_total_relation_size('link_days') AS days, pg_total_relation_size('link_hours') AS hours,
                coalesce(max(pg_total_relation_size(i.inhrelid)), 0) AS largest,
                count(p.name) AS kept,
                count(p.name) FILTER (WHERE p.from_run > first_run_id(clock_timestamp())) AS ahead
         FROM pg_inherits i LEFT JOIN checks_partitions p ON i.inhrelid = to_regclass(p.name)
         WHERE i.inhparent = 'checks'::regclass",
    );
    let row: Row = ask.get_result(connection).await?;
    let small = |count: i64| u32::try_from(count).unwrap_or_default();
    Ok(HistoryStatus {
        database_bytes: row.database.unsigned_abs(),
        checks_bytes: Some(row.checks.unsigned_abs()),
        days_bytes: Some(row.days.unsigned_abs()),
        hours_bytes: Some(row.hours.unsigned_abs()),
        partitions: Some(PartitionStatus {
            kept: small(row.kept),
            ahead: small(row.ahead),
            largest_bytes: row.largest.unsigned_abs(),
        }),
        ..HistoryStatus::default()
    })
}

/// One column of these rows, for `unnest`.
fn column<'r, R, C>(rows: &'r [R], value: impl Fn(&'r R) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}
