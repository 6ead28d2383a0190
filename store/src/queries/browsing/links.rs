//! Links that match a filter.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::dsl::{count_star, sql};
use diesel::prelude::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryableByName,
    SelectableHelper,
};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::history::Share;
use linkbeat_shared::{GroupName, Link, LinkId};
use uuid::Uuid;

use super::listing::{NO_MOMENT, NO_WORD, NOT_REACHED, REACHED_KEY, SINCE_KEY, matching};
use super::{Backend, Connection, dialect, page_of, rows_for};
use crate::cursor::{BadCursor, Cursor, CursorKey};
use crate::error::Fault;
use crate::rows::{LinkRow, number, parse};
use crate::schema::{links as table, sql as types};
use crate::traits::{Count, LinkQuery, LinkSort, LinkTotal, ListedLink, Page, PageOf, SortLinksBy};
use crate::values::{Id, Moment};

type Row = (LinkRow, Moment, Moment, Option<i32>);

#[derive(QueryableByName)]
struct TotalRow {
    #[diesel(sql_type = Bool)]
    active: bool,
    #[diesel(sql_type = Bool)]
    shown: bool,
    #[diesel(sql_type = Nullable<Text>)]
    verdict: Option<String>,
    #[diesel(sql_type = BigInt)]
    links: i64,
}

type Links = table::BoxedQuery<'static, Backend>;

pub(super) async fn links(
    connection: &mut Connection,
    query: &LinkQuery,
    sort: LinkSort,
    page: &PageOf,
) -> Result<Page<ListedLink>, Fault> {
    sorted(connection, matching(query), sort, page).await
}

/// Few links are found by the filter alone, and then sorted. Along the order one may pass by all links before one matches.
pub(super) async fn counted_links(
    connection: &mut Connection,
    query: &LinkQuery,
    sort: LinkSort,
    page: &PageOf,
    most: u32,
) -> Result<(Page<ListedLink>, Count), Fault> {
    let (count, all) = counted(connection, query, most).await?;
    let wanted = match all {
        Some(few) => table::table.into_boxed().filter(dialect::among("links.id", few)),
        None => matching(query),
    };
    Ok((sorted(connection, wanted, sort, page).await?, count))
}

async fn sorted(
    connection: &mut Connection,
    mut wanted: Links,
    sort: LinkSort,
    page: &PageOf,
) -> Result<Page<ListedLink>, Fault> {
    if let Some(cursor) = &page.after {
        wanted = beyond(wanted, sort, cursor)?;
    }
    let direction = if descends(sort) { "DESC" } else { "ASC" };
    let order = match sort.by {
        SortLinksBy::Added => format!("links.id {direction}"),
        by => format!("{} {direction}, links.id {direction}", key(by)),
    };
    let rows = wanted.order(sql::<Text>(&order)).limit(rows_for(page.limit));
    let rows: Vec<Row> = rows
        .select((LinkRow::as_select(), table::created_at, table::updated_at, table::reachable))
        .load(connection)
        .await?;
    page_of(rows, page.limit, |row| end(row, sort.by), listed_row)
}

/// Whether the largest key comes first.
fn descends(sort: LinkSort) -> bool {
    (sort.by == SortLinksBy::Since) != sort.reverse
}

/// What links are sorted by, as the indexes have it. It is never NULL.
fn key(by: SortLinksBy) -> &'static str {
    match by {
        SortLinksBy::Added => "links.id",
        SortLinksBy::Name => "links.name",
        SortLinksBy::Host => "links.host",
        SortLinksBy::Verdict => dialect::VERDICT_KEY,
        SortLinksBy::Reason => dialect::REASON_KEY,
        SortLinksBy::Since => SINCE_KEY,
        SortLinksBy::Reachable => REACHED_KEY,
    }
}

/// Those that come after this one. A row value is what an index on both serves.
fn beyond(wanted: Links, sort: LinkSort, cursor: &Cursor) -> Result<Links, Fault> {
    let (descends, id) = (descends(sort), Id(cursor.id));
    let than = if descends { "<" } else { ">" };
    let open = format!("({}, links.id) {than} (", key(sort.by));
    Ok(match (sort.by, &cursor.key) {
        (SortLinksBy::Added, CursorKey::Id) if descends => wanted.filter(table::id.lt(id)),
        (SortLinksBy::Added, CursorKey::Id) => wanted.filter(table::id.gt(id)),
        (SortLinksBy::Since, CursorKey::Moment(moment)) => {
            let key = sql::<Bool>(&open).bind::<types::Moment, _>(Moment(*moment)).sql(", ");
            wanted.filter(key.bind::<types::Id, _>(id).sql(")"))
        }
        (SortLinksBy::Reachable, CursorKey::Number(number)) => {
            let number = i32::try_from(*number).map_err(|_| BadCursor)?;
            let key = sql::<Bool>(&open).bind::<Integer, _>(number).sql(", ");
            wanted.filter(key.bind::<types::Id, _>(id).sql(")"))
        }
        (
            SortLinksBy::Name | SortLinksBy::Host | SortLinksBy::Verdict | SortLinksBy::Reason,
            CursorKey::Text(text),
        ) => {
            let key = sql::<Bool>(&open).bind::<Text, _>(text.clone()).sql(", ");
            wanted.filter(key.bind::<types::Id, _>(id).sql(")"))
        }
        _ => return Err(BadCursor.into()),
    })
}

