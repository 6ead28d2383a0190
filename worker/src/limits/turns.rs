//! A check waits for a turn at its host first, and then for one of the worker's slots.
//!
//! In this order a slow host holds up nobody, because a check that waits for its host holds no slot. A host is
//! forgotten when its last user is done. So memory follows the checks under way, not the hosts ever seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep_until;

use super::pace::Pace;

/// Hands out turns.
#[derive(Debug)]
pub(crate) struct Limits {
    per_host: usize,
    hosts: Mutex<HashMap<String, Host>>,
    slots: Arc<Semaphore>,
    pace: Pace,
}

#[derive(Debug)]
struct Host {
    turns: Arc<Semaphore>,
    /// Checks that have a turn or wait for one.
    users: usize,
}

/// The right to talk to one host now. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    limits: Arc<Limits>,
    held: Option<Held>,
    /// Nothing was asked of the host yet. The wait for the turn included the wait for the host's pace.
    fresh: bool,
}

#[derive(Debug)]
struct Held {
    _slot: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
    place: Place,
}

/// Counts one user of a host, for as long as it lives.
#[derive(Debug)]
struct Place {
    limits: Arc<Limits>,
    host: String,
}

impl Limits {
    /// At most `per_host` turns at one host, and `slots` in all. Requests to one host begin at this pace.
    pub(crate) fn new(per_host: usize, slots: usize, pace: Pace) -> Arc<Self> {
        Arc::new(Self {
            per_host,
            hosts: Mutex::default(),
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            pace,
        })
    }

    /// Waits until a first request to this host may begin.
    pub(crate) async fn turn(self: &Arc<Self>, host: &str) -> Turn {
        let mut turn = Turn { limits: Arc::clone(self), held: None, fresh: false };
        turn.move_to(host).await;
        turn.fresh = true;
        turn
    }

    fn enter(self: &Arc<Self>, host: &str) -> (Place, Arc<Semaphore>) {
        let mut hosts = self.hosts();
        let entry = hosts
            .entry(host.to_owned())
            .or_insert_with(|| Host { turns: Arc::new(Semaphore::new(self.per_host)), users: 0 });
        entry.users += 1;
        (Place { limits: Arc::clone(self), host: host.to_owned() }, Arc::clone(&entry.turns))
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        // Counting cannot panic, so a poisoned lock still guards a sound map.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until the next request may begin, which goes to this host. The turn at another host ends first.
    /// Nobody waits while holding a turn, so redirects across hosts cannot lock each other out.
    pub(crate) async fn move_to(&mut self, host: &str) {
        let fresh = std::mem::take(&mut self.fresh);
        if self.held.as_ref().is_some_and(|held| held.place.host == host) {
            if !fresh {
                self.paced(host).await;
            }
            return;
        }
        self.held = None;
        let (place, turns) = self.limits.enter(host);
        let turn = acquire(turns).await;
        let slot = loop {
            let slot = acquire(Arc::clone(&self.limits.slots)).await;
            match self.limits.pace.start(host) {
                Ok(()) => break slot,
                Err(due) => {
                    drop(slot);
                    sleep_until(due).await;
                }
            }
        };
        self.held = Some(Held { _slot: slot, _turn: turn, place });
    }

    /// Waits for the host's pace within a turn.
    async fn paced(&self, host: &str) {
        while let Err(due) = self.limits.pace.start(host) {
            sleep_until(due).await;
        }
    }
}

#[expect(clippy::expect_used, reason = "these semaphores are never closed")]
async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.acquire_owned().await.expect("an open semaphore")
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hosts = self.limits.hosts();
        if let Some(host) = hosts.get_mut(&self.host) {
            host.users -= 1;
            if host.users == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    /// Polls once: whether it is done right away.
    async fn at_once<F: Future>(future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn a_busy_host_is_waited_for_without_holding_a_slot() {
        let limits = Limits::new(1, 2, Pace::new(Duration::ZERO));
        let first = limits.turn("a").await;
        let mut second = pin!(limits.turn("a"));
        assert!(at_once(&mut second).await.is_none());
        let other = at_once(limits.turn("b")).await.expect("the waiting one holds no slot");
        assert!(at_once(limits.turn("c")).await.is_none(), "both slots are taken");
        drop((first, other));
        assert!(at_once(second).await.is_some());
    }

    #[tokio::test]
    async fn hosts_are_forgotten_when_nobody_uses_them() {
        let limits = Limits::new(1, 8, Pace::new(Duration::ZERO));
        let mut turn = limits.turn("a").await;
        assert!(at_once(limits.turn("a")).await.is_none());
        assert_eq!(limits.hosts().len(), 1);
        turn.move_to("b").await;
        assert_eq!(limits.hosts().keys().collect::<Vec<_>>(), ["b"]);
        turn.move_to("b").await;
        drop(turn);
        assert!(limits.hosts().is_empty());
        assert_eq!(limits.slots.available_permits(), 8);
    }

    #[tokio::test]
    async fn requests_to_one_host_keep_their_distance_and_hold_up_no_other_host() {
        let interval = Duration::from_millis(200);
        let limits = Limits::new(8, 1, Pace::new(interval));
        let began = Instant::now();
        let mut first = at_once(limits.turn("a")).await.expect("the first request is due at once");
        assert!(at_once(first.move_to("a")).await.is_some(), "its turn has waited for it");
        assert!(at_once(first.move_to("a")).await.is_none(), "the next one, after a redirect, is not due");
        first.move_to("a").await;
        assert!(began.elapsed() >= interval);
        drop(first);
        let mut waiting = pin!(limits.turn("a"));
        assert!(at_once(&mut waiting).await.is_none());
        assert!(at_once(limits.turn("b")).await.is_some(), "whoever waits holds no slot");
        waiting.await;
        assert!(began.elapsed() >= 2 * interval);
    }
}
