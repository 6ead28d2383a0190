//! Values as the API reads and writes them. What a schema says of them is checked when they are read.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use linkbeat_shared::{Change, Verdict};
use linkbeat_store::Cursor;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Most things on a page.
pub(super) const MOST: u32 = 200;
/// As many are on it if nobody says.
const USUAL: u32 = 50;

/// Text of 1 to `MAX` characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<const MAX: usize>(String);

impl<const MAX: usize> Line<MAX> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Line<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.chars().any(char::is_control) {
            return Err(D::Error::custom("a control character is not allowed"));
        }
        if !(1..=MAX).contains(&text.chars().count()) {
            return Err(D::Error::custom(format_args!("1 to {MAX} characters are allowed")));
        }
        Ok(Self(text))
    }
}

impl<const MAX: usize> PartialSchema for Line<MAX> {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        text.min_length(Some(1))
            .max_length(Some(MAX))
            .pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]*$"))
            .build()
            .into()
    }
}

impl<const MAX: usize> ToSchema for Line<MAX> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("Line{MAX}").into()
    }
}

/// A moment of the years that have four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at = DateTime::parse_from_rfc3339(&text)
            .map_err(|_| D::Error::custom("a time is written like 2026-12-01T03:00:00Z"))?;
        let at = at.with_timezone(&Utc);
        if (1..=9999).contains(&at.year()) {
            Ok(Self(at))
        } else {
            Err(D::Error::custom("a year has four digits"))
        }
    }
}

/// Percent, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percent(pub(super) u32);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(from)?;
        // The range leaves a number that fits.
        if (0.0..=100.0).contains(&percent) {
            Ok(Self((percent * 100.0).round() as u32))
        } else {
            Err(D::Error::custom("percent are 0 to 100"))
        }
    }
}

/// How many things are on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(pub(super) u32);

impl Default for Limit {
    fn default() -> Self {
        Self(USUAL)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let limit = u32::deserialize(from)?;
        let fits = (1..=MOST).contains(&limit);
        if fits { Ok(Self(limit)) } else { Err(D::Error::custom(format_args!("1 to {MOST} are on a page"))) }
    }
}

/// Where a page ended. What is none may be one of another linkbeat: it is asked for later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct After(pub(super) Option<Cursor>);

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(from)?.parse().ok()))
    }
}

/// A word such as `timeout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        let is_word =
            (1..=40).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if is_word {
            Ok(Self(word))
        } else {
            Err(D::Error::custom("a word of small letters and _ is expected"))
        }
    }
}

/// The judgement of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerdictWord {
    /// It answers as it should.
    Up,
    /// It does not.
    Down,
    /// It answers, and the backlink is missing.
    NoBacklink,
    /// An anti-bot wall or a rate limit answered.
    Blocked,
    /// linkbeat would not fetch it.
    Refused,
}

impl From<Verdict> for VerdictWord {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Up => Self::Up,
            Verdict::Down => Self::Down,
            Verdict::NoBacklink => Self::NoBacklink,
            Verdict::Blocked => Self::Blocked,
            Verdict::Refused => Self::Refused,
        }
    }
}

impl From<VerdictWord> for Verdict {
    fn from(word: VerdictWord) -> Self {
        match word {
            VerdictWord::Up => Self::Up,
            VerdictWord::Down => Self::Down,
            VerdictWord::NoBacklink => Self::NoBacklink,
            VerdictWord::Blocked => Self::Blocked,
            VerdictWord::Refused => Self::Refused,
        }
    }
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeWord {
    /// It was hidden.
    Hidden,
    /// It was shown.
    Shown,
}

impl From<Change> for ChangeWord {
    fn from(change: Change) -> Self {
        match change {
            Change::Hidden => Self::Hidden,
            Change::Shown => Self::Shown,
        }
    }
}

/// A value that other documents describe: an object with a member `type`, such as `{"type":"status","code":404}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct ReasonJson(serde_json::Value);

impl ReasonJson {
    pub(super) fn of(reason: &linkbeat_shared::Reason) -> Self {
        Self(serde_json::to_value(reason).unwrap_or_default())
    }
}

impl PartialSchema for ReasonJson {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        let object = ObjectBuilder::new().property("type", word).required("type");
        object.description(Some("Why a link is not `up`: a word, and what else is known.")).build().into()
    }
}

impl ToSchema for ReasonJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "Reason".into()
    }
}

/// For fields of which `null` says something else than nothing: absent is `None`, `null` is `Some(None)`.
pub(super) fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// For fields that may be absent but not `null`.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl<const MAX: usize> fmt::Display for Line<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
