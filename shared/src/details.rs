//! What a check saw besides its verdict. None of it decides what is shown.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a check saw besides its verdict. Part of the contract, like [`crate::Reason`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Details {
    /// Where redirects led, in order and without userinfo; the last of them gave the final answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<String>,
    /// The certificate of the last server that showed one, also when it was not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What people may want to look at.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub notes: BTreeSet<Note>,
}

impl Details {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A server's certificate (RFC 5280 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The end of its validity, `notAfter`.
    pub expires_at: DateTime<Utc>,
    /// Who issued it: the organization or common name, at most 200 characters.
    pub issuer: String,
}

/// Something worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A redirect led from https to http.
    Downgraded,
    /// The backlink stands in a link with `rel=nofollow`.
    Nofollow,
    /// A note that a newer version of linkbeat gave.
    #[serde(other)]
    Other,
}

impl Note {
    /// The word used in messages and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Downgraded => "downgraded",
            Self::Nofollow => "nofollow",
            Self::Other => "other",
        }
    }
}
