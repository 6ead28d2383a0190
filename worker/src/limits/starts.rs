//! How fast checks begin, so that our own overload never looks like a site's timeout.
//!
//! A check that waits for its site costs next to nothing, so thousands may be under way at once. Its beginning
//! costs most: look-up, connection, handshake. So only some checks at once may be in their beginning, and a check
//! that begins lets those under way go first. Its deadline runs from then on.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use linkbeat_shared::RunSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

/// Checks at once in their beginning, for each core. Sites that answer at once need no more to keep a core busy, and
/// more would only wait for each other and take memory.
const FOR_EACH_CORE: usize = 64;
/// Places of small runs besides, so that they do not wait while a large run begins.
const OF_SMALL_RUNS: usize = 16;
/// For so long after a check of a small run began, large runs begin half as many at once. Whoever waits for a small run
/// waits for each core that a large run keeps busy.
const SMALL_RUN: Duration = Duration::from_secs(1);
/// A check that is not done after this long waits for the network. So each core begins about 2,000 checks of slow
/// sites in a second, and any number of quick ones.
const BEGINNING: Duration = Duration::from_millis(32);
/// A runtime that is late by some time lengthens the beginnings by this many times that time: then it is likely that
/// they wait for us and not for the network.
const LATENESS: u32 = 8;

/// Lets checks begin.
#[derive(Debug)]
pub(crate) struct Starts {
    places: Arc<Semaphore>,
    of_small_runs: Arc<Semaphore>,
    created: Instant,
    /// Until when large runs begin fewer at once, in milliseconds after `created`.
    fewer_until: AtomicU64,
}

/// The right to begin.
#[derive(Debug)]
pub(crate) struct Start {
    _place: Option<OwnedSemaphorePermit>,
    /// How long the place is kept at most.
    beginning: Duration,
}

impl Starts {
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self {
            places: Arc::new(Semaphore::new(cores.saturating_mul(FOR_EACH_CORE).min(Semaphore::MAX_PERMITS))),
            of_small_runs: Arc::new(Semaphore::new(OF_SMALL_RUNS)),
            created: Instant::now(),
            fewer_until: AtomicU64::new(0),
        }
    }

    /// Waits for a place, and lets tasks that are ready go first.
    pub(crate) async fn next(&self, size: RunSize) -> Start {
        let places = Arc::clone(&self.places);
        // Nobody closes the semaphores.
        let place = match size {
            RunSize::Large => places.acquire_many_owned(self.places_of_large()).await.ok(),
            RunSize::Small => {
                self.fewer_until.store(self.moment_in(SMALL_RUN), Ordering::Relaxed);
                tokio::select! {
                    biased;
                    place = places.acquire_owned() => place.ok(),
                    kept = Arc::clone(&self.of_small_runs).acquire_owned() => kept.ok(),
                }
            }
        };
        let ready = Instant::now();
        yield_now().await;
        Start { _place: place, beginning: BEGINNING + ready.elapsed() * LATENESS }
    }

    /// How many places a check of a large run takes.
    fn places_of_large(&self) -> u32 {
        if self.moment_in(Duration::ZERO) < self.fewer_until.load(Ordering::Relaxed) { 2 } else { 1 }
    }

    /// The moment that comes after this time, in milliseconds after `created`.
    fn moment_in(&self, time: Duration) -> u64 {
        u64::try_from((self.created.elapsed() + time).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Start {
    /// Runs `work` until it is done, or until its beginning is over. `None`: it is to go on without this place.
    pub(crate) async fn of<F: Future + Unpin>(self, work: &mut F) -> Option<F::Output> {
        timeout(self.beginning, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_waits_long_gives_its_place_to_others_and_goes_on() {
        let starts = Starts::new();
        let mut waiting = Vec::new();
        while starts.places.available_permits() > 0 {
            waiting.push(starts.next(RunSize::Large).await);
        }
        assert!(timeout(BEGINNING, starts.next(RunSize::Large)).await.is_err(), "all places are taken");
        let small = starts.next(RunSize::Small).await;
        assert_eq!(starts.of_small_runs.available_permits(), OF_SMALL_RUNS - 1, "a small run begins");
        drop(small);
        let start = waiting.pop().expect("a place");
        let going_on = timeout(BEGINNING * 10, start.of(&mut pending::<()>())).await;
        assert_eq!(going_on, Ok(None), "it goes on after its beginning");
        assert_eq!(starts.places.available_permits(), 1);
        assert_eq!(starts.next(RunSize::Small).await.of(&mut ready(7)).await, Some(7));
        assert_eq!(starts.places.available_permits(), 1, "what is done has left its place");
    }

    #[tokio::test]
    async fn large_runs_make_room_while_small_ones_begin() {
        let mut starts = Starts::new();
        let all = starts.places.available_permits();
        assert_eq!(large_at_once(&starts).await, all);
        drop(starts.next(RunSize::Small).await);
        assert_eq!(large_at_once(&starts).await, all / 2, "beside a small run");
        starts.created -= SMALL_RUN;
        assert_eq!(large_at_once(&starts).await, all, "a second later");
    }

    async fn large_at_once(starts: &Starts) -> usize {
        let mut large = Vec::new();
        while let Ok(start) = timeout(BEGINNING, starts.next(RunSize::Large)).await {
            large.push(start);
        }
        large.len()
    }
}
