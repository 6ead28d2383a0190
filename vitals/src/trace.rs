//! What a [`Tally`] tells when it is read again and again.

use std::time::{Duration, Instant};

use crate::activity::Tally;

/// One activity over time. It is as exact as it is read often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace {
    seen: Tally,
    moved: Instant,
    succeeded: Option<Instant>,
    wanted_since: Option<Instant>,
}

impl Trace {
    pub(super) fn begin(now: Instant) -> Self {
        Self { seen: Tally::default(), moved: now, succeeded: None, wanted_since: None }
    }

    /// Takes a new reading into account.
    pub(super) fn observe(&mut self, tally: Tally, now: Instant) {
        let before = std::mem::replace(&mut self.seen, tally);
        if before != tally {
            self.moved = now;
        }
        if before.succeeded != tally.succeeded {
            self.succeeded = Some(now);
            self.wanted_since = None;
        } else if tally.under_way() > 0 || before.ended != tally.ended {
            // It goes on, or it failed since the last reading.
            self.wanted_since.get_or_insert(now);
        }
    }

    /// Nobody wants it any longer.
    pub(super) fn give_up(&mut self) {
        self.wanted_since = None;
    }

    /// How much is going on.
    pub(super) fn under_way(&self) -> u64 {
        self.seen.under_way()
    }

    /// How long nothing has begun or ended.
    pub(super) fn still_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.moved)
    }

    /// How long ago it last succeeded.
    pub(super) fn succeeded_ago(&self, now: Instant) -> Option<Duration> {
        self.succeeded.map(|at| now.saturating_duration_since(at))
    }

    /// How long it has been tried without success. Zero while nobody tries.
    pub(super) fn in_vain_for(&self, now: Instant) -> Duration {
        self.wanted_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(begun: u64, ended: u64, succeeded: u64) -> Tally {
        Tally { begun, ended, succeeded }
    }

    #[test]
    fn idle_is_not_in_vain_but_waiting_and_failing_are() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut trace = Trace::begin(start);
        trace.observe(tally(1, 1, 1), at(1));
        trace.observe(tally(1, 1, 1), at(100));
        assert_eq!(
            (trace.in_vain_for(at(100)), trace.succeeded_ago(at(100))),
            (Duration::ZERO, Some(Duration::from_secs(99)))
        );
        // One waits, and fails, and none is tried after it.
        trace.observe(tally(2, 1, 1), at(101));
        trace.observe(tally(2, 2, 1), at(105));
        trace.observe(tally(2, 2, 1), at(110));
        assert_eq!(trace.in_vain_for(at(111)), Duration::from_secs(10));
        assert_eq!(trace.still_for(at(111)), Duration::from_secs(6));
        trace.observe(tally(3, 3, 2), at(112));
        assert_eq!(trace.in_vain_for(at(120)), Duration::ZERO);
    }
}
