//! The judgement on one link.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a check found. Every verdict but `up` hides a shown link by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An accepted status, and the backlink where one was asked for.
    Up,
    /// No answer, or one that is not accepted.
    Down,
    /// An accepted status, but no backlink in the page.
    NoBacklink,
    /// An anti-bot wall or rate limit answered, not the site.
    Blocked,
    /// We would not fetch it: an unsafe address or a bad URL.
    Refused,
}

impl Verdict {
    /// All verdicts, in the order reports count them.
    pub const ALL: [Self; 5] = [Self::Up, Self::Down, Self::NoBacklink, Self::Blocked, Self::Refused];

    /// The word used in messages, tables and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::NoBacklink => "no_backlink",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no verdict"))
    }
}
