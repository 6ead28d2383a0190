//! The links themselves: imported, listed, found, edited and removed.

use diesel::prelude::*;
use linkbeat_shared::{Link, LinkId, LinkUrl};
use uuid::Uuid;

use crate::error::Fault;
use crate::importing::Import;
use crate::rows::LinkRow;
use crate::schema::links;
use crate::values::{Id, Moment};
use crate::{Imported, LinkChanges};

pub(super) fn import(
    connection: &mut SqliteConnection,
    input: &[linkbeat_shared::NewLink],
) -> Result<Imported, Fault> {
    let import = Import::new(input);
    let mut stored = Vec::new();
    for key in import.keys() {
        stored.extend(of_key(connection, key)?);
    }
    let changes = import.compare(stored)?;
    for row in &changes.added {
        diesel::insert_into(links::table).values(row).execute(connection)?;
    }
    for row in &changes.updated {
        update(connection, row)?;
    }
    Ok(changes.imported)
}

pub(super) fn page(
    connection: &mut SqliteConnection,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<Link>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = links::table.filter(links::id.gt(Id(after))).order(links::id).limit(limit.into());
    parsed(rows.select(LinkRow::as_select()).load(connection)?)
}

pub(super) fn find(connection: &mut SqliteConnection, wanted: &str) -> Result<Vec<Link>, Fault> {
    let id = wanted.parse().unwrap_or(Uuid::nil());
    let key = LinkUrl::parse(wanted).map_or_else(|_| String::new(), |url| url.key());
    let named = links::id.eq(Id(id)).or(links::url_key.eq(key)).or(links::name.eq(wanted));
    parsed(links::table.filter(named).order(links::id).select(LinkRow::as_select()).load(connection)?)
}

pub(super) fn set(
    connection: &mut SqliteConnection,
    id: LinkId,
    changes: &LinkChanges,
) -> Result<Option<Link>, Fault> {
    let Some(mut row) = of_id(connection, Id(id.0))? else { return Ok(None) };
    row.edit(changes)?;
    update(connection, &row)?;
    row.try_into().map(Some)
}

pub(super) fn remove(connection: &mut SqliteConnection, ids: &[LinkId]) -> Result<u64, Fault> {
    let mut removed = 0;
    for id in ids {
        removed += diesel::delete(links::table.find(Id(id.0))).execute(connection)? as u64;
    }
    Ok(removed)
}

pub(super) fn of_id(connection: &mut SqliteConnection, id: Id) -> QueryResult<Option<LinkRow>> {
    links::table.find(id).select(LinkRow::as_select()).first(connection).optional()
}

fn of_key(connection: &mut SqliteConnection, key: &str) -> QueryResult<Option<LinkRow>> {
    links::table.filter(links::url_key.eq(key)).select(LinkRow::as_select()).first(connection).optional()
}

fn update(connection: &mut SqliteConnection, row: &LinkRow) -> QueryResult<usize> {
    let changes = (row, links::updated_at.eq(Moment::now()));
    diesel::update(links::table.find(row.id)).set(changes).execute(connection)
}

fn parsed(rows: Vec<LinkRow>) -> Result<Vec<Link>, Fault> {
    rows.into_iter().map(Link::try_from).collect()
}
