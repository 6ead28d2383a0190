//! How much searching one page may cost.

use std::time::Instant;

/// Work that a page may cost in all, in states of an automaton that are visited: about a second.
const MOST: u64 = 1 << 28;
/// The same on a thread of the runtime: less than a millisecond.
const MOST_INLINE: u64 = 1 << 17;
/// How much is done before the clock is looked at.
const BETWEEN_LOOKS: u64 = 1 << 16;

/// What is left of the work that may be done.
#[derive(Debug)]
pub(super) struct Work {
    left: u64,
    until: Option<Instant>,
    look_at: u64,
}

impl Work {
    /// For a search that keeps up with the page.
    pub(super) fn in_all() -> Self {
        Self { left: MOST, until: None, look_at: 0 }
    }

    /// For a search that must not hold up others.
    pub(super) fn inline() -> Self {
        Self { left: MOST_INLINE, ..Self::in_all() }
    }

    /// For a search on a thread of its own, until then.
    pub(super) fn until(deadline: Instant) -> Self {
        Self { left: MOST, until: Some(deadline), look_at: MOST }
    }

    /// Counts work. It may be more than is left; then nothing is left.
    pub(super) fn spend(&mut self, work: usize) {
        self.left = self.left.saturating_sub(work as u64);
        if self.left < self.look_at {
            self.look_at = self.left.saturating_sub(BETWEEN_LOOKS);
            if self.until.is_some_and(|until| Instant::now() >= until) {
                self.left = 0;
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_ends_with_its_amount_or_its_time() {
        let mut inline = Work::inline();
        inline.spend(usize::try_from(MOST_INLINE).unwrap() - 1);
        assert!(!inline.is_done());
        inline.spend(5);
        assert!(inline.is_done());
        let mut late = Work::until(Instant::now() + Duration::from_millis(20));
        late.spend(1);
        assert!(!late.is_done());
        std::thread::sleep(Duration::from_millis(30));
        (0..2).for_each(|_| late.spend(usize::try_from(BETWEEN_LOOKS).unwrap()));
        assert!(late.is_done());
    }
}
