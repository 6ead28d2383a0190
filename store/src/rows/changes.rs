//! Changes: rows of `changes`.

use diesel::Insertable;
use serde::Serialize;

use crate::schema::changes;
use crate::values::{Document, Id, Moment};

/// A link was hidden or shown, or its verdict became another.
#[derive(Debug, Clone, Serialize, Insertable)]
#[diesel(table_name = changes, treat_none_as_default_value = false)]
pub(crate) struct ChangeRow {
    pub(crate) link_id: Id,
    /// The run that found it; `None`: a person did it.
    pub(crate) run_id: Option<Id>,
    pub(crate) at: Moment,
    pub(crate) was_shown: bool,
    pub(crate) shown: bool,
    pub(crate) former_verdict: Option<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) reason: Option<Document>,
}
