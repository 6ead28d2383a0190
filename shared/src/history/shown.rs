//! For what share of the time a link was shown.

use chrono::{DateTime, Utc};

use super::Share;

/// When a link was shown and when it was hidden, from the moment it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTime {
    /// From when on something is known.
    pub known_since: DateTime<Utc>,
    /// Until when: now, or when it was removed.
    pub known_until: DateTime<Utc>,
    /// Whether it was shown at first.
    pub at_first: bool,
    /// What it became later, in the order of time.
    pub changes: Vec<(DateTime<Utc>, bool)>,
}

impl ShownTime {
    /// The share of the time from `from` until `until` in which the link was shown. What lies before the link was known,
    /// or after now, is left out. `None`: nothing is left.
    pub fn share(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Share> {
        let (from, until) = (from.max(self.known_since), until.min(self.known_until));
        let (mut shown_for, mut shown, mut since) = (0, self.at_first, from);
        for (at, becomes) in &self.changes {
            let at = (*at).clamp(from, until.max(from));
            if shown {
                shown_for += micros(since, at);
            }
            (shown, since) = (*becomes, at);
        }
        if shown {
            shown_for += micros(since, until);
        }
        Share::of(shown_for, micros(from, until))
    }
}

/// Microseconds from one moment to a later one; none if it is no later.
fn micros(from: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
    let length = (until - from).num_microseconds().unwrap_or(i64::MAX);
    u64::try_from(length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    proptest! {
        /// Held against a look at every second.
        #[test]
        fn it_is_the_share_of_seconds_in_which_the_link_was_shown(
            known in 0_i64..100, now in 0_i64..200, at_first: bool,
            gaps in prop::collection::vec(0_i64..30, 0..10), from in 0_i64..200, length in 0_i64..200,
        ) {
            let mut changes = Vec::new();
            let (mut second, mut shown) = (known, at_first);
            for gap in gaps {
                second += gap;
                shown = !shown;
                changes.push((at(second), shown));
            }
            let history = ShownTime { known_since: at(known), known_until: at(now), at_first, changes };
            let was_shown = |second: i64| {
                let last = history.changes.iter().rev().find(|(changed, _)| *changed <= at(second));
                last.map_or(at_first, |(_, shown)| *shown)
            };
            let seconds: Vec<i64> = (from..from + length).filter(|s| known <= *s && *s < now).collect();
            let shown = seconds.iter().filter(|second| was_shown(**second)).count();
            let expected = Share::of(shown as u64, seconds.len() as u64).map(Share::hundredths);
            prop_assert_eq!(history.share(at(from), at(from + length)).map(Share::hundredths), expected);
        }
    }
}
