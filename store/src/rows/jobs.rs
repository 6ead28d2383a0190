//! Jobs: rows of `jobs`.

use diesel::{Insertable, Queryable, QueryableByName, Selectable};
use std::time::Duration;

use linkbeat_shared::{CheckSpec, JobId, RequestId, RunId, RunSize, RunState, ShowRules};

use super::runs::TraceColumns;
use super::{Hold, number, parse, parse_json, stored_count};
use crate::error::Fault;
use crate::schema::{jobs, runs, sql};
use crate::values::{Id, Ids, Moment};
use crate::{JobKind, PlannedJob, StoredJob, UnpublishedRun};

/// The word in `jobs.state` for a job that lacks results.
pub(crate) const OPEN: &str = "open";
/// The condition for it, as the partial indexes have it: of a value that is bound, neither database's planner knows
/// in time that it is theirs.
pub(crate) const OPEN_JOBS: &str = "jobs.state = 'open'";
/// The word in `jobs.state` for a job whose links all have a result, or that nobody works on any more.
pub(crate) const DONE: &str = "done";
/// The word in `jobs.state` for a job whose message is in the dead queue.
pub(crate) const PARKED: &str = "parked";
const CHECK: &str = "check";
/// The word for [`JobKind::Recheck`] in `jobs.kind`.
pub(crate) const RECHECK: &str = "recheck";
/// The condition for it, as the partial index has it.
pub(crate) const RECHECKS: &str = "jobs.kind = 'recheck'";
/// The word for [`JobKind::Known`] in `jobs.kind`.
const KNOWN: &str = "white_listed";

/// A job on its way in.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
pub(crate) struct JobRow {
    pub(crate) id: Id,
    run_id: Id,
    kind: &'static str,
    links: Ids,
    links_count: i64,
    body: Vec<u8>,
    due_at: Option<Moment>,
}

impl JobRow {
    /// `due_at`: when it may be worked on; `None`: at once.
    pub(crate) fn new(run: RunId, job: PlannedJob, due_at: Option<Moment>) -> Self {
        Self {
            id: Id(job.id.0),
            run_id: Id(run.0),
            kind: match job.kind {
                JobKind::Check => CHECK,
                JobKind::Known => KNOWN,
                JobKind::Recheck => RECHECK,
            },
            links_count: stored_count(job.links.len()),
            links: Ids(job.links.into_iter().map(|link| link.0).collect()),
            body: job.body,
            due_at,
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
    due_at: Option<Moment>,
    #[diesel(select_expression = runs::links)]
    run_links: i64,
    #[diesel(embed)]
    trace: TraceColumns,
}

impl OpenJobRow {
    /// The job as it stands at this moment of the database's clock.
    pub(crate) fn at(self, now: Moment) -> Result<StoredJob, Fault> {
        let id = self.id.0;
        let left = self.due_at.map(|due| due.0 - now.0);
        Ok(StoredJob {
            id: JobId(id),
            kind: job_kind(&self.kind)?,
            body: self
                .body
                .ok_or_else(|| Fault::Corrupt(format!("jobs.body of the open job {id} is missing")))?,
            run_size: RunSize::of(number(self.run_links, "runs.links")?),
            trace: self.trace.into(),
            due_in: left.and_then(|left| left.to_std().ok()).unwrap_or(Duration::ZERO),
        })
    }
}

/// A run with jobs that were never published.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct UnpublishedRunRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = sql::Id)]
    request_id: Id,
    #[diesel(sql_type = sql::Moment)]
    created_at: Moment,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    links: i64,
    /// When the job was published that comes before the next.
    #[diesel(sql_type = diesel::sql_types::Nullable<sql::Moment>)]
    published_at: Option<Moment>,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    traceparent: Option<String>,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    tracestate: Option<String>,
}

impl From<UnpublishedRunRow> for UnpublishedRun {
    fn from(row: UnpublishedRunRow) -> Self {
        let trace = TraceColumns { traceparent: row.traceparent, tracestate: row.tracestate };
        Self {
            id: RunId(row.id.0),
            request_id: RequestId(row.request_id.0),
            created_at: row.created_at.0,
            size: RunSize::of(row.links.unsigned_abs()),
            begun: row.published_at.is_some(),
            trace: trace.into(),
        }
    }
}

/// Finds runs by the first of their jobs that was never published, and the one before it: the jobs of a run are
/// published in the order of their ids. Each is one step in an index, however many jobs a run has.
///
/// The first value is the run that is asked for, or NULL for any; the last is the limit. With `idle` there is one
/// between them: since that moment both jobs have been as they are.
pub(crate) fn unpublished_runs_sql(idle: bool) -> String {
    let (idle, limit) = if idle {
        let since = "AND (SELECT created_at FROM jobs WHERE jobs.id = next_job) < $2
             AND (published_at IS NULL OR published_at < $2)";
        (since, "$3")
    } else {
        ("", "$2")
    };
    format!(
        "WITH unpublished AS MATERIALIZED (
             SELECT id, request_id, seq, created_at, links, traceparent, tracestate,
                    (SELECT jobs.id FROM jobs
                     WHERE jobs.run_id = runs.id AND {OPEN_JOBS} AND jobs.published_at IS NULL
                       AND jobs.kind <> '{RECHECK}'
                     ORDER BY jobs.id LIMIT 1) AS next_job
             FROM runs
             WHERE state IN ('running', 'incomplete') AND ($1 IS NULL OR id = $1)
         ), last_published AS MATERIALIZED (
             SELECT id, request_id, seq, created_at, links, traceparent, tracestate, next_job,
                    (SELECT jobs.published_at FROM jobs
                     WHERE jobs.run_id = unpublished.id AND jobs.id < next_job AND jobs.kind <> '{RECHECK}'
                     ORDER BY jobs.id DESC LIMIT 1) AS published_at
             FROM unpublished WHERE next_job IS NOT NULL
         )
         SELECT id, request_id, created_at, links, published_at, traceparent, tracestate FROM last_published
         WHERE true {idle}
         ORDER BY seq LIMIT {limit}"
    )
}

