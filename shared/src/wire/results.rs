use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, schema_of};
use crate::{CheckResult, JobId, RunId};

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
    pub results: Vec<CheckResult>,
}

impl Message for ResultsMessage {
    const SCHEMA: &'static str = "linkbeat.results";
    const MAX_BYTES: usize = 4 << 20;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl ResultsMessage {
    /// The results of one job.
    pub fn new(run_id: RunId, job_id: JobId, results: Vec<CheckResult>) -> Self {
        Self { schema: schema_of::<Self>(), run_id: run_id.0, job_id: job_id.0, results }
    }
}
