//! Jobs: rows of `jobs`.

use diesel::{Insertable, Queryable, Selectable};
use linkbeat_shared::{JobId, RunId, RunState, ShowRules};

use super::{parse, parse_json, stored_count};
use crate::error::Fault;
use crate::schema::{jobs, runs};
use crate::values::{Id, Ids, Moment};
use crate::{JobKind, PlannedJob, StoredJob};

/// The word in `jobs.state` for a job that lacks results.
pub(crate) const OPEN: &str = "open";
const CHECK: &str = "check";
/// The word for [`JobKind::WhiteListed`] in `jobs.kind`.
pub(crate) const WHITE_LISTED: &str = "white_listed";

/// A job on its way in.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = jobs)]
pub(crate) struct JobRow {
    id: Id,
    run_id: Id,
    kind: &'static str,
    links: Ids,
    links_count: i64,
    body: Vec<u8>,
}

impl JobRow {
    pub(crate) fn new(run: RunId, job: PlannedJob) -> Self {
        Self {
            id: Id(job.id.0),
            run_id: Id(run.0),
            kind: match job.kind {
                JobKind::Check => CHECK,
                JobKind::WhiteListed => WHITE_LISTED,
            },
            links_count: stored_count(job.links.len()),
            links: Ids(job.links.into_iter().map(|link| link.0).collect()),
            body: job.body,
        }
    }
}

/// A job of the outbox.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct OpenJobRow {
    id: Id,
    kind: String,
    body: Option<Vec<u8>>,
}

impl TryFrom<OpenJobRow> for StoredJob {
    type Error = Fault;

    fn try_from(row: OpenJobRow) -> Result<Self, Fault> {
        let id = row.id.0;
        Ok(Self {
            id: JobId(id),
            kind: match row.kind.as_str() {
                CHECK => JobKind::Check,
                WHITE_LISTED => JobKind::WhiteListed,
                other => return Err(Fault::Corrupt(format!("jobs.kind of {id} is `{other}`"))),
            },
            body: row
                .body
                .ok_or_else(|| Fault::Corrupt(format!("jobs.body of the open job {id} is missing")))?,
        })
    }
}

/// A job for which results came, with what its run says about them.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct RecordedJobRow {
    pub(crate) id: Id,
    pub(crate) run_id: Id,
    pub(crate) links: Ids,
    #[diesel(select_expression = runs::seq)]
    pub(crate) run_seq: i64,
    #[diesel(select_expression = runs::state)]
    run_state: String,
    #[diesel(select_expression = runs::show_rules)]
    show_rules: String,
    #[diesel(select_expression = runs::created_at)]
    pub(crate) run_created_at: Moment,
}

impl RecordedJobRow {
    pub(crate) fn run_state(&self) -> Result<RunState, Fault> {
        parse(&self.run_state, "runs.state")
    }

    pub(crate) fn rules(&self) -> Result<ShowRules, Fault> {
        parse_json(&self.show_rules, "runs.show_rules")
    }
}
