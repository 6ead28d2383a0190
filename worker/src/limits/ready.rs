//! How many checks could begin, if the processor had time for them.
//!
//! Where sites answer at once, checks wait for the processor. To begin further jobs would only make this line longer. The links
//! of each host would come so far apart that its connections are closed in between, and all of them would take memory. Where
//! sites let us wait, checks begin at once and the line is short, so jobs are begun until the slots are full. So how many links
//! are in hand follows the sites.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use tokio::sync::watch;

/// Checks for each core that may wait to begin. With more, no further job is begun.
const CHECKS_FOR_EACH_CORE: usize = 32;
/// Jobs for each core that may be on their way to such a line. Nobody knows yet how long it will be.
const JOBS_FOR_EACH_CORE: usize = 2;

/// The line before the beginning. That of small runs is not counted.
#[derive(Debug)]
pub(crate) struct Ready {
    cores: usize,
    jobs: AtomicUsize,
    checks: AtomicUsize,
    fewer: watch::Sender<()>,
}

/// One in the line, until it begins.
#[derive(Debug)]
pub(crate) struct InLine {
    ready: Arc<Ready>,
    is_job: bool,
}

impl Ready {
    pub(crate) fn new() -> Arc<Self> {
        Self::on(available_parallelism().map_or(1, NonZero::get))
    }

    fn on(cores: usize) -> Arc<Self> {
        Arc::new(Self {
            cores,
            jobs: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
            fewer: watch::Sender::new(()),
        })
    }

    /// Whether the line is so short that a further job is to be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.checks.load(Ordering::Relaxed) < self.cores * CHECKS_FOR_EACH_CORE
            && self.jobs.load(Ordering::Relaxed) < self.cores * JOBS_FOR_EACH_CORE
    }

    /// Changes when there may be room again.
    pub(crate) fn fewer(&self) -> watch::Receiver<()> {
        self.fewer.subscribe()
    }

    /// A job is taken, whose checks will come.
    pub(crate) fn job(self: &Arc<Self>) -> InLine {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        InLine { ready: Arc::clone(self), is_job: true }
    }

    /// A check waits to begin.
    pub(super) fn check(self: &Arc<Self>) -> InLine {
        self.checks.fetch_add(1, Ordering::Relaxed);
        InLine { ready: Arc::clone(self), is_job: false }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let ready = &self.ready;
        let is_told = if self.is_job {
            ready.jobs.fetch_sub(1, Ordering::Relaxed);
            true
        } else {
            // Not with each: whoever looks has something else to do.
            ready.checks.fetch_sub(1, Ordering::Relaxed) == ready.cores * CHECKS_FOR_EACH_CORE / 2
        };
        if is_told {
            ready.fewer.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_has_no_room_and_tells_once_it_is_short() {
        let ready = Ready::on(1);
        let mut line: Vec<_> = (1..CHECKS_FOR_EACH_CORE).map(|_| ready.check()).collect();
        assert!(ready.has_room());
        line.push(ready.check());
        assert!(!ready.has_room());
        let fewer = ready.fewer();
        line.truncate(CHECKS_FOR_EACH_CORE / 2);
        assert!(ready.has_room() && !fewer.has_changed().unwrap(), "it is not short yet");
        line.pop();
        assert!(fewer.has_changed().unwrap());
    }

    #[test]
    fn jobs_on_their_way_count_until_their_checks_are_there() {
        let ready = Ready::on(1);
        let job = ready.job();
        assert!(ready.has_room());
        let other = ready.job();
        assert!(!ready.has_room());
        let fewer = ready.fewer();
        drop((job, other));
        assert!(ready.has_room() && fewer.has_changed().unwrap());
    }
}
