//! The statuses that count as an answer: exactly 200, unless a request widens it.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A set of HTTP statuses, written `200,204,300-399`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AcceptedStatuses(Vec<RangeInclusive<u16>>);

/// Not a list of statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no list of statuses; write something like 200,204,300-399 (each from 100 to 599)")]
pub struct BadStatuses(String);

impl AcceptedStatuses {
    /// Whether this status counts as an answer.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for AcceptedStatuses {
    fn default() -> Self {
        Self(vec![200..=200])
    }
}

impl FromStr for AcceptedStatuses {
    type Err = BadStatuses;

    fn from_str(text: &str) -> Result<Self, BadStatuses> {
        let bad = || BadStatuses(text.to_owned());
        let status = |part: &str| {
            part.trim().parse().ok().filter(|status| (100..=599).contains(status)).ok_or_else(bad)
        };
        text.split(',')
            .map(|part| {
                let (low, high) = part.split_once('-').unwrap_or((part, part));
                let range = status(low)?..=status(high)?;
                if range.is_empty() { Err(bad()) } else { Ok(range) }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl TryFrom<String> for AcceptedStatuses {
    type Error = BadStatuses;
    fn try_from(text: String) -> Result<Self, BadStatuses> {
        text.parse()
    }
}

impl From<AcceptedStatuses> for String {
    fn from(statuses: AcceptedStatuses) -> Self {
        statuses.to_string()
    }
}

impl fmt::Display for AcceptedStatuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (low, high) if low == high => write!(f, "{comma}{low}")?,
                (low, high) => write!(f, "{comma}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read_and_written_alike() {
        let statuses: AcceptedStatuses = "200, 204,300-399".parse().unwrap();
        assert_eq!(statuses.to_string(), "200,204,300-399");
        assert!(statuses.contains(204) && statuses.contains(350) && !statuses.contains(404));
        assert!(AcceptedStatuses::default().contains(200) && !AcceptedStatuses::default().contains(204));
        for bad in ["", "20", "600", "300-200", "abc", "200,,204", "200-"] {
            assert!(bad.parse::<AcceptedStatuses>().is_err(), "{bad}");
        }
    }
}
