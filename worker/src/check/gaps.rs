//! Time in which this process did not run. What a check finds then may be our doing and not the site's.
//!
//! A task wakes 20 times a second and notes how late it is. It is late when the process was stopped (a signal, a
//! frozen container), when the machine was suspended, and when the runtime was too busy to run its tasks. The clock
//! must therefore be one that goes on while the machine sleeps.
//!
//! Not seen: a virtual machine whose clocks were stopped with it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio_util::task::AbortOnDropHandle;

/// How often the task wakes.
const STEP: Duration = Duration::from_millis(50);
/// A busy machine wakes a task a little late. Only more than this is a gap.
const TOLERANCE: Duration = Duration::from_millis(150);
/// Gaps of this length in all may have changed what a check found.
const MATTERS: Duration = Duration::from_millis(250);

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere this one goes on during sleep.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Watches for gaps, from its first use on.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    watching: OnceLock<(Arc<Ticks>, AbortOnDropHandle<()>)>,
}

/// The gaps before a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(Duration);

/// How long a check, or a part of it, was held up by gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) struct Lost(Duration);

impl Gaps {
    /// Marks this moment. Must be called within a runtime.
    pub(crate) fn mark(&self) -> Mark {
        let (ticks, _) = self.watching.get_or_init(|| {
            let ticks = Arc::new(Ticks::new(now));
            let watched = Arc::clone(&ticks);
            let task = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(STEP).await;
                    watched.tick();
                }
            });
            (ticks, AbortOnDropHandle::new(task))
        });
        Mark(ticks.lost())
    }

    /// The gaps since then, also one that has only just ended.
    pub(crate) fn since(&self, Mark(before): Mark) -> Lost {
        let Mark(lost) = self.mark();
        Lost(lost.saturating_sub(before))
    }
}

impl Lost {
    /// Whether they were long enough to make a server close a connection, or to look like its silence.
    pub(crate) fn matters(self) -> bool {
        self.0 >= MATTERS
    }

    /// Whether they took most of this time.
    pub(crate) fn is_most_of(self, timeout: Duration) -> bool {
        self.0 >= timeout / 2
    }

    /// Whether they took so much of this time that it may have passed because of them.
    pub(crate) fn matters_within(self, timeout: Duration) -> bool {
        self.0 >= MATTERS.max(timeout / 10)
    }
}

#[derive(Debug)]
struct Ticks {
    now: fn() -> Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    latest: Duration,
    lost: Duration,
}

impl Ticks {
    fn new(now: fn() -> Duration) -> Self {
        Self { now, seen: Mutex::new(Seen { latest: now(), lost: Duration::ZERO }) }
    }

    fn tick(&self) {
        let mut seen = self.seen();
        let now = (self.now)();
        let late = late(now.saturating_sub(seen.latest));
        seen.lost += late;
        seen.latest = now;
    }

    /// All gaps so far. The latest may not have been noted yet, because whoever asks runs before the task does.
    fn lost(&self) -> Duration {
        let seen = self.seen();
        seen.lost + late((self.now)().saturating_sub(seen.latest))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing under this lock can panic half-way.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much longer than a step this was, where that is more than a busy machine explains.
fn late(since_latest: Duration) -> Duration {
    let late = since_latest.saturating_sub(STEP);
    if late > TOLERANCE { late } else { Duration::ZERO }
}

fn now() -> Duration {
    let now = clock_gettime(CLOCK);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW_MS: Cell<u64> = const { Cell::new(1_000_000) };
    }

    fn fake() -> Duration {
        Duration::from_millis(NOW_MS.get())
    }

    fn pass(ms: u64) {
        NOW_MS.set(NOW_MS.get() + ms);
    }

    #[test]
    fn a_machine_that_slept_has_a_gap_although_no_timer_saw_it() {
        let ticks = Ticks::new(fake);
        for _ in 0..100 {
            pass(60);
            ticks.tick();
        }
        assert_eq!(ticks.lost(), Duration::ZERO, "a little late is no gap");
        // The monotonic clock stands still meanwhile, this one goes on.
        pass(3_600_000);
        assert!(ticks.lost() >= Duration::from_secs(3_599), "seen before the next tick");
        ticks.tick();
        pass(50);
        ticks.tick();
        assert_eq!(ticks.lost(), Duration::from_millis(3_600_000 - 50), "and counted once");
    }

    #[test]
    fn several_short_gaps_are_one_long_one() {
        let ticks = Ticks::new(fake);
        for _ in 0..10 {
            pass(250);
            ticks.tick();
            pass(50);
            ticks.tick();
        }
        let lost = Lost(ticks.lost());
        assert_eq!(lost, Lost(Duration::from_secs(2)));
        assert!(lost.matters_within(Duration::from_secs(5)));
        assert!(!lost.matters_within(Duration::from_secs(60)) && lost.matters());
    }

    #[tokio::test]
    async fn a_busy_runtime_is_a_gap() {
        let gaps = Gaps::default();
        let mark = gaps.mark();
        tokio::time::sleep(STEP * 3).await;
        std::thread::sleep(Duration::from_millis(600));
        assert!(gaps.since(mark) >= Lost(Duration::from_millis(500)), "{:?}", gaps.since(mark));
        let later = gaps.mark();
        tokio::time::sleep(STEP).await;
        assert!(!gaps.since(later).matters(), "it counts for those that were under way");
    }
}
