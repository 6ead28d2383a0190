use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Message, schema_of};

/// Routing key under which workers say that they live.
pub const WORKER_ALIVE: &str = "worker.alive";

/// `linkbeat.worker/1`, on the topic exchange `linkbeat.events` under the key `worker.alive`: a worker lives. It says so
/// every few seconds. Nobody need listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerMessage {
    /// `linkbeat.worker/1`
    pub schema: String,
    /// What it is called: `--name`, else its host and process.
    pub name: String,
    /// The version of linkbeat that it runs.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it said this.
    pub at: DateTime<Utc>,
    /// How it is: `starting`, `working`, or `paused` with why.
    pub state: String,
    /// Links that it may check at once.
    pub concurrency: u64,
    /// Checks that are under way.
    pub under_way: u64,
    /// Checks that it has ended since it started.
    pub checked: u64,
}

impl Message for WorkerMessage {
    const SCHEMA: &'static str = "linkbeat.worker";
    const MAX_BYTES: usize = 64 << 10;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl WorkerMessage {
    /// A worker that has just started.
    pub fn started(name: String, concurrency: u64, at: DateTime<Utc>) -> Self {
        Self {
            schema: schema_of::<Self>(),
            name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: at,
            at,
            state: "starting".to_owned(),
            concurrency,
            under_way: 0,
            checked: 0,
        }
    }
}
