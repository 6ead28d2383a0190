//! Counts of work.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts work of one kind. Whoever reads the counts now and then can tell whether the work goes on. Clones count
/// together.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
    succeeded: AtomicU64,
    /// Why the latest piece failed, until one succeeds.
    trouble: Mutex<Option<String>>,
}

/// What an [`Activity`] has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How much was begun.
    pub begun: u64,
    /// How much of it has ended, in whatever way.
    pub ended: u64,
    /// How much of that did what it should.
    pub succeeded: u64,
}

impl Activity {
    /// A piece of work begins. It ends when the value is dropped.
    pub fn begin(&self) -> UnderWay {
        self.0.begun.fetch_add(1, Relaxed);
        UnderWay(Arc::clone(&self.0))
    }

    /// Why the latest piece of work failed. `None` if it succeeded, or did not say.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counts, at this moment.
    pub fn tally(&self) -> Tally {
        // In this order, so that no more is counted as ended than as begun.
        let succeeded = self.0.succeeded.load(Relaxed);
        let ended = self.0.ended.load(Relaxed).max(succeeded);
        Tally { begun: self.0.begun.load(Relaxed).max(ended), ended, succeeded }
    }
}

impl Tally {
    /// How much is going on.
    pub fn under_way(self) -> u64 {
        self.begun.saturating_sub(self.ended)
    }
}

/// A piece of work that is going on.
#[derive(Debug)]
pub struct UnderWay(Arc<Counts>);

impl UnderWay {
    /// It ends, and did what it should.
    pub fn succeed(self) {
        self.0.succeeded.fetch_add(1, Relaxed);
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// It ends, and did not do what it should.
    pub fn fail(self, why: &str) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_when_it_is_dropped_whether_it_succeeded_or_not() {
        let activity = Activity::default();
        let (one, other) = (activity.begin(), activity.clone().begin());
        assert_eq!(activity.tally().under_way(), 2);
        one.succeed();
        drop(other);
        assert_eq!(activity.tally(), Tally { begun: 2, ended: 2, succeeded: 1 });
        activity.begin().fail("connection refused");
        assert_eq!(activity.trouble().as_deref(), Some("connection refused"));
        activity.begin().succeed();
        assert_eq!(activity.trouble(), None);
    }
}
