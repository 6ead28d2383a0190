//! Lengths of time as people write them: `5s`, `1500ms`, `2m`.

use std::time::Duration;

use linkbeat_shared::{RecheckAfter, Timeout};

/// Parses a timeout such as `5s`.
pub(crate) fn parse_timeout(text: &str) -> Result<Timeout, String> {
    Timeout::try_from(parse_length(text)?).map_err(|error| error.to_string())
}

/// Parses how long a link is left alone before it is looked at again, such as `10m`.
pub(crate) fn parse_recheck_after(text: &str) -> Result<RecheckAfter, String> {
    RecheckAfter::try_from(parse_length(text)?).map_err(|error| error.to_string())
}

fn parse_length(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is no length of time; write something like 5s, 1500ms or 2m"))
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

/// A [`RecheckAfter`] in the settings file; an empty text is none, so that a variable can take it back.
pub(super) mod recheck_after {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{RecheckAfter, parse_recheck_after};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(crate) fn serialize<S: Serializer>(after: &Option<RecheckAfter>, to: S) -> Result<S::Ok, S::Error> {
        match after {
            Some(after) => to.collect_str(after),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RecheckAfter>, D::Error> {
        let text = Option::<String>::deserialize(from)?.filter(|text| !text.is_empty());
        text.map(|text| parse_recheck_after(&text)).transpose().map_err(D::Error::custom)
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
        assert_eq!(parse_recheck_after("10m").unwrap().as_millis(), 600_000);
        assert!(parse_recheck_after("25h").unwrap_err().contains("24 h"));
    }
}
