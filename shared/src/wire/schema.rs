//! A message is recognized by its `schema` field. This module writes and reads such messages.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A message type that can be told by its `schema` field.
pub trait Message: Serialize + DeserializeOwned + JsonSchema {
    /// What stands before the slash, such as `linkbeat.job`.
    const SCHEMA: &'static str;
    /// The newest version this code understands.
    const VERSION: u32 = 1;
    /// The largest message that is parsed, in bytes.
    const MAX_BYTES: usize;

    /// The value of its `schema` field.
    fn schema(&self) -> &str;
}

/// Why a message could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Over the limit for its type.
    #[error("the message has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// No text in UTF-8.
    #[error("the message is not UTF-8 text: byte {0} is wrong")]
    NotUtf8(usize),
    /// No JSON, or no object with a `schema`.
    #[error("the message is no JSON object with a `schema`: {0}")]
    NoSchema(String),
    /// Another kind of message.
    #[error("the message's schema is `{found}`; `{expected}` was expected")]
    Foreign {
        /// The schema that belongs here.
        expected: String,
        /// The schema it carries.
        found: String,
    },
    /// Made by a newer linkbeat.
    #[error(
        "the message's schema `{0}` is newer than this linkbeat; update linkbeat, then requeue the message"
    )]
    Newer(String),
    /// The right schema, but not its form.
    #[error("the message is not valid: {0}")]
    Invalid(String),
}

/// The `schema` value that messages of this type carry.
pub fn schema_of<M: Message>() -> String {
    format!("{}/{}", M::SCHEMA, M::VERSION)
}

/// A message as bytes.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "plain structs with string keys always serialize")]
    serde_json::to_vec(message).expect("a message serializes")
}

/// Reads a message. Its size is checked first. Its schema is checked with it: a good message is read in one pass.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, Unreadable> {
    check_size(bytes, M::MAX_BYTES)?;
    match serde_json::from_slice::<M>(bytes) {
        Ok(message) => check_schema::<M>(message.schema()).map(|()| message),
        // A message of another schema has another form, so the schema is the better reason.
        Err(error) => {
            std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8(error.valid_up_to()))?;
            check_schema::<M>(&schema_in(bytes)?)?;
            Err(Unreadable::Invalid(without_values(&error)))
        }
    }
}

/// The schema that a message carries.
fn schema_in(bytes: &[u8]) -> Result<String, Unreadable> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Probe {
        schema: String,
    }
    let probe = serde_json::from_slice(bytes).map_err(|error| Unreadable::NoSchema(without_values(&error)));
    probe.map(|probe: Probe| probe.schema)
}

/// What is wrong and where. Texts of the message are cut out: one may be a URL with a password, and this goes to logs
/// and answers.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.find('"'), text.rfind('"')) {
        (Some(begin), Some(end)) if begin < end => format!("{}…{}", &text[..=begin], &text[end..]),
        _ => text,
    }
}

fn check_size(bytes: &[u8], limit: usize) -> Result<(), Unreadable> {
    if bytes.len() > limit { Err(Unreadable::TooLarge { bytes: bytes.len(), limit }) } else { Ok(()) }
}

fn check_schema<M: Message>(found: &str) -> Result<(), Unreadable> {
    let (name, version) = found.split_once('/').unwrap_or((found, ""));
    match version.parse::<u32>() {
        Ok(version) if name == M::SCHEMA && version > M::VERSION => Err(Unreadable::Newer(found.to_owned())),
        Ok(1..) if name == M::SCHEMA => Ok(()),
        _ => Err(Unreadable::Foreign { expected: schema_of::<M>(), found: found.to_owned() }),
    }
}

pub(super) fn default_true() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{JobMessage, RequestMessage};

    fn job(json: &str) -> Result<JobMessage, Unreadable> {
        decode(json.as_bytes())
    }

    #[test]
    fn what_was_found_is_not_repeated() {
        let request = r#"{"schema":"linkbeat.request/1","links":["http://u:se\"cret@a.test/"]}"#;
        let error = decode::<RequestMessage>(request.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("request_id: is missing"), "{error}");
        let error = decode::<JobMessage>(br#"{"schema":"linkbeat.job/1","links":["http://u:secret@a/"]}"#);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("string \"…\", expected struct"), "{error}");
        let error = decode::<RequestMessage>(b"\"http://u:secret@a.test/\"").unwrap_err().to_string();
        assert!(error.contains("no JSON object") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn each_unreadable_message_says_why() {
        assert!(matches!(job("garbage"), Err(Unreadable::NoSchema(_))));
        assert!(matches!(job("[]"), Err(Unreadable::NoSchema(_))));
        let latin = b"{\"schema\":\"linkbeat.job/1\",\"run_id\":\"caf\xe9\"}";
        assert!(matches!(decode::<JobMessage>(latin), Err(Unreadable::NotUtf8(40))));
        assert!(matches!(job(r#"{"schema":"linkbeat.request/1"}"#), Err(Unreadable::Foreign { .. })));
        assert!(matches!(job(r#"{"schema":"linkbeat.job"}"#), Err(Unreadable::Foreign { .. })));
        assert!(matches!(job(r#"{"schema":"linkbeat.job/0"}"#), Err(Unreadable::Foreign { .. })));
        assert!(matches!(job(r#"{"schema":"linkbeat.job/2"}"#), Err(Unreadable::Newer(_))));
        assert!(matches!(job(r#"{"schema":"linkbeat.job/1"}"#), Err(Unreadable::Invalid(_))));
        let large = vec![b' '; JobMessage::MAX_BYTES + 1];
        assert!(matches!(decode::<JobMessage>(&large), Err(Unreadable::TooLarge { .. })));
    }
}
