//! The absolute deadline of one link, as a length.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long one link may take over everything: DNS, connect, TLS, redirects, headers, body, retries.
/// Between 1 ms and 10 minutes, kept to the millisecond; 5 s by default, as in the original task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Timeout(u64);

/// A timeout of zero, or over ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a timeout must lie between 1 ms and 10 minutes")]
pub struct BadTimeout;

impl Timeout {
    const MAX_MS: u64 = 600_000;

    /// From whole milliseconds.
    pub fn from_millis(ms: u64) -> Result<Self, BadTimeout> {
        if (1..=Self::MAX_MS).contains(&ms) { Ok(Self(ms)) } else { Err(BadTimeout) }
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

impl Default for Timeout {
    fn default() -> Self {
        Self(5_000)
    }
}

impl TryFrom<u64> for Timeout {
    type Error = BadTimeout;
    fn try_from(ms: u64) -> Result<Self, BadTimeout> {
        Self::from_millis(ms)
    }
}

impl TryFrom<Duration> for Timeout {
    type Error = BadTimeout;
    fn try_from(length: Duration) -> Result<Self, BadTimeout> {
        Self::from_millis(u64::try_from(length.as_millis()).map_err(|_| BadTimeout)?)
    }
}

impl From<Timeout> for u64 {
    fn from(timeout: Timeout) -> Self {
        timeout.0
    }
}

impl fmt::Display for Timeout {
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
        assert_eq!(Timeout::default().duration(), Duration::from_secs(5));
        assert_eq!(Timeout::from_millis(0), Err(BadTimeout));
        assert_eq!(Timeout::from_millis(600_001), Err(BadTimeout));
        assert_eq!(Timeout::try_from(Duration::from_micros(10)), Err(BadTimeout));
        assert_eq!(Timeout::from_millis(1_500).unwrap().to_string(), "1500ms");
    }
}
