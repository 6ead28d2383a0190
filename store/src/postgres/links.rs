//! The links themselves: imported, listed, found, edited and removed.

use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as PgUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use linkbeat_shared::{Link, LinkId, LinkUrl, NewLink};
use uuid::Uuid;

use crate::error::Fault;
use crate::importing::{Import, PART, Part};
use crate::rows::LinkRow;
use crate::schema::links;
use crate::values::{Id, Moment};
use crate::{Imported, LinkChanges};

/// The advisory lock under which links are added, edited and removed: "lblinks" in ASCII. Recorders go on
/// meanwhile; they write only what the checks made of a link.
const EDIT_LOCK: i64 = 0x6c_626c_696e_6b73;
/// How many links one statement updates.
const BATCH: usize = 5_000;

pub(super) async fn import(connection: &mut AsyncPgConnection, input: &[NewLink]) -> Result<Imported, Fault> {
    lock_for_editing(connection).await?;
    let mut import = Import::default();
    for part in input.chunks(PART) {
        let part = Part::new(part);
        // A join: for `= ANY` a hash index compares each row it finds with each key.
        let of_keys = sql_query("SELECT links.* FROM unnest($1) AS wanted (key) JOIN links ON url_key = key");
        let stored = of_keys.bind::<Array<Text>, _>(part.keys()).load::<LinkRow>(connection).await?;
        insert(connection, &import.take(part, stored)?).await?;
    }
    let (updated, imported) = import.finish();
    for rows in updated.chunks(BATCH) {
        update(connection, rows).await?;
    }
    Ok(imported)
}

pub(super) async fn page(
    connection: &mut AsyncPgConnection,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<Link>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = links::table.filter(links::id.gt(Id(after))).order(links::id).limit(limit.into());
    parsed(rows.select(LinkRow::as_select()).load(connection).await?)
}

pub(super) async fn find(connection: &mut AsyncPgConnection, wanted: &str) -> Result<Vec<Link>, Fault> {
    let id = wanted.parse().unwrap_or(Uuid::nil());
    let key = LinkUrl::parse(wanted).map_or_else(|_| String::new(), |url| url.key());
    let named = links::id.eq(Id(id)).or(links::url_key.eq(key)).or(links::name.eq(wanted));
    let rows = links::table.filter(named).order(links::id).select(LinkRow::as_select());
    parsed(rows.load(connection).await?)
}

pub(super) async fn set(
    connection: &mut AsyncPgConnection,
    id: LinkId,
    changes: &LinkChanges,
) -> Result<Option<Link>, Fault> {
    lock_for_editing(connection).await?;
    let link = links::table.find(Id(id.0));
    let row = link.select(LinkRow::as_select()).for_update().first(connection).await.optional()?;
    let Some(mut row) = row else { return Ok(None) };
    row.edit(changes)?;
    let changes = (&row, links::updated_at.eq(Moment::now()));
    diesel::update(link).set(changes).execute(connection).await?;
    row.try_into().map(Some)
}

pub(super) async fn remove(connection: &mut AsyncPgConnection, ids: &[LinkId]) -> Result<u64, Fault> {
    lock_for_editing(connection).await?;
    let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
    let held: Vec<Id> = lock(connection, &ids).await?.into_iter().map(|row| row.id).collect();
    let removed = diesel::delete(links::table.filter(links::id.eq_any(held))).execute(connection).await?;
    Ok(removed as u64)
}

/// Locks those of these links that are stored, in the order of their ids, until the transaction ends.
pub(super) async fn lock(connection: &mut AsyncPgConnection, ids: &[Id]) -> QueryResult<Vec<LinkRow>> {
    let rows = links::table.filter(links::id.eq_any(ids)).order(links::id);
    rows.select(LinkRow::as_select()).for_update().load(connection).await
}

async fn lock_for_editing(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    let lock = sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(EDIT_LOCK);
    lock.execute(connection).await.map(drop)
}

async fn insert(connection: &mut AsyncPgConnection, rows: &[LinkRow]) -> QueryResult<()> {
    let insert = sql_query(
        "INSERT INTO links (id, name, url, url_key, host, page_url, active, backlink, shown)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    );
    insert
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.id.0))
        .bind::<Array<Text>, _>(column(rows, |row| &row.name))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url_key))
        .bind::<Array<Text>, _>(column(rows, |row| &row.host))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.page_url.as_ref()))
        .bind::<Array<Bool>, _>(column(rows, |row| row.active))
        .bind::<Array<Bool>, _>(column(rows, |row| row.backlink))
        .bind::<Array<Bool>, _>(column(rows, |row| row.shown))
        .execute(connection)
        .await
        .map(drop)
}

/// Writes what an import may change, and leaves alone what checks do.
async fn update(connection: &mut AsyncPgConnection, rows: &[LinkRow]) -> QueryResult<()> {
    lock(connection, &column(rows, |row| row.id)).await?;
    let update = sql_query(
        "UPDATE links SET name = t.name, url = t.url, host = t.host, page_url = t.page_url,
                active = t.active, backlink = t.backlink, updated_at = clock_timestamp()
         FROM unnest($1, $2, $3, $4, $5, $6, $7) AS t (id, name, url, host, page_url, active, backlink)
         WHERE links.id = t.id",
    );
    update
        .bind::<Array<PgUuid>, _>(column(rows, |row| row.id.0))
        .bind::<Array<Text>, _>(column(rows, |row| &row.name))
        .bind::<Array<Text>, _>(column(rows, |row| &row.url))
        .bind::<Array<Text>, _>(column(rows, |row| &row.host))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.page_url.as_ref()))
        .bind::<Array<Bool>, _>(column(rows, |row| row.active))
        .bind::<Array<Bool>, _>(column(rows, |row| row.backlink))
        .execute(connection)
        .await
        .map(drop)
}

/// One column of these rows, for `unnest`.
pub(super) fn column<'r, R, C>(rows: &'r [R], value: impl Fn(&'r R) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

fn parsed(rows: Vec<LinkRow>) -> Result<Vec<Link>, Fault> {
    rows.into_iter().map(Link::try_from).collect()
}
