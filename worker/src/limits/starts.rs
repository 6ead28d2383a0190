//! How fast checks begin, so that our own overload never looks like a site's timeout.
//!
//! A check that waits for its site costs next to nothing, so thousands may be under way at once. Its beginning
//! costs most: look-up, connection, handshake. So only some checks at once may be in their beginning, and a check
//! that begins lets those under way go first. Its deadline runs from then on.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::RunSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::timeout;

/// Checks at once in their beginning.
const AT_ONCE: usize = 1_024;
/// As many more of small runs, so that they do not wait while a large run begins.
const OF_SMALL_RUNS: usize = 64;
/// A check that is not done after this long waits for the network. Together with [`AT_ONCE`] about 4,000 checks of
/// slow sites, and any number of quick ones, can begin in a second.
const BEGINNING: Duration = Duration::from_millis(250);

/// Lets checks begin.
#[derive(Debug)]
pub(crate) struct Starts {
    places: Arc<Semaphore>,
    of_small_runs: Arc<Semaphore>,
}

/// The right to begin.
#[derive(Debug)]
pub(crate) struct Start(Option<OwnedSemaphorePermit>);

impl Starts {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            of_small_runs: Arc::new(Semaphore::new(OF_SMALL_RUNS)),
        }
    }

    /// Waits for a place, and lets tasks that are ready go first.
    pub(crate) async fn next(&self, size: RunSize) -> Start {
        // Nobody closes the semaphores.
        let place = Arc::clone(&self.places).acquire_owned();
        let place = match size {
            RunSize::Large => place.await.ok(),
            RunSize::Small => tokio::select! {
                biased;
                place = place => place.ok(),
                kept = Arc::clone(&self.of_small_runs).acquire_owned() => kept.ok(),
            },
        };
        yield_now().await;
        Start(place)
    }
}

impl Start {
    /// Runs `work`. Its place is free again when it is done, or after [`BEGINNING`].
    pub(crate) async fn of<F: Future + Unpin>(mut self, mut work: F) -> F::Output {
        match timeout(BEGINNING, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                self.0 = None;
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn what_waits_long_gives_its_place_to_others_and_goes_on() {
        let starts = Starts::new();
        let mut waiting = Vec::new();
        for _ in 0..AT_ONCE {
            waiting.push(starts.next(RunSize::Large).await);
        }
        assert!(timeout(BEGINNING, starts.next(RunSize::Large)).await.is_err(), "all places are taken");
        let small = starts.next(RunSize::Small).await;
        assert_eq!(starts.of_small_runs.available_permits(), OF_SMALL_RUNS - 1, "a small run begins");
        drop(small);
        let start = waiting.pop().expect("a place");
        let mut going_on = pin!(start.of(pending::<()>()));
        assert!(timeout(BEGINNING * 2, going_on.as_mut()).await.is_err(), "it goes on after its beginning");
        assert_eq!(starts.places.available_permits(), 1);
        assert_eq!(starts.next(RunSize::Large).await.of(ready(7)).await, 7);
        assert_eq!(starts.places.available_permits(), 1, "what is done has left its place");
    }
}
