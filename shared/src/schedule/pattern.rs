use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use super::Zone;
use super::chinese::Chinese;
use crate::Lang;

/// The longest pattern that is read.
const LONGEST: usize = 200;
/// How often the search begins anew, a second later, if croner gives a tick that is not later than the one before.
const TRIES: usize = 5;

/// A cron pattern: minute, hour, day of the month, month and day of the week, perhaps with seconds before them.
///
/// Where clocks go forward, a fixed time that does not exist is taken at the first moment after the gap. Where they go
/// back, a fixed time is taken once, the first time. Patterns with `*` or steps follow the clock: they skip the gap, and
/// tick in both hours that have the same name.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronPattern {
    text: String,
    cron: Box<Cron>,
}

/// Why a text is no usable cron pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCron {
    /// It cannot be read.
    #[error(
        "`{pattern}` is no cron pattern: {problem}. It has five fields (minute, hour, day of the month, month, day of \
         the week), such as `0 3 * * *` for every day at 03:00, or six with seconds first"
    )]
    Unreadable {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No moment matches it.
    #[error("`{0}` never fires: no date matches it")]
    NeverFires(String),
}

impl CronPattern {
    /// The first tick after this moment, in this zone; `None` if there is none.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        (0..TRIES).find_map(|try_| {
            let from = (after + Duration::seconds(i64::try_from(try_).ok()?)).with_timezone(&zone.tz());
            let next = self.cron.find_next_occurrence(&from, false).ok()?.with_timezone(&Utc);
            (next > after).then_some(next)
        })
    }

    /// What it means, in plain words.
    pub fn words(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.cron.describe().trim_end_matches('.').to_owned(),
            Lang::Zh => self.cron.describe_lang(Chinese).trim_end_matches('.').replace(", ", "，"),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for CronPattern {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let text = text.trim();
        let unreadable = |problem: String| BadCron::Unreadable { pattern: text.to_owned(), problem };
        if text.len() > LONGEST {
            return Err(unreadable(format!("it is longer than {LONGEST} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| unreadable(error.to_string()))?;
        let pattern = Self { text: text.to_owned(), cron: Box::new(cron) };
        // Without a year whatever fires at all has done so, and will again, since any moment.
        match pattern.next_after(DateTime::UNIX_EPOCH, Zone::UTC) {
            Some(_) => Ok(pattern),
            None => Err(BadCron::NeverFires(pattern.text)),
        }
    }
}

impl TryFrom<String> for CronPattern {
    type Error = BadCron;
    fn try_from(text: String) -> Result<Self, BadCron> {
        text.parse()
    }
}

impl From<CronPattern> for String {
    fn from(pattern: CronPattern) -> Self {
        pattern.text
    }
}

impl PartialEq for CronPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for CronPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronPattern({})", self.text)
    }
}
