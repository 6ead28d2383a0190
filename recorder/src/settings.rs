use serde::{Deserialize, Serialize};

/// What the operator of a recorder may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecorderSettings {
    /// Most result messages stored in one transaction; each holds up to 64 results.
    pub batch_messages: u16,
    /// Milliseconds that a batch which is not full waits for more, when several messages had come already. One
    /// that comes alone never waits.
    pub batch_wait_ms: u64,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self { batch_messages: 256, batch_wait_ms: 20 }
    }
}
