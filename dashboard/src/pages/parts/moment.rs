use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, Utc};

/// A moment: UTC as the server writes it. The script shows it in the visitor's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(pub(crate) DateTime<Utc>);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let datetime = self.0.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(f, "<time datetime=\"{datetime}\">{}</time>", minute(self.0))
    }
}

impl HtmlSafe for When {}

/// A moment in UTC, as a sentence has it.
pub(crate) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
