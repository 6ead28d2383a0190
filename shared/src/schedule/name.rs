use std::fmt;

use serde::{Deserialize, Serialize};

/// What people call a schedule: 1 to 100 characters, none of them a control character. No two schedules share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScheduleName(String);

/// Not a usable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a schedule has 1 to 100 characters, none of them a control character")]
pub struct BadScheduleName;

impl ScheduleName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ScheduleName {
    type Err = BadScheduleName;

    /// White space around it is dropped.
    fn from_str(text: &str) -> Result<Self, BadScheduleName> {
        let text = text.trim();
        let usable = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if usable { Ok(Self(text.to_owned())) } else { Err(BadScheduleName) }
    }
}

impl TryFrom<String> for ScheduleName {
    type Error = BadScheduleName;
    fn try_from(text: String) -> Result<Self, BadScheduleName> {
        text.parse()
    }
}

impl From<ScheduleName> for String {
    fn from(name: ScheduleName) -> Self {
        name.0
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        assert_eq!(" nightly ".parse::<ScheduleName>().unwrap().as_str(), "nightly");
        for bad in ["", "  ", "a\nb", "\u{1b}[31m", &"x".repeat(101)] {
            assert!(bad.parse::<ScheduleName>().is_err(), "{bad:?}");
        }
    }
}
