use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, schema_of};
use crate::JobId;

/// `linkbeat.parking/1`, on the queue `linkbeat.results`: a job was parked in `linkbeat.dead`, or put back.
///
/// Whoever parks a job, or puts it back, publishes this first, and settles the job's message afterwards. A job is
/// parked if it has more *parked* than *put back* notices. Each `notice_id` counts once. So notices may repeat, and
/// their order does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkingMessage {
    /// `linkbeat.parking/1`
    pub schema: String,
    /// Names the notice: new for each time the job is parked or put back.
    pub notice_id: Uuid,
    /// The job.
    pub job_id: Uuid,
    /// true: it was parked; false: it was put back.
    pub parked: bool,
    /// Why, for people.
    #[serde(default)]
    pub cause: String,
}

impl Message for ParkingMessage {
    const SCHEMA: &'static str = "linkbeat.parking";
    const MAX_BYTES: usize = 64 << 10;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl ParkingMessage {
    /// The job was parked just now.
    pub fn parked(job: JobId, cause: impl Into<String>) -> Self {
        Self {
            schema: schema_of::<Self>(),
            notice_id: Uuid::now_v7(),
            job_id: job.0,
            parked: true,
            cause: cause.into(),
        }
    }

    /// The job was put back just now.
    pub fn requeued(job: JobId) -> Self {
        Self { parked: false, ..Self::parked(job, String::new()) }
    }
}
