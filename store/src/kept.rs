//! Queries whose prepared statement a connection keeps.
//!
//! diesel keeps a statement only if its types tell that its text never changes. Of updates, and of whatever holds a
//! piece of SQL as text, it cannot know that. So it prepares such a statement anew each time: one more round trip, and
//! one more plan. [`Keep::kept`] says that the text of a query is one of a few.

use diesel::backend::Backend;
use diesel::prelude::QueryResult;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Bool;
use diesel::sqlite::{Sqlite, SqliteConnection};

/// A query of which there are only a few texts. See [`Keep::kept`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept<Q>(Q);

/// One that changes rows, as a query of which no row comes. See [`Keep::kept_edit`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptEdit<Q>(Kept<Q>);

/// Marks a query whose statement is worth keeping.
pub(crate) trait Keep: Sized {
    /// The text of this query does not grow with its values: there are only a few of them, so the connection may keep
    /// them all. An insert of many rows is none of these, as it has a placeholder for each value.
    fn kept(self) -> Kept<Self> {
        Kept(self)
    }

    /// The same for one that changes rows and returns none. For rows that it returned, SQLite would make a table each time.
    fn kept_edit(self) -> KeptEdit<Self> {
        KeptEdit(self.kept())
    }
}

impl<Q> Keep for Q {}

impl<Q: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Kept<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for KeptEdit<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, backend: &DB) -> QueryResult<bool> {
        self.0.is_safe_to_cache_prepared(backend)
    }
}

/// Of what type the rows are that never come.
impl<Q> Query for KeptEdit<Q> {
    type SqlType = Bool;
}

impl<Q> QueryId for KeptEdit<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q, C> diesel::RunQueryDsl<C> for KeptEdit<Q> {}

impl<Q> KeptEdit<Q> {
    /// Changes the rows. Only for SQLite, on the thread of the connection.
    pub(crate) fn carry_out(self, connection: &mut SqliteConnection) -> QueryResult<()>
    where
        Q: QueryFragment<Sqlite>,
    {
        diesel::RunQueryDsl::load::<bool>(self, connection).map(drop)
    }
}

impl<Q: Query> Query for Kept<Q> {
    type SqlType = Q::SqlType;
}

/// Found by its text.
impl<Q> QueryId for Kept<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Also where a thread has the connection itself. There diesel asks only a query that returns rows whether it may be kept:
/// of any other it forgets the answer.
impl<Q, C> diesel::RunQueryDsl<C> for Kept<Q> {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use diesel::connection::{InstrumentationEvent, SimpleConnection};
    use diesel::prelude::{Connection, ExpressionMethods, QueryDsl, RunQueryDsl};
    use diesel::{SqliteConnection, update};

    use super::Keep;

    diesel::table! {
        pages (id) {
            id -> Integer,
            visits -> Integer,
        }
    }

    #[test]
    fn an_update_that_returns_rows_is_prepared_once() {
        let (mut connection, kept) = counted();
        for visits in 1..4 {
            let page =
                update(pages::table.find(1)).set(pages::visits.eq(visits)).returning(pages::visits).kept();
            assert_eq!(page.load::<i32>(&mut connection), Ok(vec![visits]));
        }
        assert_eq!(kept.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_edit_is_prepared_once_and_returns_no_rows() {
        let (mut connection, kept) = counted();
        for visits in 1..4 {
            let page = update(pages::table.find(1)).set(pages::visits.eq(visits));
            assert_eq!(page.kept_edit().carry_out(&mut connection), Ok(()));
            assert_eq!(pages::table.select(pages::visits).first(&mut connection), Ok(visits));
        }
        // The select as well.
        assert_eq!(kept.load(Ordering::Relaxed), 2);
    }

    /// A database with one page, and how many statements it has kept.
    fn counted() -> (SqliteConnection, Arc<AtomicUsize>) {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection
            .batch_execute(
                "CREATE TABLE pages (id INTEGER PRIMARY KEY NOT NULL, visits INTEGER NOT NULL); INSERT INTO pages VALUES (1, 0)",
            )
            .unwrap();
        let kept = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&kept);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        });
        (connection, kept)
    }
}
