//! A check waits for a turn at its host first, and then for one of the worker's slots.
//!
//! In this order a slow host holds up nobody, because a check that waits for its host holds no slot. A host is
//! forgotten when its last user is done. So memory follows the checks under way, not the hosts ever seen.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout};

use super::pace::Pace;
use super::quota::{Passed, Quota};

/// When a check has waited this long for its turn, its host gets one more turn, up to the limit. A host that answers
/// sooner serves its checks one after the other over one connection, which costs both sides less.
const SLOW: Duration = Duration::from_millis(32);

/// Hands out turns.
#[derive(Debug)]
pub(crate) struct Limits {
    per_host: usize,
    hosts: Mutex<HashMap<String, Host>>,
    slots: Arc<Semaphore>,
    slots_in_all: usize,
    pace: Pace,
}

#[derive(Debug)]
struct Host {
    turns: Arc<Semaphore>,
    /// How many turns there are, taken or free.
    width: usize,
    /// Checks that have a turn or wait for one.
    users: usize,
}

/// The right to talk to one host now. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    limits: Arc<Limits>,
    quota: Quota,
    held: Option<Held>,
    /// Nothing was asked of the host yet. The wait for the turn included the wait for the host's pace.
    fresh: bool,
}

#[derive(Debug)]
struct Held {
    _slot: Slots,
    _turn: OwnedSemaphorePermit,
    place: Place,
}

/// One slot, or two, and what had to be passed before.
#[derive(Debug)]
struct Slots {
    slots: OwnedSemaphorePermit,
    passed: Passed,
}

/// Counts one user of a host, for as long as it lives.
#[derive(Debug)]
struct Place {
    limits: Arc<Limits>,
    host: String,
    turns: Arc<Semaphore>,
}

impl Limits {
    /// At most `per_host` turns at one host, and `slots` in all. Requests to one host begin at this pace.
    pub(crate) fn new(per_host: usize, slots: usize, pace: Pace) -> Arc<Self> {
        Arc::new(Self {
            per_host,
            hosts: Mutex::default(),
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            slots_in_all: slots,
            pace,
        })
    }

    /// Waits until a first request to this host may begin.
    pub(crate) async fn turn(self: &Arc<Self>, host: &str, quota: &Quota) -> Turn {
        let mut turn = Turn { limits: Arc::clone(self), quota: quota.clone(), held: None, fresh: true };
        turn.held = Some(turn.hold(host).await);
        turn
    }

    /// The same for a check of two pages. The second turn is for the page of host `second`, if there is one and
    /// the limits allow two requests at once; otherwise both pages share the first turn.
    ///
    /// Turns at two hosts are waited for in the order of the hosts' names, and slots only after both, so that no two
    /// checks can wait for each other.
    pub(crate) async fn turns(
        self: &Arc<Self>,
        first: &str,
        second: Option<&str>,
        quota: &Quota,
    ) -> (Turn, Option<Turn>) {
        let at_once = if second == Some(first) { self.per_host >= 2 } else { true };
        match second.filter(|_| at_once && self.slots_in_all >= 2) {
            None => (self.turn(first, quota).await, None),
            // In a box: few checks have two pages.
            Some(second) => Box::pin(self.two_turns(first, second, quota)).await,
        }
    }

    async fn two_turns(self: &Arc<Self>, first: &str, second: &str, quota: &Quota) -> (Turn, Option<Turn>) {
        let wanted = if first == second { 2 } else { 1 };
        let (first_place, second_place) = (self.enter(first, wanted), self.enter(second, wanted));
        let (first_turn, second_turn) = match first.cmp(second) {
            Ordering::Equal => {
                let mut both = first_place.turns(2).await;
                let second = split(&mut both);
                (both, second)
            }
            Ordering::Less => {
                let first = first_place.turns(1).await;
                (first, second_place.turns(1).await)
            }
            Ordering::Greater => {
                let second = second_place.turns(1).await;
                (first_place.turns(1).await, second)
            }
        };
        let mut slots = self.paced_slots(first, 2, quota).await;
        let second_slot = slots.split();
        let second = self.holding(second_place, second_turn, second_slot, quota);
        let mut first = self.holding(first_place, first_turn, slots, quota);
        first.fresh = true;
        (first, Some(second))
    }

