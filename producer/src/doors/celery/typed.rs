//! JSON as Celery's library kombu writes it, and times as Python writes them.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use super::failure::Failure;

/// Turns kombu's typed values, such as `{"__type__": "uuid", "__value__": "…"}`, into what they hold.
pub(super) fn untyped(value: Value) -> Result<Value, Failure> {
    Ok(match value {
        Value::Array(values) => Value::Array(values.into_iter().map(untyped).collect::<Result<_, _>>()?),
        Value::Object(mut values) if values.contains_key("__type__") => {
            let kind = values.get("__type__").and_then(Value::as_str).unwrap_or_default();
            match kind {
                "datetime" | "date" | "time" | "decimal" | "bytes" => {
                    values.remove("__value__").unwrap_or_default()
                }
                "uuid" => match values.remove("__value__").unwrap_or_default() {
                    Value::Object(mut parts) => parts.remove("hex").unwrap_or_default(),
                    digits => digits,
                },
                "base64" => {
                    return Err(Failure::value_error("an argument is bytes that are no text: send a str"));
                }
                _ => {
                    return Err(Failure::value_error(
                        "an argument has a type that linkbeat does not know: send \
                     strings, numbers, lists and dicts",
                    ));
                }
            }
        }
        Value::Object(values) => {
            let values = values.into_iter().map(|(name, value)| Ok((name, untyped(value)?)));
            Value::Object(values.collect::<Result<Map<_, _>, Failure>>()?)
        }
        plain => plain,
    })
}

/// A moment in ISO 8601. One that names no zone is in UTC.
pub(super) fn moment(text: &str, what: &str) -> Result<DateTime<Utc>, Failure> {
    let aware = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    let naive = || text.parse::<NaiveDateTime>().map(|moment| moment.and_utc());
    aware
        .or_else(|_| naive())
        .map_err(|_| Failure::value_error(format!("the task's {what} is no time in ISO 8601")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn typed_values_become_what_they_hold() {
        let sent = json!([{"a": {"__type__": "decimal", "__value__": "1.5"}}, {"__type__": "bytes", "__value__": "b"}]);
        assert_eq!(untyped(sent).unwrap(), json!([{"a": "1.5"}, "b"]));
        let uuid = json!({"__type__": "uuid", "__value__": {"hex": "0a"}});
        assert_eq!(untyped(uuid).unwrap(), json!("0a"));
        for bad in [
            json!({"__type__": "base64", "__value__": "/w=="}),
            json!({"__type__": "odd"}),
            json!({"__type__": 1}),
        ] {
            assert!(untyped(json!([bad])).is_err());
        }
    }

    #[test]
    fn a_time_without_a_zone_is_in_utc() {
        let expected = "2026-03-01T12:00:00.5Z".parse::<DateTime<Utc>>().unwrap();
        for text in
            ["2026-03-01T12:00:00.5", "2026-03-01T12:00:00.500000+00:00", "2026-03-01T14:00:00.5+02:00"]
        {
            assert_eq!(moment(text, "eta").unwrap(), expected, "{text}");
        }
        assert_eq!(
            moment("soon", "eta").unwrap_err(),
            Failure::value_error("the task's eta is no time in ISO 8601")
        );
    }
}
