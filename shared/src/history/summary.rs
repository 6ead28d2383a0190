//! What checks of one link amount to: the one place that says which check counts for what.

use super::{CheckCounts, Latency};
use crate::Verdict;

/// Checks, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// By what they found.
    pub counts: CheckCounts,
    /// How long they took.
    pub latency: Latency,
}

/// What counts of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// `None`: on the white list.
    pub verdict: Option<Verdict>,
    /// It would have hidden or shown its link, in a run that was held back and not applied.
    pub held_back: bool,
    /// How long it took.
    pub elapsed_ms: Option<u32>,
    /// The final page answered with a status.
    pub answered: bool,
    /// The deadline passed.
    pub timed_out: bool,
}

impl Summary {
    /// Adds a check.
    pub fn add(&mut self, check: Observed) {
        let counts = &mut self.counts;
        *match check.verdict {
            _ if check.held_back => &mut counts.held_back,
            None => &mut counts.white_listed,
            Some(Verdict::Up) => &mut counts.up,
            Some(Verdict::Down) => &mut counts.down,
            Some(Verdict::NoBacklink) => &mut counts.no_backlink,
            Some(Verdict::Blocked) => &mut counts.blocked,
            Some(Verdict::Refused) => &mut counts.refused,
        } += 1;
        let judged = matches!(check.verdict, Some(Verdict::Up | Verdict::Down | Verdict::NoBacklink));
        match check.elapsed_ms {
            Some(ms) if judged && !check.held_back => {
                if check.timed_out {
                    self.latency.timed_out(ms);
                } else if check.answered {
                    self.latency.answered(ms);
                }
            }
            _ => {}
        }
    }

    /// Adds all checks of another summary.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.latency.merge(&other.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Option<Verdict>) -> Observed {
        Observed { verdict, held_back: false, elapsed_ms: Some(100), answered: true, timed_out: false }
    }

    #[test]
    fn what_cannot_tell_leaves_both_sides_and_is_counted() {
        let mut summary = Summary::default();
        for verdict in [Verdict::Blocked, Verdict::Refused] {
            summary.add(check(Some(verdict)));
        }
        summary.add(Observed { elapsed_ms: None, answered: false, ..check(None) });
        summary.add(Observed { held_back: true, ..check(Some(Verdict::Down)) });
        assert_eq!(summary.counts.reachable(), None, "neither 0 % nor 100 %");
        assert_eq!((summary.counts.left_out(), summary.latency.count()), (4, 0));
        for verdict in [Verdict::Up, Verdict::Up, Verdict::Down, Verdict::NoBacklink] {
            summary.add(check(Some(verdict)));
        }
        assert_eq!(summary.counts.reachable().map(|share| share.to_string()).as_deref(), Some("75.00 %"));
        assert_eq!((summary.counts.all(), summary.latency.count()), (8, 4));
    }

    #[test]
    fn only_answers_and_time_outs_have_a_latency() {
        let mut summary = Summary::default();
        summary.add(Observed { answered: false, ..check(Some(Verdict::Down)) });
        assert_eq!(summary.latency.count(), 0, "a refused connection is no fast answer");
        summary.add(Observed { answered: false, timed_out: true, ..check(Some(Verdict::Down)) });
        assert_eq!((summary.latency.count(), summary.latency.timeouts()), (1, 1));
    }
}
