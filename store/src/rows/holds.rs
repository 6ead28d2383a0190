//! What is kept of runs that may be held back: columns of `runs`, and rows of `alike`.

use std::str::FromStr;

use diesel::{Insertable, Queryable, Selectable};
use linkbeat_shared::{Alike, Details, RequestId, RunId, ShowRules, TraceContext};

use super::runs::TraceColumns;
use super::{Outcome, details, number, parse, parse_json, proposed_document};
use crate::error::Fault;
use crate::schema::{alike, proposals, runs};
use crate::values::{Document, Id};

/// Whether the results of a run are only proposed: the words of `runs.hold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// They are: it is not clear yet whether most of its links change alike.
    Open,
    /// They are applied: most of its links do not change alike.
    Free,
    /// They are: most of its links change alike, and a person is to decide.
    Held,
    /// They are applied, as a person decided.
    Applied,
    /// They change nothing, as a person decided. Or the run was cancelled before it was clear.
    Discarded,
}

impl Hold {
    /// The word in the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Free => "free",
            Self::Held => "held",
            Self::Applied => "applied",
            Self::Discarded => "discarded",
        }
    }
}

impl FromStr for Hold {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Open, Self::Free, Self::Held, Self::Applied, Self::Discarded]
            .into_iter()
            .find(|hold| hold.as_str() == text)
            .ok_or_else(|| format!("`{text}` says nothing about holding back"))
    }
}

macro_rules! most_alike {
    () => {
        "(SELECT coalesce(max(alike.links), 0) FROM alike WHERE alike.run_id = runs.id)"
    };
}

/// The condition for a run in which too few links change alike, even if all links without a result did.
pub(crate) const OUT_OF_REACH: &str = concat!(
    "runs.hold = 'open' AND runs.needed > ",
    most_alike!(),
    " + runs.to_check - (runs.up + runs.down + runs.no_backlink + runs.blocked + runs.refused)"
);
/// The condition for a run in which enough links change alike.
pub(crate) const REACHED: &str = concat!("runs.hold = 'open' AND runs.needed <= ", most_alike!());

/// How many links of a run change in one way for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = alike)]
pub(crate) struct AlikeRow {
    pub(crate) run_id: Id,
    pub(crate) change: String,
    /// Empty: the links passed.
    pub(crate) reason_type: String,
    pub(crate) links: i64,
}

impl TryFrom<AlikeRow> for Alike {
    type Error = Fault;

    fn try_from(row: AlikeRow) -> Result<Self, Fault> {
        Ok(Self {
            change: parse(&row.change, "alike.change")?,
            reason: (!row.reason_type.is_empty()).then_some(row.reason_type),
            links: number(row.links, "alike.links")?,
        })
    }
}

/// A check that only proposed to hide or show its link, and what became of that.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = proposals, treat_none_as_default_value = false)]
pub(crate) struct ProposalRow {
    pub(crate) run_id: Id,
    pub(crate) link_id: Id,
    outcome: i16,
    details: Option<Document>,
}

impl ProposalRow {
    /// `details`: what the check saw.
    pub(crate) fn new(run_id: Id, link_id: Id, outcome: Outcome, details: Details) -> Self {
        Self { run_id, link_id, outcome: outcome.code(), details: proposed_document(details) }
    }

    pub(crate) fn outcome(&self) -> Result<Outcome, Fault> {
        Outcome::of(self.outcome)
    }

    pub(crate) fn details(&self) -> Result<Details, Fault> {
        details(self.details.as_ref(), "proposals.details")
    }
}

/// A run with proposals that are to be carried out or dropped.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct UnsettledRunRow {
    pub(crate) id: Id,
    pub(crate) seq: i64,
    hold: String,
    pub(crate) check_spec: String,
    show_rules: String,
}

impl UnsettledRunRow {
    pub(crate) fn hold(&self) -> Result<Hold, Fault> {
        parse(&self.hold, "runs.hold")
    }

    pub(crate) fn rules(&self) -> Result<ShowRules, Fault> {
        parse_json(&self.show_rules, "runs.show_rules")
    }
}

/// A run with changes that are to be told.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct UntoldRunRow {
    id: Id,
    request_id: Id,
    #[diesel(embed)]
    trace: TraceColumns,
}

impl UntoldRunRow {
    /// The run, its request and its trace.
    pub(crate) fn names(self) -> (RunId, RequestId, Option<TraceContext>) {
        (RunId(self.id.0), RequestId(self.request_id.0), self.trace.into())
    }
}
