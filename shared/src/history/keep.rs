//! For how long history is kept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time for which something is kept: a day to a hundred years, in whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keep {
    hours: u32,
}

/// Not a length of time, or one that nothing is kept for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no length of time between a day and a hundred years; write something like 90d or 2y")]
pub struct BadKeep(String);

const HOUR: u64 = 3_600;
const DAY: u32 = 24;
const LONGEST: u32 = 36_525 * DAY;

impl Keep {
    /// So many days; a day at least, and a hundred years at most.
    pub fn days(days: u32) -> Self {
        Self { hours: days.saturating_mul(DAY).clamp(DAY, LONGEST) }
    }

    /// As a length of time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.hours) * HOUR)
    }
}

impl FromStr for Keep {
    type Err = BadKeep;
    fn from_str(text: &str) -> Result<Self, BadKeep> {
        let bad = || BadKeep(text.to_owned());
        // humantime's year has 365.25 days, which people do not mean.
        let days = |unit: &str, days: u32| {
            text.strip_suffix(unit)?.trim().parse::<u32>().ok()?.checked_mul(days * DAY)
        };
        let hours = match days("y", 365) {
            Some(hours) => hours,
            None => {
                let length = humantime::parse_duration(text).map_err(|_| bad())?;
                u32::try_from(length.as_secs() / HOUR).map_err(|_| bad())?
            }
        };
        if (DAY..=LONGEST).contains(&hours) { Ok(Self { hours }) } else { Err(bad()) }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hours.is_multiple_of(DAY) {
            write!(f, "{}d", self.hours / DAY)
        } else {
            write!(f, "{}h", self.hours)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_people_write_it_and_shown_so_that_it_can_be_read_again() {
        for (text, shown) in
            [("90d", "90d"), ("1y", "365d"), ("36h", "36h"), ("2 weeks", "14d"), ("1d", "1d")]
        {
            let keep: Keep = text.parse().unwrap();
            assert_eq!(keep.to_string(), shown);
            assert_eq!(shown.parse(), Ok(keep));
        }
        for bad in ["", "1h", "90", "101y", "soon", "-1d"] {
            assert!(bad.parse::<Keep>().is_err(), "{bad}");
        }
        assert_eq!(Keep::days(0), Keep::days(1));
    }
}