    fn holding(
        self: &Arc<Self>,
        place: Place,
        turn: OwnedSemaphorePermit,
        slot: Slots,
        quota: &Quota,
    ) -> Turn {
        let held = Some(Held { _slot: slot, _turn: turn, place });
        Turn { limits: Arc::clone(self), quota: quota.clone(), held, fresh: false }
    }

    /// Waits for slots. Whoever waits for the host's pace holds none meanwhile.
    async fn paced_slots(&self, host: &str, slots: u32, quota: &Quota) -> Slots {
        loop {
            let passed = quota.pass(slots).await;
            let slots = Slots { slots: acquire(Arc::clone(&self.slots), slots).await, passed };
            match self.pace.start(host) {
                Ok(()) => return slots,
                Err(due) => {
                    drop(slots);
                    sleep_until(due).await;
                }
            }
        }
    }

    /// Becomes a user of this host, which has at least so many turns from now on.
    fn enter(self: &Arc<Self>, host: &str, width: usize) -> Place {
        let mut hosts = self.hosts();
        let entry = hosts.entry(host.to_owned()).or_default();
        entry.users += 1;
        entry.widen_to(width);
        let turns = Arc::clone(&entry.turns);
        Place { limits: Arc::clone(self), host: host.to_owned(), turns }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        // Counting cannot panic, so a poisoned lock still guards a sound map.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(0)), width: 0, users: 0 }
    }
}

impl Host {
    fn widen_to(&mut self, width: usize) {
        self.turns.add_permits(width.saturating_sub(self.width));
        self.width = self.width.max(width);
    }
}

impl Place {
    /// Waits for turns at the host.
    async fn turns(&self, wanted: u32) -> OwnedSemaphorePermit {
        let mut turns = pin!(acquire(Arc::clone(&self.turns), wanted));
        loop {
            if let Ok(turns) = timeout(SLOW, &mut turns).await {
                return turns;
            }
            if !self.widen() {
                return turns.await;
            }
        }
    }

    /// Gives the host one more turn. False: it has as many as the limit allows.
    fn widen(&self) -> bool {
        let mut hosts = self.limits.hosts();
        let host = hosts.get_mut(&self.host).filter(|host| host.width < self.limits.per_host);
        host.map(|host| host.widen_to(host.width + 1)).is_some()
    }
}

impl Turn {
    /// Of the slots that it may take.
    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

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
        // In a box: few redirects lead to another host, and all checks would be larger for it.
        self.held = Some(Box::pin(self.hold(host)).await);
    }

    async fn hold(&self, host: &str) -> Held {
        let place = self.limits.enter(host, 1);
        let turn = place.turns(1).await;
        let slot = self.limits.paced_slots(host, 1, &self.quota).await;
        Held { _slot: slot, _turn: turn, place }
    }

    /// Waits for the host's pace within a turn.
    async fn paced(&self, host: &str) {
        while let Err(due) = self.limits.pace.start(host) {
            sleep_until(due).await;
        }
    }
}

impl Slots {
    /// The second of two.
    fn split(&mut self) -> Self {
        Self { slots: split(&mut self.slots), passed: self.passed.split() }
    }
}

#[expect(clippy::expect_used, reason = "these semaphores are never closed")]
async fn acquire(semaphore: Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    semaphore.acquire_many_owned(permits).await.expect("an open semaphore")
}

