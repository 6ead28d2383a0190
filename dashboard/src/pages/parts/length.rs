//! Lengths of time as people read them.

use chrono::TimeDelta;

use crate::pages::wording::{Texts, fill};

/// The largest unit and the one below it, such as `3 d 4 h`. A length below zero is none.
pub(crate) fn length(t: &Texts, length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let of = |text: &str, number: i64| fill(text, &[&number]);
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => [of(t.unit_seconds, seconds), String::new()],
        (0, 0, minutes) => [of(t.unit_minutes, minutes), of(t.unit_seconds, seconds % 60)],
        (0, hours, minutes) => [of(t.unit_hours, hours), of(t.unit_minutes, minutes)],
        (days @ 0..100, hours, _) => [of(t.unit_days, days), of(t.unit_hours, hours)],
        (days, ..) => [of(t.unit_days, days), String::new()],
    };
    parts.join(" ").trim_end().to_owned()
}

/// Milliseconds with their unit.
pub(crate) fn milliseconds(ms: u32) -> String {
    match ms {
        0..10_000 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::Lang;

    use super::*;

    #[test]
    fn two_units_say_enough() {
        for (seconds, english) in [
            (-5, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_600, "1 h 0 min"),
            (90_000, "1 d 1 h"),
            (100 * 86_400 + 3_600, "100 d"),
        ] {
            assert_eq!(length(Texts::of(Lang::En), TimeDelta::seconds(seconds)), english);
        }
        assert_eq!(length(Texts::of(Lang::Zh), TimeDelta::seconds(90_000)), "1 天 1 小时");
        assert_eq!((milliseconds(9_999), milliseconds(12_345)), ("9999 ms".to_owned(), "12.3 s".to_owned()));
    }
}
