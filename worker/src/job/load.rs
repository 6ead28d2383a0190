//! How many jobs to take: as many as the free slots can start.
//!
//! A job stays until its slowest link is done. Meanwhile the slots of its other links are free. So the number of
//! jobs that fill the slots is not fixed. It follows from how many links are still under way.
//!
//! The slots belong to all namespaces that the worker serves. Each takes jobs for its fair share in any case, and for
//! more while slots are free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use linkbeat_shared::RunSize;
use tokio::sync::watch;

use crate::limits::KEPT_FOR_SMALL;

/// Counts the links that a worker holds in all.
#[derive(Debug)]
pub(crate) struct Load {
    slots: usize,
    namespaces: usize,
    /// Links that are under way or wait for their turn.
    links: AtomicUsize,
    /// Slots that became free since that was last told.
    freed: AtomicUsize,
    more: watch::Sender<()>,
}

/// Counts the jobs and links of one namespace.
#[derive(Debug)]
pub(crate) struct Share {
    load: Arc<Load>,
    small: Held,
    large: Held,
}

/// Counts those of runs of one size.
#[derive(Debug)]
struct Held {
    jobs: AtomicUsize,
    links: AtomicUsize,
    /// About how many links a job has, in sixteenths. Jobs of one run are alike, so the average is useful.
    job_links: AtomicUsize,
}

/// One job that is held. Dropping it ends the count.
#[derive(Debug)]
pub(crate) struct InHand {
    share: Arc<Share>,
    size: RunSize,
    links: usize,
}

/// Links of a job, assumed before the first job came.
const JOB_LINKS: usize = 16;
/// One in this many slots must become free before more jobs are taken. To take them one at a time costs more.
const WORTH_IT: usize = 32;
/// The newest job counts one part in this many of the average. Also the unit in which the average is kept.
const SHARE: usize = 16;

impl Load {
    /// The share of whoever has all slots.
    pub(crate) fn alone(slots: usize) -> Arc<Share> {
        Arc::new(Self::of(slots, 1).share())
    }

    /// The shares of so many namespaces. They hold nothing yet. `slots`: links that can be checked at once.
    pub(crate) fn shared(slots: usize, namespaces: usize) -> Vec<Arc<Share>> {
        let load = Self::of(slots, namespaces);
        (0..namespaces).map(|_| Arc::new(load.share())).collect()
    }

    fn of(slots: usize, namespaces: usize) -> Arc<Self> {
        let (links, freed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { slots, namespaces, links, freed, more: watch::Sender::new(()) })
    }

    fn share(self: &Arc<Self>) -> Share {
        Share { load: Arc::clone(self), small: Held::default(), large: Held::default() }
    }

    fn freed(&self) {
        self.links.fetch_sub(1, Ordering::Relaxed);
        if self.freed.fetch_add(1, Ordering::Relaxed) + 1 >= self.slots.div_ceil(WORTH_IT) {
            self.freed.store(0, Ordering::Relaxed);
            self.more.send_replace(());
        }
    }
}

impl Share {
    /// Counts a job of so many links, of a run of this size.
    pub(crate) fn take(self: &Arc<Self>, size: RunSize, links: usize) -> InHand {
        let held = self.of(size);
        held.jobs.fetch_add(1, Ordering::Relaxed);
        held.links.fetch_add(links, Ordering::Relaxed);
        self.load.links.fetch_add(links, Ordering::Relaxed);
        let average = held.job_links.load(Ordering::Relaxed);
        // Two jobs at the same moment may count as one, which does no harm.
        held.job_links.store((average - average.div_ceil(SHARE) + links).max(SHARE), Ordering::Relaxed);
        // What is wanted was computed before this job was counted.
        self.load.more.send_replace(());
        InHand { share: Arc::clone(self), size, links }
    }

    /// How many jobs of such runs to hold: those that are held, and as many more as the free slots can start.
    pub(crate) fn wanted(&self, size: RunSize) -> usize {
        let (load, held) = (&self.load, self.of(size));
        let own = self.small.links.load(Ordering::Relaxed) + self.large.links.load(Ordering::Relaxed);
        let free = of_slots(size, load.slots).saturating_sub(load.links.load(Ordering::Relaxed));
        let fair = of_slots(size, load.slots / load.namespaces).saturating_sub(own);
        let job_links = held.job_links.load(Ordering::Relaxed).max(1);
        held.jobs.load(Ordering::Relaxed) + free.max(fair) * SHARE / job_links
    }

