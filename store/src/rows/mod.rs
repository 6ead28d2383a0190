//! Rows of both databases, and the words of `linkbeat-shared` they stand for.

mod access;
mod askers;
mod celery_tasks;
mod changes;
mod checks;
mod documents;
mod history;
mod holds;
mod jobs;
mod links;
mod runs;
mod schedules;

use std::fmt::Display;
use std::str::FromStr;

pub(crate) use access::{NewTokenRow, SessionRow, TokenRow};
pub(crate) use askers::{AskedRunRow, AskerRow};
pub(crate) use celery_tasks::{CeleryTaskChangeRow, CeleryTaskRow, EndedTaskRow, NewCeleryTaskRow};
pub(crate) use changes::{ChangeRow, StoredChangeRow};
pub(crate) use checks::{
    CHANGED_OR_FAILED, CheckRow, Did, NOT_REUSED, OPEN_PROPOSALS, Outcome, UNTOLD_CHANGES, outcomes_of,
};
use documents::{details, details_document, link_document, of_link, proposed_document, reason};
pub(crate) use history::{DayRow, HourRow, LateCheckRow, RawCheck, RawColumns, hour_of};
pub(crate) use holds::{AlikeRow, Hold, OUT_OF_REACH, ProposalRow, REACHED, UnsettledRunRow, UntoldRunRow};
pub(crate) use jobs::{
    DONE, JobRow, OPEN, OPEN_JOBS, OpenJobRow, PARKED, RECHECK, RECHECKS, RecordedJobRow, UnpublishedRunRow,
    check_spec, job_kind, unpublished_runs_sql,
};
pub(crate) use links::{CountRow, LinkRow, RemovedLinkRow};
pub(crate) use runs::{EndedRunRow, NewRunRow, RunCountsRow, RunRow, Tally, check_spec_text};
pub(crate) use schedules::{
    NewScheduleRow, NextTickRow, ScheduleChangeRow, ScheduleRow, TickCountsRow, TickRow,
};

use crate::error::Fault;

/// Parses a stored text; `what` names it.
pub(crate) fn parse<T: FromStr<Err: Display>>(text: &str, what: &str) -> Result<T, Fault> {
    text.parse().map_err(|error| Fault::Corrupt(format!("{what}: {error}")))
}

/// Reads stored JSON; `what` names it.
fn parse_json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Corrupt(format!("{what}: {error}")))
}

/// A stored number as one of a smaller type; `what` names it.
pub(crate) fn number<T: TryFrom<N>, N: Copy + Display>(stored: N, what: &str) -> Result<T, Fault> {
    T::try_from(stored).map_err(|_| Fault::Corrupt(format!("{what} is {stored}")))
}

/// A count as the databases keep it.
pub(crate) fn stored_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
