//! Runs, newest first.

use diesel::prelude::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{Run, RunState};

use super::{Backend, Connection, page_of, rows_for};
use crate::cursor::{BadCursor, Cursor, CursorKey};
use crate::error::Fault;
use crate::rows::{RunRow, Tally};
use crate::schema::runs as table;
use crate::traits::{ListedRun, Page, PageOf};

type Row = (i64, RunRow, Tally, i64);

pub(super) async fn runs(
    connection: &mut Connection,
    state: Option<RunState>,
    page: &PageOf,
) -> Result<Page<ListedRun>, Fault> {
    let mut wanted = table::table
        .order(table::seq.desc())
        .limit(rows_for(page.limit))
        .select((table::seq, RunRow::as_select(), Tally::as_select(), table::to_check))
        .into_boxed::<Backend>();
    if let Some(state) = state {
        wanted = wanted.filter(table::state.eq(state.as_str()));
    }
    match page.after.as_ref().map(|cursor| &cursor.key) {
        None => {}
        Some(CursorKey::Number(seq)) => wanted = wanted.filter(table::seq.lt(*seq)),
        Some(_) => return Err(BadCursor.into()),
    }
    let rows: Vec<Row> = wanted.load(connection).await?;
    page_of(
        rows,
        page.limit,
        |(seq, ..)| Cursor::of_number(*seq),
        |(_, run, tally, to_check)| {
            Ok(ListedRun { run: Run::try_from(run)?, counts: tally.counts(to_check)? })
        },
    )
}
