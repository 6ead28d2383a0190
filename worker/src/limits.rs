//! How much happens at once: first a turn at the host, then one of the worker's slots.
//!
//! In this order a slow host holds up nobody: those that wait for it hold no slot. Each host's entry goes
//! when its last user does, so memory follows what is under way, not what was ever seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hands out turns.
#[derive(Debug)]
pub(crate) struct Limits {
    per_host: usize,
    hosts: Mutex<HashMap<String, Host>>,
    slots: Arc<Semaphore>,
}

#[derive(Debug)]
struct Host {
    turns: Arc<Semaphore>,
    /// Those that have a turn or wait for one.
    users: usize,
}

/// The right to talk to one host now. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    limits: Arc<Limits>,
    held: Option<Held>,
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
    /// At most `per_host` turns at one host, and `slots` in all.
    pub(crate) fn new(per_host: usize, slots: usize) -> Arc<Self> {
        Arc::new(Self {
            per_host,
            hosts: Mutex::default(),
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
        })
    }

    /// Waits for a turn at a host.
    pub(crate) async fn turn(self: &Arc<Self>, host: &str) -> Turn {
        let mut turn = Turn { limits: Arc::clone(self), held: None };
        turn.move_to(host).await;
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
    /// Waits for a turn at another host. The old turn ends first: nobody waits while holding one, so
    /// redirects across hosts cannot lock each other out.
    pub(crate) async fn move_to(&mut self, host: &str) {
        if self.held.as_ref().is_some_and(|held| held.place.host == host) {
            return;
        }
        self.held = None;
        let (place, turns) = self.limits.enter(host);
        let turn = acquire(turns).await;
        let slot = acquire(Arc::clone(&self.limits.slots)).await;
        self.held = Some(Held { _slot: slot, _turn: turn, place });
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
        let limits = Limits::new(1, 2);
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
        let limits = Limits::new(1, 8);
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
}
