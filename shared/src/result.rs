//! A result: a verdict on its way back.
//!
//! [`CheckResult`] is also its form in messages. Its field names are part of the contract.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Details, LinkId, Phases, Reason, Verdict};

/// What became of one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ResultMessage")]
pub struct CheckResult {
    /// The link.
    #[schemars(with = "Uuid")]
    pub link_id: LinkId,
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
    /// How long its phases took; absent where it was not fetched now. In a box, as results are moved around.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Box<Phases>>,
}

/// What a result did to its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was shown and is hidden now.
    Hidden,
    /// It was hidden and is shown now.
    Shown,
}

impl Change {
    /// The word used in messages, tables and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Shown => "shown",
        }
    }
}

impl std::str::FromStr for Change {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hidden" => Ok(Self::Hidden),
            "shown" => Ok(Self::Shown),
            other => Err(format!("`{other}` is no change of a link")),
        }
    }
}
