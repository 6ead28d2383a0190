//! What became of links, newest first.

use diesel::dsl::sql;
use diesel::prelude::{ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, SelectableHelper};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Backend, Connection, page_of, rows_for};
use crate::cursor::{BadCursor, Cursor, CursorKey};
use crate::error::Fault;
use crate::rows::StoredChangeRow;
use crate::schema::{changes as table, links, removed_links, sql as types};
use crate::traits::{ChangeKind, ChangeQuery, ListedChange, Page, PageOf};
use crate::values::{Id, Moment};

type Row = (StoredChangeRow, Option<String>, Option<String>);

pub(super) async fn changes(
    connection: &mut Connection,
    query: &ChangeQuery,
    page: &PageOf,
) -> Result<Page<ListedChange>, Fault> {
    let mut wanted = table::table
        .left_join(links::table.on(links::id.eq(table::link_id)))
        .left_join(removed_links::table.on(removed_links::id.eq(table::link_id)))
        .order((table::at.desc(), table::id.desc()))
        .limit(rows_for(page.limit))
        .select((
            StoredChangeRow::as_select(),
            sql::<Nullable<Text>>("coalesce(links.name, removed_links.name)"),
            sql::<Nullable<Text>>("coalesce(links.url_key, removed_links.url)"),
        ))
        .into_boxed::<Backend>();
    if let Some(kind) = query.kind {
        wanted = wanted.filter(sql::<Bool>(match kind {
            // As the partial indexes have it.
            ChangeKind::Hidden => "changes.was_shown AND NOT changes.shown",
            ChangeKind::Shown => "changes.shown AND NOT changes.was_shown",
            ChangeKind::Verdict => "changes.was_shown = changes.shown",
        }));
    }
    if let Some(link) = query.link {
        wanted = wanted.filter(table::link_id.eq(Id(link.0)));
    }
    if let Some(run) = query.run {
        wanted = wanted.filter(table::run_id.eq(Id(run.0)).assume_not_null());
    }
    if let Some(verdict) = query.verdict {
        wanted = wanted.filter(table::verdict.eq(verdict.as_str()).assume_not_null());
    }
    if let Some(since) = query.since {
        wanted = wanted.filter(table::at.ge(Moment(since)));
    }
    if let Some(until) = query.until {
        wanted = wanted.filter(table::at.lt(Moment(until)));
    }
    if let Some(cursor) = &page.after {
        let (at, id) = read(cursor)?;
        let older = sql::<Bool>("(changes.at, changes.id) < (").bind::<types::Moment, _>(at).sql(", ");
        wanted = wanted.filter(older.bind::<BigInt, _>(id).sql(")"));
    }
    let rows: Vec<Row> = wanted.load(connection).await?;
    page_of(
        rows,
        page.limit,
        |(row, ..)| end(row),
        |(row, name, url)| match (name, url) {
            (Some(name), Some(url)) => row.listed(&name, url),
            _ => Err(Fault::Corrupt("changes.link_id is neither in links nor in removed_links".to_owned())),
        },
    )
}

/// Where a page ends that ends with this change. Ids of changes are numbers.
fn end(row: &StoredChangeRow) -> Cursor {
    let id = Uuid::from_u64_pair(0, row.id.unsigned_abs());
    Cursor { key: CursorKey::Moment(row.at.0), id }
}

fn read(cursor: &Cursor) -> Result<(Moment, i64), BadCursor> {
    let (CursorKey::Moment(at), (0, id)) = (&cursor.key, cursor.id.as_u64_pair()) else {
        return Err(BadCursor);
    };
    Ok((Moment(*at), i64::try_from(id).map_err(|_| BadCursor)?))
}
