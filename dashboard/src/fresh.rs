//! What is found out once for all who ask at the same time, and remembered for a while.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What went wrong is told to all who wait for it, and to those who come so soon after.
const AFTER_A_FAULT: Duration = Duration::from_secs(1);
/// Who would rather have an old answer soon waits so long for a new one.
const PATIENCE: Duration = Duration::from_millis(30);
/// An older answer is not told any more.
const OLDEST: Duration = Duration::from_secs(300);

/// How long an answer is remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    /// At least so long.
    pub(crate) least: Duration,
    /// And so many times as long as it took to find out.
    pub(crate) times: u32,
    /// But no longer.
    pub(crate) most: Duration,
}

impl Length {
    pub(crate) fn after(self, took: Duration) -> Duration {
        (took * self.times).min(self.most).max(self.least)
    }
}

/// How much is remembered. What was asked for least lately is forgotten first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<V> {
    /// So many answers.
    pub(crate) answers: usize,
    /// Of so much weight together.
    pub(crate) weight: usize,
    /// What an answer weighs.
    pub(crate) weigh: fn(&V) -> usize,
}

/// Answers, by what was asked.
pub(crate) struct Fresh<K, V, E> {
    length: Length,
    room: Room<V>,
    kept: Mutex<HashMap<K, Kept<V, E>>>,
}

struct Kept<V, E> {
    answer: Arc<Slot<V, E>>,
    /// The latest that was no fault, and since when it is known.
    latest: Option<(Instant, V)>,
    asked: Instant,
    weight: usize,
}

/// An answer, and until when it holds. Who finds it out holds the lock: all others wait for them.
type Slot<V, E> = tokio::sync::Mutex<Option<(Instant, Result<V, E>)>>;

impl<K: Hash + Eq + Clone, V: Clone, E: Clone> Fresh<K, V, E> {
    pub(crate) fn new(length: Length, room: Room<V>) -> Self {
        Self { length, room, kept: Mutex::default() }
    }

    /// The answer as it is remembered. Otherwise `find` finds it out.
    pub(crate) async fn get(&self, key: K, find: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let slot = self.slot(&key);
        let mut answer = slot.lock().await;
        if let Some((_, known)) = answer.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return known.clone();
        }
        let begun = Instant::now();
        let found = find.await;
        let holds = if found.is_ok() { self.length.after(begun.elapsed()) } else { AFTER_A_FAULT };
        *answer = Some((Instant::now() + holds, found.clone()));
        drop(answer);
        self.note(&key, &slot, &found);
        found
    }

    /// Forgets everything. What is being found out is told only to those who wait for it.
    pub(crate) fn forget(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<K, Kept<V, E>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, key: &K) -> Arc<Slot<V, E>> {
        let (mut kept, asked) = (self.kept(), Instant::now());
        if let Some(known) = kept.get_mut(key) {
            known.asked = asked;
            return Arc::clone(&known.answer);
        }
        while kept.len() >= self.room.answers.max(1) {
            forget_one(&mut kept);
        }
        let answer = Arc::new(Slot::new(None));
        kept.insert(key.clone(), Kept { answer: Arc::clone(&answer), latest: None, asked, weight: 0 });
        answer
    }

    /// The latest answer, unless it is too old to be told.
    fn latest(&self, key: &K) -> Option<V> {
        let kept = self.kept();
        let (since, latest) = kept.get(key)?.latest.as_ref()?;
        (since.elapsed() < OLDEST).then(|| latest.clone())
    }

    fn note(&self, key: &K, slot: &Arc<Slot<V, E>>, found: &Result<V, E>) {
        let mut kept = self.kept();
        if let Some(known) = kept.get_mut(key).filter(|known| Arc::ptr_eq(&known.answer, slot)) {
            known.weight = found.as_ref().map_or(0, self.room.weigh);
            if let Ok(found) = found {
                known.latest = Some((Instant::now(), found.clone()));
            }
        }
        while kept.values().map(|known| known.weight).sum::<usize>() > self.room.weight {
            forget_one(&mut kept);
        }
    }
}