    /// Changes when a job was counted, and when enough slots became free to take more.
    pub(crate) fn more(&self) -> watch::Receiver<()> {
        self.load.more.subscribe()
    }

    fn of(&self, size: RunSize) -> &Held {
        match size {
            RunSize::Small => &self.small,
            RunSize::Large => &self.large,
        }
    }
}

/// Those of `slots` that runs of this size may fill.
fn of_slots(size: RunSize, slots: usize) -> usize {
    match size {
        RunSize::Small => slots,
        RunSize::Large => slots - slots / KEPT_FOR_SMALL,
    }
}

impl Default for Held {
    fn default() -> Self {
        let job_links = AtomicUsize::new(JOB_LINKS * SHARE);
        Self { jobs: AtomicUsize::new(0), links: AtomicUsize::new(0), job_links }
    }
}

impl InHand {
    /// One of its links is done.
    pub(crate) fn ended(&mut self) {
        if let Some(left) = self.links.checked_sub(1) {
            self.links = left;
            self.share.of(self.size).links.fetch_sub(1, Ordering::Relaxed);
            self.share.load.freed();
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let held = self.share.of(self.size);
        held.jobs.fetch_sub(1, Ordering::Relaxed);
        held.links.fetch_sub(self.links, Ordering::Relaxed);
        self.share.load.links.fetch_sub(self.links, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(slots: usize) -> Arc<Share> {
        Load::alone(slots)
    }

    #[test]
    fn free_slots_are_filled_with_jobs_and_slow_links_hold_only_their_own() {
        let share = alone(160);
        assert_eq!(share.wanted(RunSize::Small), 10);
        let mut jobs: Vec<_> = (0..10).map(|_| share.take(RunSize::Small, 16)).collect();
        assert_eq!(share.wanted(RunSize::Small), 10, "all slots are taken");
        for job in &mut jobs {
            (0..15).for_each(|_| job.ended());
        }
        assert_eq!(share.wanted(RunSize::Small), 10 + 150 / 16, "each job waits for its slowest link");
        drop(jobs);
        assert_eq!(share.wanted(RunSize::Small), 10);
    }

    #[tokio::test]
    async fn free_slots_are_reported_while_their_jobs_go_on() {
        let share = alone(64);
        let mut job = share.take(RunSize::Small, 64);
        let mut more = share.more();
        job.ended();
        assert!(!more.has_changed().unwrap(), "one of 64 is not worth it");
        job.ended();
        more.changed().await.unwrap();
    }

    #[test]
    fn jobs_of_one_link_are_taken_by_the_slot() {
        let share = alone(100);
        for _ in 0..200 {
            drop(share.take(RunSize::Small, 1));
        }
        assert_eq!(share.wanted(RunSize::Small), 100);
        let job = share.take(RunSize::Small, 500);
        assert_eq!(share.wanted(RunSize::Small), 1, "a job larger than the worker keeps it busy");
        drop(job);
    }

    #[test]
    fn large_runs_take_no_jobs_for_the_slots_of_small_ones() {
        let share = alone(160);
        let jobs: Vec<_> = (0..10).map(|_| share.take(RunSize::Large, 15)).collect();
        assert_eq!((share.wanted(RunSize::Large), share.wanted(RunSize::Small)), (10, 0));
        drop(jobs);
        for _ in 0..200 {
            drop(share.take(RunSize::Small, 1));
        }
        let _large = share.take(RunSize::Large, 150);
        assert_eq!((share.wanted(RunSize::Large), share.wanted(RunSize::Small)), (1, 10));
    }

    #[test]
    fn a_namespace_takes_what_is_free_and_its_fair_share_in_any_case() {
        let shares = Load::shared(320, 2);
        let (busy, other) = (&shares[0], &shares[1]);
        let jobs: Vec<_> = (0..20).map(|_| busy.take(RunSize::Small, 16)).collect();
        assert_eq!(busy.wanted(RunSize::Small), 20, "all slots are taken");
        assert_eq!(other.wanted(RunSize::Small), 10, "its half is its own");
        let _its_half: Vec<_> = (0..10).map(|_| other.take(RunSize::Small, 16)).collect();
        drop(jobs);
        assert_eq!(busy.wanted(RunSize::Small), 10, "what is left");
    }
}
