//! The backlink pattern: a regular expression searched in a page.
//!
//! A pattern comes with each job of a run, and compiling it costs more than a check. So a process keeps the patterns
//! that it compiled last, and compiles none of them twice.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize, Serializer};

use crate::pattern_cost::costs_too_much;

/// Longest pattern taken, in bytes. Operators may lower it per worker.
const MAX_BYTES: usize = 1_000;
/// Most memory a compiled pattern may take, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;
/// Patterns that are kept. With more in use at once, some are compiled again.
const KEPT: usize = 16;

/// The patterns of this process, the latest first.
static COMPILED: Mutex<VecDeque<BacklinkPattern>> = Mutex::new(VecDeque::new());

/// A pattern that compiles, in the syntax of the `regex` crate: linear time, whatever the page says. Clones are cheap.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct BacklinkPattern(Arc<Compiled>);

struct Compiled {
    regex: Regex,
    /// Known once somebody asked.
    costs_too_much: OnceLock<bool>,
}

/// Where in a page the pattern is searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BacklinkIn {
    /// Anywhere in its text, as in the original task: also in comments and scripts.
    #[default]
    Text,
    /// In the `href` of a real `<a>` alone.
    Anchor,
}

impl FromStr for BacklinkIn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "anchor" => Ok(Self::Anchor),
            other => Err(format!("`{other}` is neither text nor anchor")),
        }
    }
}

/// Why a text is no usable backlink pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// An empty pattern would be found in every page.
    #[error("the backlink pattern is empty, so every page would match it")]
    Empty,
    /// Over the length limit (1,000 bytes).
    #[error("the backlink pattern is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Look-ahead or look-behind.
    #[error(
        "the backlink pattern uses look-around (`{0}`), which linkbeat's regex engine leaves out to stay \
         linear on hostile pages; write the pattern without it"
    )]
    LookAround(String),
    /// `\1` and its like.
    #[error(
        "the backlink pattern uses a back-reference (`{0}`), which linkbeat's regex engine leaves out to \
         stay linear on hostile pages; write the pattern without it"
    )]
    BackReference(String),
    /// No regular expression.
    #[error("the backlink pattern is no regular expression: {0}")]
    Syntax(String),
    /// Compiles to more than 1 MiB.
    #[error("the backlink pattern compiles to more than {MAX_COMPILED_BYTES} bytes; repeat less")]
    TooBig,
    /// There are pages on which it takes too long.
    #[error(
        "the backlink pattern takes too long on some pages; repeat less, or write it without optional parts"
    )]
    TooSlow,
}

impl BacklinkPattern {
    /// Takes a pattern from a request, a flag or a setting: as [`BacklinkPattern::parse`], and only if no page makes it
    /// take too long. A job does not ask again, so that jobs of an older version are still done.
    pub fn accept(text: &str) -> Result<Self, BadPattern> {
        let pattern = Self::parse(text)?;
        if *pattern.0.costs_too_much.get_or_init(|| costs_too_much(text)) {
            return Err(BadPattern::TooSlow);
        }
        Ok(pattern)
    }

    /// Compiles a pattern, unless that was done before; `\.` and the like mean what they mean in Python's `re`.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if let Some(known) = Self::known(text) {
            return Ok(known);
        }
        // Not under the lock: it takes some milliseconds at worst, and others need not wait for that.
        let compiled = Self::compile(text)?;
        let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        kept.push_front(compiled.clone());
        Ok(compiled)
    }

    /// The pattern of this text, where it is kept. It is the latest then.
    fn known(text: &str) -> Option<Self> {
        let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|pattern| pattern.as_str() == text)?;
        let pattern = kept.remove(place)?;
        kept.push_front(pattern.clone());
        Some(pattern)
    }

    fn compile(text: &str) -> Result<Self, BadPattern> {
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(BadPattern::TooLong);
        }
        explain(text)?;
        let compiled = RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).build();
        let whole = |regex| Self(Arc::new(Compiled { regex, costs_too_much: OnceLock::new() }));
        compiled.map(whole).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => BadPattern::TooBig,
            other => BadPattern::Syntax(other.to_string()),
        })
    }

    /// The compiled expression.
    pub fn regex(&self) -> &Regex {
        &self.0.regex
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.regex.as_str()
    }
}

/// Parses the syntax alone, to name the very part that is not supported.
fn explain(text: &str) -> Result<(), BadPattern> {
    use regex_syntax::ast::{ErrorKind, parse::Parser};
    let Err(error) = Parser::new().parse(text) else { return Ok(()) };
    let span = error.span();
    let part = text.get(span.start.offset..span.end.offset).unwrap_or(text).to_owned();
    Err(match error.kind() {
        ErrorKind::UnsupportedLookAround => BadPattern::LookAround(part),
        ErrorKind::UnsupportedBackreference => BadPattern::BackReference(part),
        kind => BadPattern::Syntax(format!("{kind}, at character {} (`{part}`)", span.start.column)),
    })
}

impl PartialEq for BacklinkPattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for BacklinkPattern {}

impl FromStr for BacklinkPattern {
    type Err = BadPattern;
    fn from_str(text: &str) -> Result<Self, BadPattern> {
        Self::accept(text)
    }
}

impl TryFrom<String> for BacklinkPattern {
    type Error = BadPattern;
    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::accept(&text)
    }
}

impl Serialize for BacklinkPattern {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl fmt::Debug for BacklinkPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BacklinkPattern({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_the_backlink() {
        let pattern = BacklinkPattern::parse(r#"href="https?://(www\.)?me\.example/?""#).unwrap();
        assert!(pattern.regex().is_match(r#"<a href="https://me.example/">me</a>"#));
        assert!(!pattern.regex().is_match(r#"<a href="https://you.example/">you</a>"#));
    }

    #[test]
    fn a_pattern_is_compiled_once_while_it_is_in_use() {
        let often = BacklinkPattern::parse("in use").unwrap();
        for number in 0..2 * KEPT {
            BacklinkPattern::parse(&format!("another {number}")).unwrap();
            let again = BacklinkPattern::parse("in use").unwrap();
            assert!(Arc::ptr_eq(&often.0, &again.0), "after {number} others");
        }
        assert!(COMPILED.lock().unwrap().len() <= KEPT);
        let other = BacklinkPattern::parse("another 0").unwrap();
        assert!(!Arc::ptr_eq(&often.0, &other.0));
    }

    #[test]
    fn unsupported_patterns_name_the_part() {
        assert_eq!(BacklinkPattern::parse("a(?=b)"), Err(BadPattern::LookAround("(?=".into())));
        assert_eq!(BacklinkPattern::parse("(?<!a)b"), Err(BadPattern::LookAround("(?<!".into())));
        assert_eq!(BacklinkPattern::parse(r"(a)\1"), Err(BadPattern::BackReference(r"\1".into())));
        assert_eq!(BacklinkPattern::parse(""), Err(BadPattern::Empty));
        assert_eq!(BacklinkPattern::parse("a{1000}{1000}"), Err(BadPattern::TooBig));
        assert_eq!("(?:a?){400}a{400}Z\\b".parse::<BacklinkPattern>(), Err(BadPattern::TooSlow));
        assert!(BacklinkPattern::parse("(?:a?){400}a{400}Z\\b").is_ok(), "in a job of an older version");
        let error = BacklinkPattern::parse("ab(c").unwrap_err().to_string();
        assert!(error.contains("unclosed group") && error.contains("character 3"), "{error}");
    }
}