impl<K, V, E> Fresh<K, V, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + 'static,
    E: Clone + Send + 'static,
{
    /// The same for whoever would rather have an old answer soon than a new one late. One that no longer holds is found
    /// out anew. If that takes more than a moment, it goes on by itself, and the old one is told meanwhile.
    pub(crate) async fn soon(
        self: &Arc<Self>,
        key: K,
        find: impl Future<Output = Result<V, E>> + Send + 'static,
    ) -> Result<V, E> {
        let Some(latest) = self.latest(&key) else { return self.get(key, find).await };
        // Somebody finds it out already.
        if self.slot(&key).try_lock().is_err() {
            return Ok(latest);
        }
        let fresh = Arc::clone(self);
        let renewed = tokio::spawn(async move { fresh.get(key, find).await });
        match tokio::time::timeout(PATIENCE, renewed).await {
            Ok(Ok(renewed)) => renewed,
            _ => Ok(latest),
        }
    }
}

fn forget_one<K: Hash + Eq + Clone, V, E>(kept: &mut HashMap<K, Kept<V, E>>) {
    let oldest = kept.iter().min_by_key(|(_, known)| known.asked).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        kept.remove(&oldest);
    }
}

impl<K, V, E> fmt::Debug for Fresh<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn fresh(length: Length) -> Fresh<u32, Vec<u8>, &'static str> {
        Fresh::new(length, Room { answers: 3, weight: 10, weigh: Vec::len })
    }

    fn long() -> Fresh<u32, Vec<u8>, &'static str> {
        fresh(Length { least: HOUR, times: 0, most: HOUR })
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_search() {
        let (fresh, searches) = (long(), AtomicUsize::new(0));
        let ask = || {
            fresh.get(1, async {
                searches.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(vec![7])
            })
        };
        let answers = futures::future::join_all((0..200).map(|_| ask())).await;
        assert!(answers.iter().all(|answer| answer == &Ok(vec![7])));
        assert_eq!(searches.load(Relaxed), 1);
        fresh.forget();
        assert_eq!(ask().await, Ok(vec![7]));
        assert_eq!(searches.load(Relaxed), 2);
    }

    #[tokio::test]
    async fn an_old_answer_is_told_while_a_new_one_is_found_out() {
        let fresh = Arc::new(fresh(Length { least: Duration::ZERO, times: 0, most: Duration::ZERO }));
        assert_eq!(fresh.soon(1, async { Ok(vec![1]) }).await, Ok(vec![1]), "the first is waited for");
        assert_eq!(fresh.soon(1, async { Ok(vec![2]) }).await, Ok(vec![2]), "so is one that comes soon");
        let (go_on, held) = tokio::sync::oneshot::channel();
        let slow = async {
            held.await.unwrap();
            Ok(vec![3])
        };
        assert_eq!(fresh.soon(1, slow).await, Ok(vec![2]));
        let second = fresh.soon(1, async { panic!("it is found out once") });
        assert_eq!(second.await, Ok(vec![2]));
        go_on.send(()).unwrap();
        while fresh.latest(&1) != Some(vec![3]) {
            tokio::task::yield_now().await;
        }
        assert_eq!(fresh.soon(1, async { Err("away") }).await, Err("away"));
    }

    #[tokio::test]
    async fn whoever_gives_up_holds_up_nobody() {
        let fresh = long();
        let never = fresh.get(1, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(20), never).await.is_err());
        assert_eq!(fresh.get(1, async { Ok(vec![1]) }).await, Ok(vec![1]));
    }

    #[tokio::test]
    async fn what_was_asked_for_least_lately_is_forgotten_first() {
        let fresh = long();
        for key in [1, 2, 3, 1, 4] {
            fresh.get(key, async { Ok(vec![0]) }).await.unwrap();
        }
        assert_eq!(fresh.get(1, async { Err("searched") }).await, Ok(vec![0]));
        assert_eq!(fresh.get(2, async { Err("searched") }).await, Err("searched"));
        fresh.get(5, async { Ok(vec![0; 10]) }).await.unwrap();
        assert_eq!(
            fresh.get(4, async { Err("searched") }).await,
            Err("searched"),
            "there is no room beside it"
        );
        fresh.get(6, async { Ok(vec![0; 11]) }).await.unwrap();
        assert_eq!(
            fresh.kept().values().map(|known| known.weight).sum::<usize>(),
            0,
            "it has no room at all"
        );
    }

    #[tokio::test]
    async fn a_fault_is_told_to_all_who_wait() {
        let (fresh, searches) =
            (fresh(Length { least: Duration::ZERO, times: 0, most: HOUR }), AtomicUsize::new(0));
        let ask = || {
            fresh.get(1, async {
                searches.fetch_add(1, Relaxed);
                Err("away")
            })
        };
        let answers = futures::future::join_all((0..50).map(|_| ask())).await;
        assert!(answers.iter().all(|answer| answer == &Err("away")));
        assert_eq!(searches.load(Relaxed), 1);
    }
}
