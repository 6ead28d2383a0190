//! How long a link about to be hidden is left alone before it is looked at again.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The time between the first look that failed and the second that decides: 1 s to 24 h, kept to the
/// millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct RecheckAfter(u64);

/// Shorter than a site needs to recover, or longer than anybody waits for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time before a link is looked at again must lie between 1 s and 24 h")]
pub struct BadRecheckAfter;

impl RecheckAfter {
    const MIN_MS: u64 = 1_000;
    const MAX_MS: u64 = 24 * 60 * 60 * 1_000;

    /// From whole milliseconds.
    pub fn from_millis(ms: u64) -> Result<Self, BadRecheckAfter> {
        if (Self::MIN_MS..=Self::MAX_MS).contains(&ms) { Ok(Self(ms)) } else { Err(BadRecheckAfter) }
    }

    /// In whole milliseconds.
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// As a length of time.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl TryFrom<u64> for RecheckAfter {
    type Error = BadRecheckAfter;
    fn try_from(ms: u64) -> Result<Self, BadRecheckAfter> {
        Self::from_millis(ms)
    }
}

impl TryFrom<Duration> for RecheckAfter {
    type Error = BadRecheckAfter;
    fn try_from(length: Duration) -> Result<Self, BadRecheckAfter> {
        Self::from_millis(u64::try_from(length.as_millis()).map_err(|_| BadRecheckAfter)?)
    }
}

impl From<RecheckAfter> for u64 {
    fn from(after: RecheckAfter) -> Self {
        after.0
    }
}

impl fmt::Display for RecheckAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) {
            write!(f, "{}s", self.0 / 1_000)
        } else {
            write!(f, "{}ms", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_useful_lengths_are_taken() {
        assert_eq!(RecheckAfter::from_millis(999), Err(BadRecheckAfter));
        assert_eq!(RecheckAfter::try_from(Duration::from_secs(86_401)), Err(BadRecheckAfter));
        let after = RecheckAfter::try_from(Duration::from_secs(86_400)).unwrap();
        assert_eq!((after.as_millis(), after.to_string()), (86_400_000, "86400s".to_owned()));
        assert!(serde_json::from_str::<RecheckAfter>("0").is_err());
    }
}
