//! How many jobs to take: as many as the free slots can start.
//!
//! A job stays until its slowest link is done. Meanwhile the slots of its other links are free. So the number of
//! jobs that fill the slots is not fixed. It follows from how many links are still under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts the jobs and links that this worker holds.
#[derive(Debug)]
pub(crate) struct Load {
    slots: usize,
    jobs: AtomicUsize,
    /// Links that are under way or wait for their turn.
    links: AtomicUsize,
    /// About how many links a job has, in sixteenths. Jobs of one run are alike, so the average is useful.
    job_links: AtomicUsize,
    /// Slots that became free since `more` was last notified.
    freed: AtomicUsize,
    more: Notify,
}

/// One job that is held. Dropping it ends the count.
#[derive(Debug)]
pub(crate) struct InHand {
    load: Arc<Load>,
    links: usize,
}

/// Links of a job, assumed before the first job came.
const JOB_LINKS: usize = 16;
/// One in this many slots must become free before more jobs are taken. To take them one at a time costs more.
const WORTH_IT: usize = 32;
/// The newest job counts one part in this many of the average. Also the unit in which the average is kept.
const SHARE: usize = 16;

impl Load {
    /// Holds nothing yet. `slots`: links that can be checked at once.
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

    /// Counts a job of so many links.
    pub(crate) fn take(self: &Arc<Self>, links: usize) -> InHand {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.links.fetch_add(links, Ordering::Relaxed);
        let average = self.job_links.load(Ordering::Relaxed);
        // Two jobs at the same moment may count as one, which does no harm.
        self.job_links.store((average - average.div_ceil(SHARE) + links).max(SHARE), Ordering::Relaxed);
        InHand { load: Arc::clone(self), links }
    }

    /// How many jobs to hold: those that are held, and as many more as the free slots can start.
    pub(crate) fn wanted(&self) -> usize {
        let free = self.slots.saturating_sub(self.links.load(Ordering::Relaxed));
        self.jobs.load(Ordering::Relaxed) + free * SHARE / self.job_links.load(Ordering::Relaxed).max(1)
    }

    /// Waits until enough slots are free to take more jobs. Cancel safe.
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
    async fn free_slots_are_reported_while_their_jobs_go_on() {
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
