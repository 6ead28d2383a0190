//! Places for the ends of runs that are announced at the same time.
//!
//! Whoever asked may take no answer for a while. So an end that has had its place for long gives it up if others need it.
//! And an asker who keeps one answer waiting for long gets no further one meanwhile: see [`Place::may_answer`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Ends announced at once.
pub(crate) const AT_ONCE: usize = 16;
/// How long an end keeps its place if others need it, and an asker one answer if there are others for it.
const PROMPT: Duration = Duration::from_secs(2);

/// How long an asker whose answer was given up gets no other one.
const STUCK: Duration = Duration::from_secs(30);
/// Most of them that are remembered.
const REMEMBERED: usize = 256;

/// The places.
#[derive(Debug, Default)]
pub(crate) struct Places {
    state: Mutex<State>,
    left: Notify,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<Taken>,
    /// Askers whose answers were given up, and when.
    stuck: VecDeque<(String, Instant)>,
}

#[derive(Debug)]
struct Taken {
    number: u64,
    since: Instant,
    make_room: CancellationToken,
    /// Who is being answered, and since when.
    answering: Vec<(String, Instant)>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    /// Cancelled when others need the place.
    pub(crate) make_room: CancellationToken,
}

impl Places {
    /// How many are left.
    pub(crate) fn room(&self) -> usize {
        AT_ONCE.saturating_sub(self.lock().taken.len())
    }

    /// Takes one, if one is left.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.lock();
        if state.taken.len() >= AT_ONCE {
            return None;
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (since, make_room) = (Instant::now(), CancellationToken::new());
        state.taken.push(Taken { number, since, make_room: make_room.clone(), answering: Vec::new() });
        Some(Place { places: Arc::clone(self), number, make_room })
    }

    /// Others need places: those that were taken for long are given up.
    pub(crate) fn make_room(&self) {
        let State { taken, stuck } = &mut *self.lock();
        for taken in taken.iter_mut().filter(|taken| taken.since.elapsed() > PROMPT) {
            taken.make_room.cancel();
            stuck.extend(taken.answering.drain(..).map(|(asker, _)| (asker, Instant::now())));
        }
        let too_many = stuck.len().saturating_sub(REMEMBERED);
        stuck.drain(..too_many);
    }

    /// Waits until a place was left since this was last asked.
    pub(crate) async fn one_left(&self) {
        self.left.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Begins to answer, unless another answer to the same asker has been under way for long.
    pub(crate) fn may_answer(&self, asker: &str) -> bool {
        let State { taken, stuck } = &mut *self.places.lock();
        let mut answering = taken.iter().flat_map(|taken| &taken.answering);
        if answering.any(|(other, since)| other == asker && since.elapsed() > PROMPT)
            || stuck.iter().any(|(other, since)| other == asker && since.elapsed() < STUCK)
        {
            return false;
        }
        if let Some(own) = taken.iter_mut().find(|taken| taken.number == self.number) {
            own.answering.push((asker.to_owned(), Instant::now()));
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.retain(|taken| taken.number != self.number);
        self.places.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn those_that_had_their_time_make_room() {
        let places = Arc::<Places>::default();
        let mut taken: Vec<Place> = std::iter::from_fn(|| places.take()).collect();
        assert_eq!((taken.len(), places.room()), (AT_ONCE, 0));
        places.make_room();
        assert!(!taken[0].make_room.is_cancelled(), "it may take a little");
        sleep(PROMPT / 2).await;
        taken.pop();
        taken.extend(places.take());
        sleep(PROMPT / 2 + Duration::from_millis(10)).await;
        places.make_room();
        assert!(taken[0].make_room.is_cancelled() && !taken[AT_ONCE - 1].make_room.is_cancelled());
        taken.remove(0);
        places.one_left().await;
        assert_eq!(places.room(), 1);
    }

    #[tokio::test]
    async fn an_asker_who_is_stuck_gets_no_further_answer_and_others_do() {
        let places = Arc::<Places>::default();
        let place = || places.take().unwrap();
        let (first, second) = (place(), place());
        assert!(first.may_answer("stuck") && second.may_answer("stuck"), "two at once are all right");
        sleep(PROMPT + Duration::from_millis(10)).await;
        let third = place();
        assert!(!third.may_answer("stuck") && third.may_answer("well"));
        drop((first, second));
        let again = place();
        assert!(again.may_answer("stuck"));
        sleep(PROMPT + Duration::from_millis(10)).await;
        places.make_room();
        drop(again);
        assert!(!place().may_answer("stuck"), "it was given up");
    }
}
