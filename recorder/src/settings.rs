use serde::{Deserialize, Serialize};

/// What the operator of a recorder may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecorderSettings {
    /// Most result messages stored in one transaction; each holds up to 64 results.
    pub batch_messages: u16,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self { batch_messages: 256 }
    }
}
