//! The checks of a link, and those of a run.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
    SelectableHelper,
};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{LinkId, LinkReport, RunId};
use uuid::Uuid;

use super::history::first_run_id;
use super::{Backend, Connection, dialect, page_of, rows_for};
use crate::cursor::{BadCursor, Cursor, CursorKey};
use crate::error::Fault;
use crate::rows::{CHANGED_OR_FAILED, CheckRow, outcomes_of};
use crate::schema::{checks, links, proposals, removed_links, sql as types};
use crate::traits::{ListedCheck, Page, PageOf, ReportLinks, RunLinkSort};
use crate::values::Id;

/// How far back the first look goes for checks of a link, and how much further each next one. A link that is checked each
/// minute has a page within a day; one that is checked each month has few checks to pass by.
const FIRST_LOOK: TimeDelta = TimeDelta::days(2);
const FURTHER: i32 = 8;
/// The look after so many goes all the way.
const LOOKS: u32 = 4;

/// The checks of a link, those of the newest run first. Run ids begin with their time.
pub(super) async fn checks_of_link(
    connection: &mut Connection,
    link: LinkId,
    page: &PageOf,
) -> Result<Page<ListedCheck>, Fault> {
    let mut before = match &page.after {
        None => Uuid::max(),
        Some(Cursor { key: CursorKey::Id, id }) => *id,
        Some(_) => return Err(BadCursor.into()),
    };
    let mut rows = Vec::new();
    let latest = time_of(before).unwrap_or(dialect::now(connection).await?.0);
    let mut back = FIRST_LOOK;
    for look in 0..=LOOKS {
        let from = if look == LOOKS { Id(Uuid::nil()) } else { first_run_id(latest - back) };
        let room = rows_for(page.limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        rows.extend(between(connection, link, (from, Id(before)), room).await?);
        if rows.len() > page.limit as usize {
            break;
        }
        (before, back) = (from.0, back * FURTHER);
    }
    page_of(rows, page.limit, |row: &CheckRow| Cursor::of_id(row.run_id.0), CheckRow::listed)
}

/// The time in a run's id.
fn time_of(run: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = run.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// Checks of a link by runs from one on and before another.
async fn between(
    connection: &mut Connection,
    link: LinkId,
    (from, before): (Id, Id),
    limit: i64,
) -> Result<Vec<CheckRow>, Fault> {
    let rows = checks::table
        .left_join(
            proposals::table
                .on(proposals::run_id.eq(checks::run_id).and(proposals::link_id.eq(checks::link_id))),
        )
        .filter(checks::link_id.eq(Id(link.0)))
        .filter(checks::run_id.ge(from).and(checks::run_id.lt(before)))
        .order(checks::run_id.desc())
        .limit(limit)
        .select((CheckRow::as_select(), proposals::outcome.nullable()));
    let rows: Vec<(CheckRow, Option<i16>)> = rows.load(connection).await?;
    let row = |(check, outcome): (CheckRow, Option<i16>)| CheckRow {
        outcome: outcome.unwrap_or(check.outcome),
        ..check
    };
    Ok(rows.into_iter().map(row).collect())
}

/// The largest first are those that did not pass: 15 is the part of the outcome that tells the verdict, 1 is `up`. Then
/// come those that took longest.
const WORST: &str =
    "(CASE WHEN (coalesce(proposals.outcome, checks.outcome) & 15) > 1 THEN 4294967296 ELSE 0 END
                     + coalesce(checks.elapsed_ms, -1))";

type Row = (CheckRow, Option<i16>, Option<String>, Option<String>, i64);

/// Links of a run that have a result.
pub(super) async fn links_of_run(
    connection: &mut Connection,
    run: RunId,
    which: ReportLinks,
    sort: RunLinkSort,
    page: &PageOf,
) -> Result<Page<LinkReport>, Fault> {
    let mut wanted = checks::table
        .left_join(links::table.on(links::id.eq(checks::link_id)))
        .left_join(removed_links::table.on(removed_links::id.eq(checks::link_id)))
        .left_join(
            proposals::table
                .on(proposals::run_id.eq(checks::run_id).and(proposals::link_id.eq(checks::link_id))),
        )
        .filter(checks::run_id.eq(Id(run.0)))
        .limit(rows_for(page.limit))
        .select((
            CheckRow::as_select(),
            proposals::outcome.nullable(),
            sql::<Nullable<Text>>("coalesce(links.name, removed_links.name)"),
            sql::<Nullable<Text>>("coalesce(links.url_key, removed_links.url)"),
            sql::<BigInt>(&format!("CAST({WORST} AS bigint)")),
        ))
        .into_boxed::<Backend>();
    wanted = match which {
        ReportLinks::All => wanted,
        ReportLinks::ChangedOrFailed => wanted.filter(sql::<Bool>(CHANGED_OR_FAILED)),
        ReportLinks::Of { change, verdict } => wanted.filter(sql::<Bool>(&outcomes_of(verdict, change))),
    };
    wanted = match (sort, &page.after) {
        (_, None) => wanted,
        (RunLinkSort::Added, Some(Cursor { key: CursorKey::Id, id })) => {
            wanted.filter(checks::link_id.gt(Id(*id)))
        }
        (RunLinkSort::WorstFirst, Some(Cursor { key: CursorKey::Number(rank), id })) => {
            let after =
                sql::<Bool>(&format!("({WORST}, checks.link_id) < (")).bind::<BigInt, _>(*rank).sql(", ");
            wanted.filter(after.bind::<types::Id, _>(Id(*id)).sql(")"))
        }
        _ => return Err(BadCursor.into()),
    };
    let wanted = match sort {
        RunLinkSort::Added => wanted.order(checks::link_id),
        RunLinkSort::WorstFirst => wanted.order((sql::<BigInt>(WORST).desc(), checks::link_id.desc())),
    };
    let rows: Vec<Row> = wanted.load(connection).await?;
    let end = |row: &Row| match sort {
        RunLinkSort::Added => Cursor::of_id(row.0.link_id.0),
        RunLinkSort::WorstFirst => Cursor { key: CursorKey::Number(row.4), id: row.0.link_id.0 },
    };
    page_of(rows, page.limit, end, |(check, outcome, name, url, _)| match (name, url) {
        (Some(name), Some(url)) => {
            CheckRow { outcome: outcome.unwrap_or(check.outcome), ..check }.report(&name, url)
        }
        _ => Err(Fault::Corrupt("checks.link_id is neither in links nor in removed_links".to_owned())),
    })
}
