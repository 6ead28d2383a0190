//! Checks: rows of `checks`.

use diesel::{Queryable, QueryableByName, Selectable};
use linkbeat_shared::{Change, LinkId, LinkName, LinkReport, Verdict};

use super::{details, number, parse, reason};
use crate::error::Fault;
use crate::schema::checks;
use crate::values::{Document, Id, Moment};

/// What a run made of one link.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = checks)]
pub(crate) struct CheckRow {
    pub(crate) run_id: Id,
    pub(crate) link_id: Id,
    pub(crate) job_id: Id,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) verdict: Option<String>,
    pub(crate) reason: Option<Document>,
    pub(crate) status: Option<i32>,
    pub(crate) elapsed_ms: Option<i64>,
    pub(crate) details: Option<Document>,
    pub(crate) checked_at: Moment,
    pub(crate) change: Option<String>,
    pub(crate) shown: bool,
}

impl TryFrom<CheckRow> for LinkReport {
    type Error = Fault;

    fn try_from(row: CheckRow) -> Result<Self, Fault> {
        Ok(Self {
            id: LinkId(row.link_id.0),
            name: LinkName::parse(&row.name)
                .map_err(|error| Fault::Corrupt(format!("checks.name: {error}")))?,
            url: parse(&row.url, "checks.url")?,
            shown: row.shown,
            verdict: verdict(row.verdict.as_deref())?,
            reason: reason(row.reason.as_ref(), "checks.reason")?,
            status: row.status.map(|status| number(status, "checks.status")).transpose()?,
            elapsed_ms: row.elapsed_ms.map(|ms| number(ms, "checks.elapsed_ms")).transpose()?,
            change: change(row.change.as_deref())?,
            details: details(row.details.as_ref(), "checks.details")?,
        })
    }
}

/// Reads a verdict.
pub(crate) fn verdict(word: Option<&str>) -> Result<Option<Verdict>, Fault> {
    word.map(|word| parse(word, "checks.verdict")).transpose()
}

/// Reads a change.
pub(crate) fn change(word: Option<&str>) -> Result<Option<Change>, Fault> {
    word.map(|word| parse(word, "checks.change")).transpose()
}
