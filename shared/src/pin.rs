//! What a person decided about a link for good.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Description;

/// A link that a person hid or showed for good: checks go on, and leave it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// How it stays.
    pub to: Pinned,
    /// Why, in the person's words.
    pub note: Option<Description>,
}

/// How a pinned link stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pinned {
    /// Hidden, whatever checks find.
    Hidden,
    /// Shown, whatever checks find.
    Shown,
}

/// No such word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither hidden nor shown")]
pub struct BadPin(String);

impl Pinned {
    /// The word in tables and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Shown => "shown",
        }
    }

    /// Whether the link is shown.
    pub fn is_shown(self) -> bool {
        self == Self::Shown
    }
}

impl FromStr for Pinned {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        match text.trim() {
            "hidden" => Ok(Self::Hidden),
            "shown" => Ok(Self::Shown),
            other => Err(BadPin(other.to_owned())),
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
