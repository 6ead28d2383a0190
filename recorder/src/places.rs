//! Places for the ends of runs that are announced at the same time.
//!
//! Whoever asked may take no answer for a while. So there are many places, and an end that has had one for long gives
//! it up if others need it. Nor does an asker who keeps one answer waiting get a second place for long: see
//! [`Place::may_answer`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Ends that are announced at the same time.
pub(crate) const PLACES: usize = 64;
/// How long an end keeps its place if others need it, and an asker may take for one answer while there are others for it.
const PROMPT: Duration = Duration::from_secs(2);

/// The places that are taken, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Mutex<VecDeque<Taken>>,
    left: Notify,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Taken {
    number: u64,
    since: Instant,
    /// Cancelled when others need the place.
    make_room: CancellationToken,
    /// Who is being answered, and since when.
    answering: Option<(String, Instant)>,
}

/// One place, until it is dropped.
pub(crate) struct Place<'a> {
    places: &'a Places,
    number: u64,
    /// Cancelled when others need the place.
    pub(crate) make_room: CancellationToken,
}

impl Places {
    /// Waits for a place. Cancel safe.
    pub(crate) async fn take(&self) -> Place<'_> {
        loop {
            let left = self.left.notified();
            let (due, oldest) = {
                let mut taken = self.lock();
                match taken.front() {
                    Some(oldest) if taken.len() >= PLACES => {
                        (oldest.since + PROMPT, oldest.make_room.clone())
                    }
                    _ => {
                        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
                        let (since, make_room) = (Instant::now(), CancellationToken::new());
                        let place = Place { places: self, number, make_room: make_room.clone() };
                        taken.push_back(Taken { number, since, make_room, answering: None });
                        return place;
                    }
                }
            };
            let overdue = async {
                sleep_until(due).await;
                oldest.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = left => {}
                () = overdue => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Begins to answer, unless another answer to the same asker has been under way for long.
    pub(crate) fn may_answer(&self, asker: &str) -> bool {
        let mut taken = self.places.lock();
        let mut others = taken.iter().filter_map(|taken| taken.answering.as_ref());
        if others.any(|(other, since)| other == asker && since.elapsed() > PROMPT) {
            return false;
        }
        if let Some(own) = taken.iter_mut().find(|taken| taken.number == self.number) {
            own.answering = Some((asker.to_owned(), Instant::now()));
        }
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.places.lock().retain(|taken| taken.number != self.number);
        self.places.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn the_oldest_makes_room_when_it_has_had_its_time() {
        let places = Places::default();
        let mut taken = VecDeque::new();
        for _ in 0..PLACES {
            taken.push_back(places.take().await);
        }
        let next = places.take();
        tokio::pin!(next);
        assert!(next.as_mut().now_or_never().is_none());
        assert!(!taken[0].make_room.is_cancelled(), "it may take a little");
        sleep(PROMPT).await;
        assert!(next.as_mut().now_or_never().is_none());
        assert!(taken[0].make_room.is_cancelled() && !taken[1].make_room.is_cancelled());
        taken.pop_front();
        assert!(next.now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_asker_who_is_stuck_gets_no_further_answer_and_others_do() {
        let places = Places::default();
        let (first, second) = (places.take().await, places.take().await);
        assert!(first.may_answer("stuck") && second.may_answer("stuck"), "two at once are all right");
        sleep(PROMPT + Duration::from_millis(1)).await;
        let third = places.take().await;
        assert!(!third.may_answer("stuck") && third.may_answer("well"));
        drop((first, second));
        assert!(places.take().await.may_answer("stuck"));
    }
}
