//! Jobs that are parked.

use diesel::dsl::sql;
use diesel::prelude::{ExpressionMethods, QueryDsl};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{JobId, RunId};
use uuid::Uuid;

use super::{Connection, page_of, rows_for};
use crate::cursor::{BadCursor, Cursor, CursorKey};
use crate::error::Fault;
use crate::rows::{job_kind, number};
use crate::schema::jobs;
use crate::traits::{Page, PageOf, ParkedJob};
use crate::values::Id;

/// Why a job was parked the last time.
const CAUSE: &str = "(SELECT p.cause FROM parkings p WHERE p.job_id = jobs.id AND p.parked
                      ORDER BY p.noted_at DESC LIMIT 1)";

type Row = (Id, Id, String, i64, i64, Option<String>);

pub(super) async fn parked(connection: &mut Connection, page: &PageOf) -> Result<Page<ParkedJob>, Fault> {
    let after = match &page.after {
        None => Uuid::nil(),
        Some(Cursor { key: CursorKey::Id, id }) => *id,
        Some(_) => return Err(BadCursor.into()),
    };
    let wanted = jobs::table
        .filter(sql::<Bool>("jobs.state = 'parked'"))
        .filter(jobs::id.gt(Id(after)))
        .order(jobs::id)
        .limit(rows_for(page.limit))
        .select((
            jobs::id,
            jobs::run_id,
            jobs::kind,
            jobs::links_count,
            jobs::links_done,
            sql::<Nullable<Text>>(CAUSE),
        ));
    let rows: Vec<Row> = wanted.load(connection).await?;
    page_of(
        rows,
        page.limit,
        |row| Cursor::of_id(row.0.0),
        |(id, run, kind, links, done, cause)| {
            Ok(ParkedJob {
                id: JobId(id.0),
                run_id: RunId(run.0),
                kind: job_kind(&kind)?,
                missing: number((links - done).max(0), "a count of links")?,
                cause,
            })
        },
    )
}
