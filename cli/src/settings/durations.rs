//! Lengths of time as people write them: `5s`, `1500ms`, `2m`.

use linkbeat_shared::Timeout;

/// Parses a timeout such as `5s`.
pub(crate) fn parse_timeout(text: &str) -> Result<Timeout, String> {
    let length = humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is no length of time; write something like 5s, 1500ms or 2m"))?;
    Timeout::try_from(length).map_err(|error| error.to_string())
}

/// A [`Timeout`] in the settings file.
pub(super) mod timeout {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{Timeout, parse_timeout};

    pub(crate) fn serialize<S: Serializer>(timeout: &Timeout, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(timeout)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timeout, D::Error> {
        parse_timeout(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        assert_eq!(parse_timeout("5s").unwrap(), Timeout::default());
        assert_eq!(parse_timeout("1500ms").unwrap().as_millis(), 1_500);
        assert!(parse_timeout("5").unwrap_err().contains("write something like 5s"));
        assert!(parse_timeout("0s").unwrap_err().contains("1 ms"));
    }
}