/// Where a page ends that ends with this link.
fn end((row, .., reachable): &Row, by: SortLinksBy) -> Cursor {
    let word = |word: Option<String>| CursorKey::Text(word.unwrap_or_else(|| NO_WORD.to_owned()));
    let key = match by {
        SortLinksBy::Added => CursorKey::Id,
        SortLinksBy::Name => CursorKey::Text(row.name.clone()),
        SortLinksBy::Host => CursorKey::Text(row.host.clone()),
        SortLinksBy::Verdict => word(row.verdict.clone()),
        SortLinksBy::Reason => word(row.reason.as_ref().and_then(|reason| reason.text_of("type"))),
        SortLinksBy::Since => CursorKey::Moment(row.verdict_since.map_or(NO_MOMENT, |moment| moment.0)),
        SortLinksBy::Reachable => CursorKey::Number(reachable.unwrap_or(NOT_REACHED).into()),
    };
    Cursor { key, id: row.id.0 }
}

fn listed_row((row, created_at, updated_at, reachable): Row) -> Result<ListedLink, Fault> {
    Ok(ListedLink {
        host: row.host.clone(),
        shown_since: row.shown_since.0,
        verdict_since: row.verdict_since.map(|moment| moment.0),
        created_at: created_at.0,
        updated_at: updated_at.0,
        reachable: reachable.and_then(|part| Share::of(part.unsigned_abs().into(), 10_000)),
        link: Link::try_from(row)?,
    })
}

pub(crate) async fn listed(connection: &mut Connection, id: LinkId) -> Result<Option<ListedLink>, Fault> {
    let row = table::table.find(Id(id.0));
    let row = row.select((LinkRow::as_select(), table::created_at, table::updated_at, table::reachable));
    row.first::<Row>(connection).await.optional()?.map(listed_row).transpose()
}

pub(super) async fn count(connection: &mut Connection, query: &LinkQuery, most: u32) -> Result<Count, Fault> {
    Ok(counted(connection, query, most).await?.0)
}

/// How many match, and the ids of all of them if they are no more than `most`.
async fn counted(
    connection: &mut Connection,
    query: &LinkQuery,
    most: u32,
) -> Result<(Count, Option<Vec<Id>>), Fault> {
    let is_all = *query == (LinkQuery { order: query.order, ..LinkQuery::default() });
    let found = matching(query).limit(rows_for(most)).select(table::id);
    // Of all links an index tells. The first pages of a table may hold very few rows.
    let found = if is_all { found.order(table::id) } else { found };
    let found: Vec<Id> = found.load(connection).await?;
    if found.len() <= most as usize {
        return Ok((Count::Exactly(found.len() as u64), Some(found)));
    }
    if is_all {
        return Ok((dialect::about_how_many_links(connection).await?, None));
    }
    Ok((Count::MoreThan(most.into()), None))
}

pub(super) async fn ids(
    connection: &mut Connection,
    query: &LinkQuery,
    after: Option<LinkId>,
    limit: u32,
) -> Result<Vec<LinkId>, Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let wanted = matching(query).filter(table::id.gt(Id(after))).order(table::id).limit(limit.into());
    let ids: Vec<Id> = wanted.select(table::id).load(connection).await?;
    Ok(ids.into_iter().map(|id| LinkId(id.0)).collect())
}

pub(super) async fn totals(connection: &mut Connection) -> Result<Vec<LinkTotal>, Fault> {
    let totals = sql_query(format!(
        "SELECT {} AS active, shown, verdict, count(*) AS links FROM links GROUP BY 1, 2, 3",
        dialect::ACTIVE
    ));
    let rows: Vec<TotalRow> = totals.load(connection).await?;
    let total = |TotalRow { active, shown, verdict, links }: TotalRow| {
        let verdict = verdict.map(|word| parse(&word, "links.verdict")).transpose()?;
        Ok(LinkTotal { active, shown, verdict, links: number(links, "a count of links")? })
    };
    rows.into_iter().map(total).collect()
}

pub(super) async fn groups(connection: &mut Connection, limit: u32) -> Result<Vec<(GroupName, u64)>, Fault> {
    let groups = table::table.filter(table::group_name.is_not_null()).group_by(table::group_name);
    let groups = groups.order(table::group_name).limit(limit.into());
    let rows: Vec<(String, i64)> =
        groups.select((table::group_name.assume_not_null(), count_star())).load(connection).await?;
    let group = |(name, links): (String, i64)| {
        Ok((parse(&name, "links.group_name")?, number(links, "a count of links")?))
    };
    rows.into_iter().map(group).collect()
}

pub(super) async fn certificates_ending(
    connection: &mut Connection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ListedLink>, Fault> {
    let end = dialect::CERTIFICATE_END;
    let ending = sql::<Bool>(&format!("{} AND {end} IS NOT NULL AND {end} < ", dialect::ACTIVE))
        .bind::<Text, _>(before.to_rfc3339_opts(SecondsFormat::Secs, true))
        .sql("");
    let order = sql::<Text>(&format!("{end}, links.id"));
    let rows = table::table.filter(ending).order(order).limit(limit.into());
    let rows: Vec<Row> = rows
        .select((LinkRow::as_select(), table::created_at, table::updated_at, table::reachable))
        .load(connection)
        .await?;
    rows.into_iter().map(listed_row).collect()
}
