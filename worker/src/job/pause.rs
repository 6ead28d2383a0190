//! How long a worker pauses after a fault of its own.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Pauses that double from 1 s to 30 s. Each is shortened at random by up to half, so that workers which went
/// offline together do not come back together.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The length of the next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.5..=1.0));
        self.next = (self.next * 2).min(LONGEST);
        pause
    }

    /// All is well: the next pause is the shortest again.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_begin_again() {
        let mut pauses = Pauses::new();
        assert!(pauses.next() <= FIRST);
        let later = (0..10).map(|_| pauses.next()).last().unwrap();
        assert!(later >= LONGEST / 2 && later <= LONGEST, "{later:?}");
        pauses.reset();
        assert!(pauses.next() <= FIRST);
    }
}