/// A job for which results came, with what its run says about them.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct RecordedJobRow {
    pub(crate) id: Id,
    pub(crate) run_id: Id,
    state: String,
    kind: String,
    pub(crate) links: Ids,
    #[diesel(select_expression = runs::request_id)]
    pub(crate) request_id: Id,
    #[diesel(select_expression = runs::seq)]
    pub(crate) run_seq: i64,
    #[diesel(select_expression = runs::state)]
    run_state: String,
    #[diesel(select_expression = runs::hold)]
    hold: String,
    #[diesel(select_expression = runs::check_spec)]
    pub(crate) check_spec: String,
    #[diesel(select_expression = runs::show_rules)]
    show_rules: String,
    #[diesel(select_expression = runs::created_at)]
    pub(crate) run_created_at: Moment,
}

impl RecordedJobRow {
    pub(crate) fn run_state(&self) -> Result<RunState, Fault> {
        parse(&self.run_state, "runs.state")
    }

    pub(crate) fn hold(&self) -> Result<Hold, Fault> {
        parse(&self.hold, "runs.hold")
    }

    /// Its message is in the dead queue.
    pub(crate) fn parked(&self) -> bool {
        self.state == PARKED
    }

    pub(crate) fn kind(&self) -> Result<JobKind, Fault> {
        job_kind(&self.kind)
    }

    pub(crate) fn rules(&self) -> Result<ShowRules, Fault> {
        parse_json(&self.show_rules, "runs.show_rules")
    }
}

/// Reads `jobs.kind`.
pub(crate) fn job_kind(word: &str) -> Result<JobKind, Fault> {
    match word {
        CHECK => Ok(JobKind::Check),
        KNOWN => Ok(JobKind::Known),
        RECHECK => Ok(JobKind::Recheck),
        other => Err(Fault::Corrupt(format!("jobs.kind is `{other}`"))),
    }
}

/// How the links of a run are checked, from `runs.check_spec`.
pub(crate) fn check_spec(stored: &str) -> Result<CheckSpec, Fault> {
    parse_json(stored, "runs.check_spec")
}
