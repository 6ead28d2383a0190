//! The checks of a link, and those of a run.

use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
    SelectableHelper,
};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{LinkId, LinkReport, RunId};
use uuid::Uuid;

use super::{Backend, Connection, dialect, page_of, rows_for};
use crate::cursor::{BadCursor, Cursor, CursorKey};
use crate::error::Fault;
use crate::rows::{CHANGED_OR_FAILED, CheckRow, outcomes_of};
use crate::schema::{checks, links, proposals, removed_links, sql as types};
use crate::traits::{ListedCheck, Page, PageOf, ReportLinks, RunLinkSort};
use crate::values::Id;

/// The checks of a link, those of the newest run first. Run ids begin with their time.
pub(super) async fn checks_of_link(
    connection: &mut Connection,
    link: LinkId,
    page: &PageOf,
) -> Result<Page<ListedCheck>, Fault> {
    let before = match &page.after {
        None => Uuid::max(),
        Some(Cursor { key: CursorKey::Id, id }) => *id,
        Some(_) => return Err(BadCursor.into()),
    };
    let rows = dialect::checks_of_link(connection, Id(link.0), Id(before), rows_for(page.limit)).await?;
    page_of(rows, page.limit, |row: &CheckRow| Cursor::of_id(row.run_id.0), CheckRow::listed)
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
