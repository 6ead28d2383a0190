//! The links themselves: imported, listed, found, edited and removed.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use linkbeat_shared::{Link, LinkId, LinkUrl};
use serde_json::json;
use uuid::Uuid;

use crate::error::Fault;
use crate::importing::{Import, PART, Part};
use crate::rows::LinkRow;
use crate::schema::links;
use crate::values::{Id, Moment, json};
use crate::{Imported, LinkChanges};

pub(super) fn import(
    connection: &mut SqliteConnection,
    input: &[linkbeat_shared::NewLink],
) -> Result<Imported, Fault> {
    let mut import = Import::default();
    for part in input.chunks(PART) {
        let part = Part::new(part);
        let of_keys = sql_query("SELECT links.* FROM json_each(?) CROSS JOIN links ON url_key = value");
        let stored = of_keys.bind::<Text, _>(json(&part.keys())).load::<LinkRow>(connection)?;
        insert(connection, &import.take(part, stored)?)?;
    }
    let (updated, imported) = import.finish();
    for row in &updated {
        update(connection, row)?;
    }
    Ok(imported)
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

/// Those of these links that are stored.
pub(super) fn of_ids(connection: &mut SqliteConnection, ids: &[Id]) -> QueryResult<Vec<LinkRow>> {
    let of_ids = sql_query("SELECT links.* FROM json_each(?) CROSS JOIN links ON links.id = value");
    of_ids.bind::<Text, _>(json(ids)).load(connection)
}

/// One statement for all: diesel would have SQLite parse one for each.
fn insert(connection: &mut SqliteConnection, rows: &[LinkRow]) -> QueryResult<usize> {
    let insert = sql_query(
        "INSERT INTO links (id, name, url, url_key, host, page_url, active, backlink, shown)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8
         FROM json_each(?)",
    );
    let values = |row: &'_ LinkRow| {
        json!([
            row.id,
            row.name,
            row.url,
            row.url_key,
            row.host,
            row.page_url,
            row.active,
            row.backlink,
            row.shown
        ])
    };
    insert.bind::<Text, _>(json(&rows.iter().map(values).collect::<Vec<_>>())).execute(connection)
}

fn update(connection: &mut SqliteConnection, row: &LinkRow) -> QueryResult<usize> {
    let changes = (row, links::updated_at.eq(Moment::now()));
    diesel::update(links::table.find(row.id)).set(changes).execute(connection)
}

fn parsed(rows: Vec<LinkRow>) -> Result<Vec<Link>, Fault> {
    rows.into_iter().map(Link::try_from).collect()
}
