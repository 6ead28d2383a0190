//! Changes: rows of `changes`.

use diesel::{Insertable, Queryable, Selectable};
use linkbeat_shared::{Change, LinkId, LinkName, PublicUrl, RunId};
use serde::Serialize;

use super::{parse, reason};
use crate::error::Fault;
use crate::schema::changes;
use crate::traits::ListedChange;
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

/// The same as it is stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = changes)]
pub(crate) struct StoredChangeRow {
    pub(crate) id: i64,
    link_id: Id,
    run_id: Option<Id>,
    pub(crate) at: Moment,
    was_shown: bool,
    shown: bool,
    former_verdict: Option<String>,
    verdict: Option<String>,
    reason: Option<Document>,
}

impl StoredChangeRow {
    /// The change of a link of this name and this key of its URL.
    pub(crate) fn listed(self, name: &str, key: String) -> Result<ListedChange, Fault> {
        let verdict = |word: Option<String>| word.map(|word| parse(&word, "changes.verdict")).transpose();
        Ok(ListedChange {
            id: self.id,
            link_id: LinkId(self.link_id.0),
            name: LinkName::parse(name).map_err(|error| Fault::Corrupt(format!("links.name: {error}")))?,
            url: PublicUrl::from_key(key)
                .ok_or_else(|| Fault::Corrupt("links.url_key is no URL".to_owned()))?,
            run_id: self.run_id.map(|id| RunId(id.0)),
            at: self.at.0,
            change: match (self.was_shown, self.shown) {
                (true, false) => Some(Change::Hidden),
                (false, true) => Some(Change::Shown),
                _ => None,
            },
            shown: self.shown,
            former_verdict: verdict(self.former_verdict)?,
            verdict: verdict(self.verdict)?,
            reason: reason(self.reason.as_ref(), "changes.reason")?,
        })
    }
}
