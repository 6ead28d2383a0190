use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, schema_of};
use crate::RunId;

/// `linkbeat.cancel/1`, on the stream `linkbeat.broadcast`: somebody stopped a run; its links need no check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelMessage {
    /// `linkbeat.cancel/1`
    pub schema: String,
    /// The run.
    pub run_id: Uuid,
}

impl Message for CancelMessage {
    const SCHEMA: &'static str = "linkbeat.cancel";
    const MAX_BYTES: usize = 64 << 10;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl CancelMessage {
    /// The run was stopped.
    pub fn new(run: RunId) -> Self {
        Self { schema: schema_of::<Self>(), run_id: run.0 }
    }
}
