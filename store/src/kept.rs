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

/// Also where a thread has the connection itself.
impl<Q, C> diesel::RunQueryDsl<C> for Kept<Q> {}
