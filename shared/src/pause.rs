//! When a pause ends, as people write it.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

use crate::schedule::{BadMoment, Zone, local_moment};

/// The longest pause that has an end, in days: ten years.
const LONGEST: i64 = 3_653;

/// Why a text says no end of a pause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPauseEnd {
    /// It cannot be read.
    #[error("`{0}` is neither a length of time nor a moment; write something like 2d or `2026-12-01 08:00`")]
    Unreadable(String),
    /// Clocks change then.
    #[error(transparent)]
    Unclear(BadMoment),
    /// It is not ahead.
    #[error("`{0}` is past")]
    Past(String),
    /// It is too far ahead.
    #[error("`{0}` is more than ten years ahead; leave the end out for a pause without one")]
    TooFar(String),
}

/// Reads when a pause that begins `now` ends: after a length of time such as `2d`, or at a moment in this zone.
pub fn pause_end(text: &str, zone: Zone, now: DateTime<Utc>) -> Result<DateTime<Utc>, BadPauseEnd> {
    let text = text.trim();
    let said = || text.to_owned();
    let length = humantime::parse_duration(text).ok().map(|length| TimeDelta::from_std(length).ok());
    let end = match length {
        Some(length) => {
            length.and_then(|length| now.checked_add_signed(length)).map(|end| end.trunc_subsecs(0))
        }
        None => Some(local_moment(text, zone).map_err(|error| match error {
            BadMoment::Unreadable(text) => BadPauseEnd::Unreadable(text),
            unclear => BadPauseEnd::Unclear(unclear),
        })?),
    };
    let end = end.ok_or_else(|| BadPauseEnd::TooFar(said()))?;
    within_bounds(end, now, said)
}

/// The same for a moment that is known.
pub fn check_pause_end(end: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, BadPauseEnd> {
    within_bounds(end, now, || end.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn within_bounds(
    end: DateTime<Utc>,
    now: DateTime<Utc>,
    said: impl FnOnce() -> String,
) -> Result<DateTime<Utc>, BadPauseEnd> {
    if end <= now {
        Err(BadPauseEnd::Past(said()))
    } else if end - now > TimeDelta::days(LONGEST) {
        Err(BadPauseEnd::TooFar(said()))
    } else {
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_length_of_time_or_a_moment_ahead() {
        let now: DateTime<Utc> = "2026-11-27T00:00:00Z".parse().unwrap();
        let end = |text: &str| pause_end(text, Zone::UTC, now).map(|end| end.to_rfc3339());
        for (text, wanted) in [
            ("2d", "2026-11-29T00:00:00+00:00"),
            (" 90m ", "2026-11-27T01:30:00+00:00"),
            ("2026-12-01 08:00", "2026-12-01T08:00:00+00:00"),
            ("2026-12-01T08:00:00+08:00", "2026-12-01T00:00:00+00:00"),
            ("2026-12-01", "2026-12-01T00:00:00+00:00"),
        ] {
            assert_eq!(end(text).as_deref(), Ok(wanted), "{text}");
        }
        let shanghai = "Asia/Shanghai".parse().unwrap();
        let local = pause_end("2026-12-01 08:00", shanghai, now).unwrap();
        assert_eq!(local.to_rfc3339(), "2026-12-01T00:00:00+00:00");
        assert!(matches!(end("soon"), Err(BadPauseEnd::Unreadable(_))));
        assert!(matches!(end(""), Err(BadPauseEnd::Unreadable(_))));
        for past in ["0s", "2026-11-27 00:00", "1999-01-01"] {
            assert!(matches!(end(past), Err(BadPauseEnd::Past(_))), "{past}");
        }
        for far in ["11y", "2040-01-01", "99999999999y"] {
            assert!(matches!(end(far), Err(BadPauseEnd::TooFar(_))), "{far}");
        }
        let later = now + TimeDelta::days(1);
        assert_eq!(check_pause_end(later, now), Ok(later));
        assert_eq!(check_pause_end(now, now), Err(BadPauseEnd::Past("2026-11-27T00:00:00Z".to_owned())));
        for far in [now + TimeDelta::days(LONGEST + 1), DateTime::<Utc>::MAX_UTC] {
            assert!(matches!(check_pause_end(far, now), Err(BadPauseEnd::TooFar(_))), "{far}");
        }
    }
}
