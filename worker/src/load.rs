//! How many jobs to take: as many as can really be started.
//!
//! A job stays until its slowest link is done, and meanwhile the slots of its other links are free. So the
//! number of jobs that fill the slots is not fixed: it follows the links that are still under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What is in hand.
#[derive(Debug)]
pub(crate) struct Load {
    slots: usize,
    jobs: AtomicUsize,
    /// Links that are under way or wait for their turn.
    links: AtomicUsize,
    /// Links of a job, about, in sixteenths: jobs of one run are alike.
    job_links: AtomicUsize,
    /// Slots that became free since somebody was told.
    freed: AtomicUsize,
    more: Notify,
}

/// One job in hand, for as long as its links are checked.
#[derive(Debug)]
pub(crate) struct InHand {
    load: Arc<Load>,
    links: usize,
}

/// Links of a job, before any was seen.
const JOB_LINKS: usize = 16;
/// As the share of all slots that must become free for more jobs to be taken: one at a time is not worth it.
const WORTH_IT: usize = 32;
/// One job's share in the average, and the unit in which it is kept.
const SHARE: usize = 16;

impl Load {
    /// Nothing is in hand, and so many links can be checked at once.
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            slots,
            jobs: AtomicUsize::new(0),
            links: AtomicUsize::new(0),
            job_links: AtomicUsize::new(JOB_LINKS * SHARE),
            freed: AtomicUsize::new(0),
            more: Notify::new(),
        })
    }

    /// A job of so many links is taken in hand.
    pub(crate) fn take(self: &Arc<Self>, links: usize) -> InHand {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.links.fetch_add(links, Ordering::Relaxed);
        let average = self.job_links.load(Ordering::Relaxed);
        // Two jobs at the same moment may count as one, which does no harm.
        self.job_links.store((average - average.div_ceil(SHARE) + links).max(SHARE), Ordering::Relaxed);
        InHand { load: Arc::clone(self), links }
    }

    /// How many jobs should be in hand: those that are, and as many more as free slots can take.
    pub(crate) fn wanted(&self) -> usize {
        let free = self.slots.saturating_sub(self.links.load(Ordering::Relaxed));
        self.jobs.load(Ordering::Relaxed) + free * SHARE / self.job_links.load(Ordering::Relaxed).max(1)
    }

    /// Waits until enough slots became free for more jobs. Cancel safe.
    pub(crate) async fn more(&self) {
        self.more.notified().await;
    }

    fn freed(&self) {
        self.links.fetch_sub(1, Ordering::Relaxed);
        if self.freed.fetch_add(1, Ordering::Relaxed) + 1 >= self.slots.div_ceil(WORTH_IT) {
            self.freed.store(0, Ordering::Relaxed);
            self.more.notify_one();
        }
    }
}

impl InHand {
    /// One of its links is done.
    pub(crate) fn ended(&mut self) {
        if let Some(left) = self.links.checked_sub(1) {
            self.links = left;
            self.load.freed();
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.load.jobs.fetch_sub(1, Ordering::Relaxed);
        self.load.links.fetch_sub(self.links, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_slots_are_filled_with_jobs_and_slow_links_hold_only_their_own() {
        let load = Load::new(160);
        assert_eq!(load.wanted(), 10);
        let mut jobs: Vec<_> = (0..10).map(|_| load.take(16)).collect();
        assert_eq!(load.wanted(), 10, "all slots are taken");
        for job in &mut jobs {
            (0..15).for_each(|_| job.ended());
        }
        assert_eq!(load.wanted(), 10 + 150 / 16, "each job waits for its slowest link");
        drop(jobs);
        assert_eq!(load.wanted(), 10);
    }

    #[tokio::test]
    async fn slots_that_become_free_are_told_while_their_jobs_go_on() {
        let load = Load::new(64);
        let mut job = load.take(64);
        job.ended();
        assert!(futures::FutureExt::now_or_never(load.more()).is_none(), "one of 64 is not worth it");
        job.ended();
        load.more().await;
    }

    #[test]
    fn jobs_of_one_link_are_taken_by_the_slot() {
        let load = Load::new(100);
        for _ in 0..200 {
            drop(load.take(1));
        }
        assert_eq!(load.wanted(), 100);
        let job = load.take(500);
        assert_eq!(load.wanted(), 1, "a job larger than the worker keeps it busy");
        drop(job);
    }
}
