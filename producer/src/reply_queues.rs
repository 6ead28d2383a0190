//! To whom answers may go: names of queues, as an operator writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a queue that AMQP allows.
const LONGEST: usize = 255;

/// A name of a queue, in which `*` stands for any characters, such as `blog.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReplyQueues(String);

/// Why a text is not a [`ReplyQueues`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern for reply queues is the name of a queue, of 1 to {LONGEST} bytes, and no URL")]
pub struct BadReplyQueues;

impl ReplyQueues {
    /// Whether this queue is meant.
    pub fn matches(&self, queue: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = queue.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The first place where a part fits leaves the most for the others.
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl FromStr for ReplyQueues {
    type Err = BadReplyQueues;

    fn from_str(text: &str) -> Result<Self, BadReplyQueues> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ReplyQueues {
    type Error = BadReplyQueues;

    fn try_from(text: String) -> Result<Self, BadReplyQueues> {
        // A URL was meant for another setting, and may hold a password.
        let is_name = (1..=LONGEST).contains(&text.len()) && !text.contains("//");
        if is_name { Ok(Self(text)) } else { Err(BadReplyQueues) }
    }
}

impl From<ReplyQueues> for String {
    fn from(pattern: ReplyQueues) -> Self {
        pattern.0
    }
}

impl fmt::Display for ReplyQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let cases = [
            ("blog.answers", "blog.answers", true),
            ("blog.answers", "blog.answers.2", false),
            ("blog.*", "blog.answers", true),
            ("blog.*", "blog.", true),
            ("blog.*", "shop.blog.x", false),
            ("*", "", true),
            ("*.answers", "blog.answers", true),
            ("*.answers", "answers", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("a**a", "aa", true),
            ("é*", "ébc", true),
        ];
        for (pattern, queue, fits) in cases {
            assert_eq!(pattern.parse::<ReplyQueues>().unwrap().matches(queue), fits, "{pattern} {queue}");
        }
        assert_eq!("".parse::<ReplyQueues>(), Err(BadReplyQueues));
    }
}
