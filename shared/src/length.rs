//! Lengths of time that have limits: a link's deadline, the wait before it is checked again, and those of schedules.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A text that is no length of time, or one beyond its limits (`E`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLength<E> {
    /// Not a number with a unit.
    #[error("`{0}` is no length of time; write something like 5s, 1500ms or 2m")]
    Unreadable(String),
    /// Too short or too long.
    #[error(transparent)]
    BeyondLimits(#[from] E),
}

/// A length in whole milliseconds between two limits. As JSON it is a number of milliseconds; as text, what
/// people write: `5s`, `1500ms`, `2m`.
macro_rules! length_of_time {
    (
        $(#[$about:meta])* $name:ident: $min:literal..=$max:literal;
        $(#[$about_error:meta])* $error:ident = $message:literal
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        $(#[$about_error])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($message)]
        pub struct $error;

        impl $name {
            /// From whole milliseconds.
            pub fn from_millis(ms: u64) -> Result<Self, $error> {
                if ($min..=$max).contains(&ms) { Ok(Self(ms)) } else { Err($error) }
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

        impl TryFrom<u64> for $name {
            type Error = $error;
            fn try_from(ms: u64) -> Result<Self, $error> {
                Self::from_millis(ms)
            }
        }

        impl TryFrom<Duration> for $name {
            type Error = $error;
            fn try_from(length: Duration) -> Result<Self, $error> {
                Self::from_millis(u64::try_from(length.as_millis()).map_err(|_| $error)?)
            }
        }

        impl FromStr for $name {
            type Err = BadLength<$error>;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let length =
                    humantime::parse_duration(text).map_err(|_| BadLength::Unreadable(text.to_owned()))?;
                Ok(Self::try_from(length)?)
            }
        }

        impl From<$name> for u64 {
            fn from(length: $name) -> Self {
                length.0
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.0.is_multiple_of(1_000) {
                    write!(f, "{}s", self.0 / 1_000)
                } else {
                    write!(f, "{}ms", self.0)
                }
            }
        }
    };
}

length_of_time! {
    /// How long one link may take over everything: DNS, connect, TLS, redirects, headers, body, retries.
    /// Between 1 ms and 10 minutes, kept to the millisecond; 5 s by default, as in the original task.
    Timeout: 1..=600_000;
    /// A timeout of zero, or over ten minutes.
    BadTimeout = "a timeout must lie between 1 ms and 10 minutes"
}

impl Default for Timeout {
    fn default() -> Self {
        Self(5_000)
    }
}

length_of_time! {
    /// How long a link about to be hidden is left alone before it is looked at again: the time between the
    /// first look that failed and the second that decides, 1 s to 24 h, kept to the millisecond.
    RecheckAfter: 1_000..=86_400_000;
    /// Shorter than a site needs to recover, or longer than anybody waits for a run.
    BadRecheckAfter = "the time before a link is looked at again must lie between 1 s and 24 h"
}

length_of_time! {
    /// How old the latest result of a link may be to count instead of a new check, 1 s to 30 days.
    ReuseWithin: 1_000..=2_592_000_000;
    /// Shorter than a check takes, or so long that the result says nothing of today.
    BadReuseWithin = "a result that counts again must be from 1 s to 30 days old"
}

length_of_time! {
    /// The time between two ticks of a schedule, 1 s to 366 days.
    Interval: 1_000..=31_622_400_000;
    /// No time at all, or more than a year.
    BadInterval = "the time between two ticks must lie between 1 s and 366 days"
}

length_of_time! {
    /// How late a tick of a schedule may begin, 1 s to 30 days.
    TickDeadline: 1_000..=2_592_000_000;
    /// Shorter than a producer needs to notice a tick, or longer than anybody waits for one.
    BadTickDeadline = "the deadline of a tick must lie between 1 s and 30 days"
}

length_of_time! {
    /// Ticks of a schedule begin up to so much later than they are due, 0 to 24 h.
    Jitter: 0..=86_400_000;
    /// Over a day.
    BadJitter = "the jitter must lie between 0 s and 24 h"
}

/// For `#[serde(with)]`: a value as the text that people write, as settings files want it.
pub mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes its text.
    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Parses a text.
    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    /// The same for a value that may be absent.
    pub mod optional {
        use serde::Serialize;

        use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer};

        /// Writes its text, or nothing.
        pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
            value.as_ref().map(ToString::to_string).serialize(to)
        }

        /// Parses a text. An empty one is none, so that a variable of the environment can take a value of the
        /// settings file back.
        pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<T>, D::Error> {
            let text = Option::<String>::deserialize(from)?.filter(|text| !text.is_empty());
            text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_useful_timeouts_are_taken() {
        assert_eq!(Timeout::default().duration(), Duration::from_secs(5));
        assert_eq!(Timeout::from_millis(0), Err(BadTimeout));
        assert_eq!(Timeout::from_millis(600_001), Err(BadTimeout));
        assert_eq!(Timeout::try_from(Duration::from_micros(10)), Err(BadTimeout));
        assert_eq!(Timeout::from_millis(1_500).unwrap().to_string(), "1500ms");
    }

    #[test]
    fn only_useful_times_before_another_look_are_taken() {
        assert_eq!(RecheckAfter::from_millis(999), Err(BadRecheckAfter));
        assert_eq!(RecheckAfter::try_from(Duration::from_secs(86_401)), Err(BadRecheckAfter));
        let after = RecheckAfter::try_from(Duration::from_secs(86_400)).unwrap();
        assert_eq!((after.as_millis(), after.to_string()), (86_400_000, "86400s".to_owned()));
        assert!(serde_json::from_str::<RecheckAfter>("0").is_err());
    }

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let timeout = |text: &str| text.parse::<Timeout>().map_err(|error| error.to_string());
        assert_eq!(timeout("5s").unwrap(), Timeout::default());
        assert_eq!(timeout("1500ms").unwrap().as_millis(), 1_500);
        assert!(timeout("5").unwrap_err().contains("write something like 5s"));
        assert!(timeout("0s").unwrap_err().contains("1 ms"));
        let after = |text: &str| text.parse::<RecheckAfter>().map_err(|error| error.to_string());
        assert_eq!(after("10m").unwrap().as_millis(), 600_000);
        assert!(after("25h").unwrap_err().contains("24 h"));
    }

    #[test]
    fn an_empty_text_takes_an_optional_length_back() {
        #[derive(Deserialize)]
        struct Settings {
            #[serde(default, with = "as_text::optional")]
            length: Option<Timeout>,
        }
        let read = |json| serde_json::from_str::<Settings>(json).map(|settings| settings.length);
        assert_eq!(read(r#"{"length":"5s"}"#).unwrap(), Some(Timeout::default()));
        for none in [r#"{"length":""}"#, r#"{"length":null}"#, "{}"] {
            assert_eq!(read(none).unwrap(), None, "{none}");
        }
        assert!(read(r#"{"length":" "}"#).unwrap_err().to_string().contains("no length of time"));
    }
}
