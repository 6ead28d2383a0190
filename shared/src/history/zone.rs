//! The time zone in which days begin.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// Not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time zone; write a name of the IANA database, such as Europe/Berlin, Asia/Shanghai or UTC"
)]
pub struct BadZone(String);

/// Clocks that go forward skip at most a day (Samoa, 2011), in steps of this.
const STEP: TimeDelta = TimeDelta::minutes(15);
const STEPS: usize = 4 * 26;

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The day on which a moment lies.
    pub fn day_of(self, moment: DateTime<Utc>) -> NaiveDate {
        moment.with_timezone(&self.0).date_naive()
    }

    /// When a day begins: with its first moment, at midnight unless the clocks skip it.
    pub fn begin_of(self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        let mut local = midnight;
        for _ in 0..STEPS {
            if let Some(begin) = self.0.from_local_datetime(&local).earliest() {
                return begin.with_timezone(&Utc);
            }
            local += STEP;
        }
        midnight.and_utc()
    }

    /// When a day ends: when the next one begins.
    pub fn end_of(self, day: NaiveDate) -> DateTime<Utc> {
        self.begin_of(day.checked_add_days(Days::new(1)).unwrap_or(day))
    }

    /// Its name in the IANA database.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for Zone {
    type Err = BadZone;
    fn from_str(text: &str) -> Result<Self, BadZone> {
        text.parse().map(Self).map_err(|_| BadZone(text.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_23_to_25_hours_and_no_moment_is_in_none() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let hours = |zone: Zone, day: &str| {
            let day = day.parse().unwrap();
            (zone.end_of(day) - zone.begin_of(day)).num_hours()
        };
        assert_eq!(hours(berlin, "2026-03-29"), 23);
        assert_eq!(hours(berlin, "2026-10-25"), 25);
        assert_eq!(hours(berlin, "2026-07-01"), 24);
        assert_eq!(hours(Zone::UTC, "2026-03-29"), 24);
        // Here midnight itself is skipped.
        assert_eq!(hours("America/Sao_Paulo".parse().unwrap(), "2018-11-04"), 23);
        for name in ["Europe/Berlin", "Asia/Shanghai", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"]
        {
            let zone: Zone = name.parse().unwrap();
            let mut moment: DateTime<Utc> = "2011-12-20T00:00:00Z".parse().unwrap();
            while moment < "2012-01-10T00:00:00Z".parse::<DateTime<Utc>>().unwrap() {
                let day = zone.day_of(moment);
                assert!(zone.begin_of(day) <= moment && moment < zone.end_of(day), "{name} {moment}");
                moment += TimeDelta::minutes(7);
            }
        }
    }

    #[test]
    fn names_are_those_of_the_iana_database() {
        assert_eq!("Asia/Shanghai".parse::<Zone>().unwrap().to_string(), "Asia/Shanghai");
        assert!("Berlin".parse::<Zone>().unwrap_err().to_string().contains("Europe/Berlin"));
        assert_eq!(Zone::default(), Zone::UTC);
    }
}