#[expect(clippy::expect_used, reason = "it holds two permits")]
fn split(two: &mut OwnedSemaphorePermit) -> OwnedSemaphorePermit {
    two.split(1).expect("a permit to split off")
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

    use super::super::quota::ANY;
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
        let first = limits.turn("a", &ANY).await;
        let mut second = pin!(limits.turn("a", &ANY));
        assert!(at_once(&mut second).await.is_none());
        let other = at_once(limits.turn("b", &ANY)).await.expect("the waiting one holds no slot");
        assert!(at_once(limits.turn("c", &ANY)).await.is_none(), "both slots are taken");
        drop((first, other));
        assert!(at_once(second).await.is_some());
    }

    #[tokio::test]
    async fn hosts_are_forgotten_when_nobody_uses_them() {
        let limits = Limits::new(1, 8, Pace::new(Duration::ZERO));
        let mut turn = limits.turn("a", &ANY).await;
        assert!(at_once(limits.turn("a", &ANY)).await.is_none());
        assert_eq!(limits.hosts().len(), 1);
        turn.move_to("b").await;
        assert_eq!(limits.hosts().keys().collect::<Vec<_>>(), ["b"]);
        turn.move_to("b").await;
        drop(turn);
        assert!(limits.hosts().is_empty());
        assert_eq!(limits.slots.available_permits(), 8);
    }

    #[tokio::test]
    async fn a_check_of_two_pages_gets_both_turns_or_waits_for_both() {
        let limits = Limits::new(2, 4, Pace::new(Duration::ZERO));
        let (first, second) =
            at_once(limits.turns("a", Some("a"), &ANY)).await.expect("two turns at one host");
        assert!(second.is_some());
        assert!(at_once(limits.turns("b", Some("a"), &ANY)).await.is_none(), "a is busy");
        assert!(at_once(limits.turns("a", Some("b"), &ANY)).await.is_none(), "a is busy");
        drop(first);
        drop(second);
        let (_b, _a) = at_once(limits.turns("b", Some("a"), &ANY)).await.expect("turns at two hosts");
        let (_a, _b) = limits.turns("a", Some("b"), &ANY).await;
        assert_eq!(limits.slots.available_permits(), 0);
    }

    #[tokio::test]
    async fn only_a_slow_host_gets_more_turns_at_once_and_never_more_than_the_limit() {
        let limits = Limits::new(3, 8, Pace::new(Duration::ZERO));
        let first = limits.turn("a", &ANY).await;
        let mut second = pin!(limits.turn("a", &ANY));
        assert!(at_once(&mut second).await.is_none(), "the first one may end soon");
        drop(first);
        let _second = at_once(second).await.expect("its turn has come");
        let _others = (limits.turn("a", &ANY).await, limits.turn("a", &ANY).await);
        let mut fourth = pin!(limits.turn("a", &ANY));
        assert!(timeout(4 * SLOW, &mut fourth).await.is_err(), "three are the limit");
    }

    #[tokio::test]
    async fn where_only_one_request_may_be_under_way_two_pages_share_a_turn() {
        let one_per_host = Limits::new(1, 4, Pace::new(Duration::ZERO));
        let (_turn, second) = at_once(one_per_host.turns("a", Some("a"), &ANY)).await.expect("one turn");
        assert!(second.is_none());
        let one_in_all = Limits::new(4, 1, Pace::new(Duration::ZERO));
        let (_turn, second) = at_once(one_in_all.turns("a", Some("b"), &ANY)).await.expect("one turn");
        assert!(second.is_none());
    }

    #[tokio::test]
    async fn requests_to_one_host_keep_their_distance_and_hold_up_no_other_host() {
        let interval = Duration::from_millis(200);
        let limits = Limits::new(8, 1, Pace::new(interval));
        let began = Instant::now();
        let mut first = at_once(limits.turn("a", &ANY)).await.expect("the first request is due at once");
        assert!(at_once(first.move_to("a")).await.is_some(), "its turn has waited for it");
        assert!(at_once(first.move_to("a")).await.is_none(), "the next one, after a redirect, is not due");
        first.move_to("a").await;
        assert!(began.elapsed() >= interval);
        drop(first);
        let mut waiting = pin!(limits.turn("a", &ANY));
        assert!(at_once(&mut waiting).await.is_none());
        assert!(at_once(limits.turn("b", &ANY)).await.is_some(), "whoever waits holds no slot");
        waiting.await;
        assert!(began.elapsed() >= 2 * interval);
    }
}
