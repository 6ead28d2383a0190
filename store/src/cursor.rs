//! Where a page of a list ended.

use std::fmt::{self, Write};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where a page of a list ended: what the list is sorted by, and an id. So the next page needs no counting, and shifts with
/// nobody's changes.
///
/// As text it is a word of letters, digits, `-` and `.` that says nothing to others: see [`Cursor::PATTERN`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) key: CursorKey,
    pub(crate) id: Uuid,
}

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CursorKey {
    /// The id alone.
    Id,
    Text(String),
    Moment(DateTime<Utc>),
    Number(i64),
}

/// A text that is no cursor, or one of another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor of this list")]
pub struct BadCursor;

impl Cursor {
    /// What each cursor looks like, as a regular expression.
    pub const PATTERN: &'static str = "^([i]|t([0-9a-f]{2})*|[mn]-?[0-9]{1,19})\\.[0-9a-f]{32}$";
    /// No cursor is longer: a name has 200 characters, of up to four bytes each.
    pub const MAX_LENGTH: usize = 2_000;

    pub(crate) fn of_id(id: Uuid) -> Self {
        Self { key: CursorKey::Id, id }
    }

    pub(crate) fn of_number(number: i64) -> Self {
        Self { key: CursorKey::Number(number), id: Uuid::nil() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            CursorKey::Id => f.write_char('i')?,
            CursorKey::Text(text) => {
                f.write_char('t')?;
                text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
            CursorKey::Moment(moment) => write!(f, "m{}", moment.timestamp_micros())?,
            CursorKey::Number(number) => write!(f, "n{number}")?,
        }
        write!(f, ".{}", self.id.simple())
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (key, id) = text.split_once('.').filter(|_| text.len() <= Self::MAX_LENGTH).ok_or(BadCursor)?;
        let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let id = Uuid::try_parse(id).ok().filter(|_| is_id).ok_or(BadCursor)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| BadCursor);
        let key = match key.split_at_checked(1).ok_or(BadCursor)? {
            ("i", "") => CursorKey::Id,
            ("t", bytes) => CursorKey::Text(text_of(bytes).ok_or(BadCursor)?),
            ("m", micros) => moment(number(micros)?)?,
            ("n", text) => CursorKey::Number(number(text)?),
            _ => return Err(BadCursor),
        };
        Ok(Self { key, id })
    }
}

/// Both databases keep the years that have four digits.
fn moment(micros: i64) -> Result<CursorKey, BadCursor> {
    const LAST: i64 = 253_402_300_799_999_999;
    let known = DateTime::from_timestamp_micros(micros).filter(|_| (0..=LAST).contains(&micros));
    known.map(CursorKey::Moment).ok_or(BadCursor)
}

fn text_of(hex: &str) -> Option<String> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    String::from_utf8(bytes.collect::<Option<_>>()?).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_written() {
        let moment = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
        for key in [
            CursorKey::Id,
            CursorKey::Text(String::new()),
            CursorKey::Text("友 \"x\".%".to_owned()),
            CursorKey::Moment(moment),
            CursorKey::Number(-7),
        ] {
            let cursor = Cursor { key, id: Uuid::from_u128(0xabc) };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn other_texts_are_no_cursor() {
        let id = "0".repeat(32);
        for key in ["", "x", "i1", "t0", "tzz", "t00", "tff", "m", "m9999999999999999999", "n1.5", "n", "m-1"]
        {
            assert_eq!(format!("{key}.{id}").parse::<Cursor>(), Err(BadCursor), "{key}");
        }
        for text in ["", ".", "i", "i.", "i.abc", &format!("i.{}", "A".repeat(32)), &format!("i{id}")] {
            assert_eq!(text.parse::<Cursor>(), Err(BadCursor), "{text}");
        }
    }
}
