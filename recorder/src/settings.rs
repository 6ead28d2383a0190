use linkbeat_shared::as_text;
use linkbeat_shared::history::{Keep, Zone};
use linkbeat_store::HistoryRules;
use serde::{Deserialize, Serialize};

/// What the operator of a recorder may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecorderSettings {
    /// Most result messages stored in one transaction; each holds up to 64 results.
    pub batch_messages: u16,
    /// Milliseconds that a batch which is not full waits for more, when several messages had come already. One
    /// that comes alone waits only if it is of a large run.
    pub batch_wait_ms: u64,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self { batch_messages: 256, batch_wait_ms: 20 }
    }
}

/// For how long history is kept. What is absent is kept for ever.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// Single checks, and the jobs that they came from.
    #[serde(with = "as_text::optional")]
    pub retention: Option<Keep>,
    /// Runs that have ended, with their counts and the ids of their requests. Never shorter than `retention`.
    #[serde(with = "as_text::optional")]
    pub runs: Option<Keep>,
    /// The hours of each link. Its days are kept for ever.
    #[serde(with = "as_text::optional")]
    pub hourly: Option<Keep>,
    /// Where days begin.
    #[serde(with = "as_text")]
    pub time_zone: Zone,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self {
            retention: Some(Keep::days(90)),
            runs: Some(Keep::days(365)),
            hourly: Some(Keep::days(14)),
            time_zone: Zone::UTC,
        }
    }
}

impl HistorySettings {
    /// As the database takes them.
    pub fn rules(&self) -> HistoryRules {
        HistoryRules { zone: self.time_zone, checks: self.retention, runs: self.runs, hours: self.hourly }
    }
}
