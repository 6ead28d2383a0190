use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, schema_of};
use crate::{Run, RunState};

/// `linkbeat.accepted/1`, to the `reply_to` of a request that asks for it with `"accepted": true`: its run is filed. The
/// report follows when the run ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedMessage {
    /// `linkbeat.accepted/1`
    pub schema: String,
    /// The request.
    pub request_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// Where the run stands. It may have ended, if the request came before.
    pub state: RunState,
    /// How many links it covers.
    pub links: u64,
    /// When it was filed.
    pub created_at: DateTime<Utc>,
}

impl Message for AcceptedMessage {
    const SCHEMA: &'static str = "linkbeat.accepted";
    const MAX_BYTES: usize = 64 << 10;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl From<&Run> for AcceptedMessage {
    fn from(run: &Run) -> Self {
        Self {
            schema: schema_of::<Self>(),
            request_id: run.request_id.0,
            run_id: run.id.0,
            state: run.state,
            links: run.links,
            created_at: run.created_at,
        }
    }
}
