use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, schema_of};
use crate::{CheckResult, Details, JobId, LinkId, Reason, RunId, Verdict};

/// `linkbeat.results/1`, on the queue `linkbeat.results`: what became of a job's links.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ResultsMessage {
    /// `linkbeat.results/1`
    pub schema: String,
    /// The run they belong to.
    pub run_id: Uuid,
    /// The job they come from.
    pub job_id: Uuid,
    /// One entry per link; all of the job's links, or those that were finished when a worker had to stop.
    pub results: Vec<ResultMessage>,
}

/// What became of one link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ResultMessage {
    /// The link.
    pub link_id: Uuid,
    /// The judgement; null: on the white list, not fetched.
    pub verdict: Option<Verdict>,
    /// Why it is not `up`; null when it is.
    pub reason: Option<Reason>,
    /// The final HTTP status, where there was one.
    pub status: Option<u16>,
    /// How long the check took, in milliseconds.
    pub elapsed_ms: u32,
    /// When the check ended, by the worker's clock.
    pub checked_at: DateTime<Utc>,
    /// What else it saw; absent where there is nothing to tell.
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub details: Details,
}

impl Message for ResultsMessage {
    const SCHEMA: &'static str = "linkbeat.results";
    const MAX_BYTES: usize = 4 << 20;
}

impl ResultsMessage {
    /// The results of one job.
    pub fn new(run_id: RunId, job_id: JobId, results: Vec<CheckResult>) -> Self {
        Self {
            schema: schema_of::<Self>(),
            run_id: run_id.0,
            job_id: job_id.0,
            results: results.into_iter().map(ResultMessage::from).collect(),
        }
    }
}

impl From<CheckResult> for ResultMessage {
    fn from(result: CheckResult) -> Self {
        let CheckResult { link_id, verdict, reason, status, elapsed_ms, checked_at, details } = result;
        Self { link_id: link_id.0, verdict, reason, status, elapsed_ms, checked_at, details }
    }
}

impl From<ResultMessage> for CheckResult {
    fn from(message: ResultMessage) -> Self {
        let ResultMessage { link_id, verdict, reason, status, elapsed_ms, checked_at, details } = message;
        Self { link_id: LinkId(link_id), verdict, reason, status, elapsed_ms, checked_at, details }
    }
}
