//! The links themselves: imported, listed, found, edited and removed.

use diesel::dsl::max;
use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, SelectableHelper};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{GivenLinks, Link, LinkId, LinkUrl};
use uuid::Uuid;

use super::dialect::insert_all;
use super::{Connection, browsing, dialect};
use crate::error::Fault;
use crate::importing::{Import, PART, Part};
use crate::kept::Keep;
use crate::rows::{ChangeRow, LinkRow};
use crate::schema::{changes, links, runs};
use crate::traits::{LinkChanges, LinkSet, StillSo};
use crate::values::{Id, Moment};

/// How many links one statement locks.
const BATCH: usize = 5_000;
/// How many changes one statement inserts: it has eight values for each, and PostgreSQL takes
/// 65,535 altogether. SQLite gets a statement for each row.
const CHANGES: usize = 4_000;

/// Adds the links that are new, and updates those of which something changes. For these the input is read a second time:
/// their rows are locked first, in the order of their ids, and all of them need not lie in memory.
///
/// If nothing is new and nothing changes, it waits for nobody who edits links, and nobody waits for it.
pub(super) async fn import(connection: &mut Connection, input: &GivenLinks) -> Result<Import, Fault> {
    match known(connection, input).await? {
        Some(import) => Ok(import),
        None => import_new(connection, input).await,
    }
}

/// The same for links of which it is known that something is new.
pub(super) async fn import_new(connection: &mut Connection, input: &GivenLinks) -> Result<Import, Fault> {
    dialect::lock_for_editing(connection).await?;
    let now = dialect::now(connection).await?;
    let mut import = Import::of(input.named());
    for part in input.pages(PART).map(Part::new) {
        let stored = dialect::links_of_keys(connection, &part.keys()).await?;
        dialect::insert_links(connection, &import.take(part, stored, now)?).await?;
    }
    let changed = import.changed();
    for ids in changed.chunks(BATCH) {
        dialect::lock_links(connection, ids).await?;
    }
    if !changed.is_empty() {
        update(connection, input).await?;
    }
    Ok(import)
}

/// What an import comes to if all its links are stored as they are; `None`: they are not.
async fn known(connection: &mut Connection, input: &GivenLinks) -> Result<Option<Import>, Fault> {
    let now = dialect::now(connection).await?;
    let mut import = Import::of(input.named());
    for part in input.pages(PART).map(Part::new) {
        let stored = dialect::links_of_keys(connection, &part.keys()).await?;
        let added = import.take(part, stored, now)?;
        if !added.is_empty() || !import.changed().is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(import))
}

/// The links of a short list as they are stored, and a moment before they were read, if all are stored as they are given.
pub(super) async fn stored_as_given(
    connection: &mut Connection,
    input: &GivenLinks,
) -> Result<Option<(Moment, Vec<LinkRow>)>, Fault> {
    let (mut import, part) = (Import::of(input.named()), Part::new(input.iter().collect()));
    let (now, stored) = dialect::links_of_keys_now(connection, &part.keys()).await?;
    let added = import.take(part, stored.clone(), now)?;
    Ok((added.is_empty() && import.changed().is_empty()).then_some((now, stored)))
}

async fn update(connection: &mut Connection, input: &GivenLinks) -> Result<(), Fault> {
    for part in input.pages(PART).map(Part::new) {
        let stored = dialect::links_of_keys(connection, &part.keys()).await?;
        dialect::update_links(connection, &part.changes(stored)?).await?;
    }
    Ok(())
}

pub(super) async fn page(
    connection: &mut Connection,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<Link>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = links::table.filter(links::id.gt(Id(after))).order(links::id).limit(limit.into());
    parsed(rows.select(LinkRow::as_select()).load(connection).await?)
}

pub(super) async fn find(connection: &mut Connection, wanted: &str) -> Result<Vec<Link>, Fault> {
    let id = wanted.parse().unwrap_or(Uuid::nil());
    let key = LinkUrl::parse(wanted).map_or_else(|_| String::new(), |url| url.key());
    let named = links::id.eq(Id(id)).or(links::url_key.eq(key)).or(links::name.eq(wanted));
    let rows = links::table.filter(named).order(links::id).select(LinkRow::as_select());
    parsed(rows.load(connection).await?)
}

pub(super) async fn set(
    connection: &mut Connection,
    id: LinkId,
    changes: &LinkChanges,
) -> Result<Option<Link>, Fault> {
    dialect::lock_for_editing(connection).await?;
    let Some(mut row) = dialect::lock_links(connection, &[Id(id.0)]).await?.pop() else { return Ok(None) };
    let now = dialect::now(connection).await?;
    let visible = set_row(connection, &mut row, changes, now).await?;
    insert_changes(connection, visible.as_slice()).await?;
    row.try_into().map(Some)
}

/// Changes a link if it is still what somebody takes it to be. It is locked before that is asked.
pub(super) async fn set_if(
    connection: &mut Connection,
    id: LinkId,
    changes: &LinkChanges,
    still: &StillSo,
) -> Result<LinkSet, Fault> {
    dialect::lock_for_editing(connection).await?;
    dialect::lock_links(connection, &[Id(id.0)]).await?;
    let Some(stored) = browsing::listed(connection, id).await? else { return Ok(LinkSet::Gone) };
    if !still(&stored) {
        return Ok(LinkSet::Another);
    }
    set(connection, id, changes).await?;
    let set = browsing::listed(connection, id).await?;
    Ok(set.map_or(LinkSet::Gone, |set| LinkSet::Set(Box::new(set))))
}

pub(super) async fn set_all(
    connection: &mut Connection,
    ids: &[LinkId],
    changes: &LinkChanges,
) -> Result<u64, Fault> {
    dialect::lock_for_editing(connection).await?;
    let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
    let mut rows = dialect::lock_links(connection, &ids).await?;
    let now = dialect::now(connection).await?;
    let mut visible = Vec::new();
    for row in &mut rows {
        visible.extend(set_row(connection, row, changes, now).await?);
    }
    insert_changes(connection, &visible).await?;
    Ok(rows.len() as u64)
}

/// Returns the hiding or showing that is among the changes.
async fn set_row(
    connection: &mut Connection,
    row: &mut LinkRow,
    changes: &LinkChanges,
    now: Moment,
) -> Result<Option<ChangeRow>, Fault> {
    let before = row.fetched();
    let visible = row.set(changes, now)?;
    if row.fetched() != before {
        // What earlier runs found, or still find, is of another page.
        let newest: Option<i64> = runs::table.select(max(runs::seq)).get_result(connection).await?;
        row.last_run_seq = newest.unwrap_or_default() + 1;
    }
    let update = diesel::update(links::table.find(row.id)).set((&*row, links::updated_at.eq(now)));
    update.kept().execute(connection).await?;
    Ok(visible)
}

pub(super) async fn remove(connection: &mut Connection, ids: &[LinkId]) -> Result<u64, Fault> {
    dialect::lock_for_editing(connection).await?;
    let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
    dialect::lock_links(connection, &ids).await?;
    let stored = links::table.filter(dialect::among("links.id", ids));
    Ok(diesel::delete(stored).execute(connection).await? as u64)
}

pub(super) async fn insert_changes(connection: &mut Connection, rows: &[ChangeRow]) -> QueryResult<()> {
    for rows in rows.chunks(CHANGES) {
        insert_all!(connection, changes::table, rows)?;
    }
    Ok(())
}

fn parsed(rows: Vec<LinkRow>) -> Result<Vec<Link>, Fault> {
    rows.into_iter().map(Link::try_from).collect()
}
