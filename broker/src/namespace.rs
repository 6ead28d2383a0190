//! The prefix of every name.

use std::fmt;
use std::str::FromStr;

const NAMESPACE_MAX: usize = 64;

/// Prefixes every queue and exchange, such as `linkbeat` in `linkbeat.jobs`: 1 to 64 of `a-z 0-9 _ . -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace(String);

/// Why a text is not a [`Namespace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNamespace {
    /// Empty, too long, or another character.
    #[error("a namespace is 1 to {NAMESPACE_MAX} of the characters a-z 0-9 _ . -")]
    Form,
    /// RabbitMQ keeps these names for itself.
    #[error("names that begin with `amq.` belong to RabbitMQ")]
    Reserved,
}

impl Default for Namespace {
    fn default() -> Self {
        Self("linkbeat".to_owned())
    }
}

impl FromStr for Namespace {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, BadNamespace> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_.-".contains(&c);
        if !(1..=NAMESPACE_MAX).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(BadNamespace::Form);
        }
        if text == "amq" || text.starts_with("amq.") {
            return Err(BadNamespace::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_short_and_plain() {
        for text in ["", "Blog", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert_eq!(text.parse::<Namespace>(), Err(BadNamespace::Form), "{text}");
        }
        for text in ["amq", "amq.x"] {
            assert_eq!(text.parse::<Namespace>(), Err(BadNamespace::Reserved), "{text}");
        }
        assert!("x".repeat(64).parse::<Namespace>().is_ok());
        assert!("amqp".parse::<Namespace>().is_ok());
    }
}
