//! Queries whose prepared statement a connection keeps.
//!
//! diesel keeps a statement only if its types tell that its text never changes. Of updates, and of whatever holds a
//! piece of SQL as text, it cannot know that. So it prepares such a statement anew each time: one more round trip, and
//! one more plan. [`Keep::kept`] says that the text of a query is one of a few.

use diesel::backend::Backend;
use diesel::prelude::QueryResult;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A query of which there are only a few texts. See [`Keep::kept`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept<Q>(Q);

/// Marks a query whose statement is worth keeping.
pub(crate) trait Keep: Sized {
    /// The text of this query does not grow with its values: there are only a few of them, so the connection may keep
    /// them all. An insert of many rows is none of these, as it has a placeholder for each value.
    fn kept(self) -> Kept<Self> {
        Kept(self)
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
        for visits in 1..4 {
            let page =
                update(pages::table.find(1)).set(pages::visits.eq(visits)).returning(pages::visits).kept();
            assert_eq!(page.load::<i32>(&mut connection), Ok(vec![visits]));
        }
        assert_eq!(kept.load(Ordering::Relaxed), 1);
    }
}
