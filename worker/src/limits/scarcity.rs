//! Tells when answers make us keep too much memory.
//!
//! hyper keeps up to 400 KiB of what a server sends, and reqwest cannot set less. Nearly all servers send far less, so
//! checks begin in trust. While many of them wait, a task looks how much memory the process takes. Where that is more
//! than the checks explain, memory is scarce: checks that began in trust are taken back, and until it is over all begin
//! in a way that keeps little.
//!
//! Where the system does not tell how much memory the process takes, memory is scarce as soon as more checks wait than
//! the budget could serve if each server sent as much as it can.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::memory::Memory;

/// Most that a server can make a trusting check keep.
const MOST_KEPT: usize = 512 << 10;
/// What a check that waits for its server takes, with TLS.
const USUAL: usize = 48 << 10;
/// How often the task looks.
const STEP: Duration = Duration::from_millis(20);
/// The allocator gives memory back within this time.
const GIVEN_BACK: Duration = Duration::from_secs(15);

/// Whether memory is scarce.
#[derive(Debug)]
pub(crate) struct Scarcity {
    memory: Arc<Memory>,
    /// How much all checks may take beyond the usual.
    room: usize,
    is_on: AtomicBool,
    /// Checks that wait for their servers.
    waiting: AtomicUsize,
    is_watched: AtomicBool,
    taken_back: Notify,
    account: Mutex<Account>,
}

impl Scarcity {
    pub(crate) fn new(memory: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self {
            // The other half of what heads may take is for those that come before the task looks again.
            room: memory.for_heads() / 2,
            memory,
            is_on: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            is_watched: AtomicBool::new(false),
            taken_back: Notify::new(),
            account: Mutex::default(),
        })
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Carries out the rest of a check that waits for its server. `None`: it is taken back. That happens to trusting
    /// checks alone.
    pub(crate) async fn wait_for<F: Future + Unpin>(
        self: &Arc<Self>,
        check: F,
        is_trusting: bool,
    ) -> Option<F::Output> {
        let _waits = Waits::new(self);
        if !is_trusting {
            return Some(check.await);
        }
        let mut taken_back = pin!(self.taken_back.notified());
        // From here on no call is missed.
        taken_back.as_mut().enable();
        if self.is_on() {
            return None;
        }
        tokio::select! {
            biased;
            output = check => Some(output),
            () = taken_back => None,
        }
    }

    /// So few checks cannot take much.
    fn few(&self) -> usize {
        self.room / MOST_KEPT / 4
    }

    fn begin_watch(self: &Arc<Self>) {
        if self.is_watched.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(resident) = resident() {
            self.account().open(resident, Instant::now());
        }
        tokio::spawn(watch(Arc::downgrade(self)));
    }

    /// Looks once. `false`: there is nothing more to watch.
    fn look(&self) -> bool {
        let waiting = self.waiting.load(Ordering::SeqCst);
        if waiting <= self.few() {
            self.is_on.store(false, Ordering::Relaxed);
            self.account().close(Instant::now());
            self.is_watched.store(false, Ordering::SeqCst);
            // Others may have begun to wait just now, and found the watch there.
            return self.waiting.load(Ordering::SeqCst) > self.few()
                && !self.is_watched.swap(true, Ordering::SeqCst);
        }
        let is_scarce = match resident() {
            Some(resident) => {
                let explained = waiting * USUAL + self.memory.handed_out();
                self.account().is_scarce(resident, explained, self.room, Instant::now())
            }
            None => waiting * MOST_KEPT > self.room,
        };
        let was_scarce = self.is_on.swap(is_scarce, Ordering::Relaxed);
        match (was_scarce, is_scarce) {
            (false, true) => tracing::warn!(waiting, "answers take much memory: checks keep less of each"),
            (true, false) => tracing::info!("answers take no more memory than usual"),
            _ => {}
        }
        if is_scarce {
            self.taken_back.notify_waiters();
        }
        true
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // Nothing under this lock can panic half-way.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn watch(scarcity: Weak<Scarcity>) {
    loop {
        sleep(STEP).await;
        match scarcity.upgrade() {
            Some(scarcity) if scarcity.look() => {}
            _ => return,
        }
    }
}

/// A check waits for its server.
struct Waits<'a>(&'a Scarcity);

impl<'a> Waits<'a> {
    fn new(scarcity: &'a Arc<Scarcity>) -> Self {
        if scarcity.waiting.fetch_add(1, Ordering::SeqCst) >= scarcity.few() {
            scarcity.begin_watch();
        }
        Self(scarcity)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What the process takes, and what explains it. All in bytes.
#[derive(Debug, Default)]
struct Account {
    /// What it takes beside its checks.
    base: usize,
    /// The most that checks explained in this period and in the one before. Memory that was given back by a check
    /// belongs to the process a little longer.
    explained: [usize; 2],
    period: Option<Instant>,
    scarce_since: Option<Instant>,
}

impl Account {
    /// The watch begins.
    fn open(&mut self, resident: usize, now: Instant) {
        let is_settled = self.period.is_none_or(|period| now - period >= GIVEN_BACK);
        if is_settled {
            *self = Self { base: resident, period: Some(now), ..Self::default() };
        }
    }

    /// The watch ends.
    fn close(&mut self, now: Instant) {
        self.period = Some(now);
        self.scarce_since = None;
    }

    fn is_scarce(&mut self, resident: usize, explained: usize, room: usize, now: Instant) -> bool {
        self.base = self.base.min(resident);
        let age = self.period.map_or(Duration::MAX, |period| now - period);
        if age >= GIVEN_BACK {
            self.explained = [0, if age >= GIVEN_BACK * 2 { 0 } else { self.explained[0] }];
            self.period = Some(now);
        }
        self.explained[0] = self.explained[0].max(explained);
        if self.scarce_since.is_some_and(|since| now - since >= GIVEN_BACK) {
            // All that checks can have taken was given back or is explained, so the rest is somebody else's.
            self.base = self.base.max(resident.saturating_sub(explained));
            self.scarce_since = None;
            return false;
        }
        let most = self.base + self.explained[0].max(self.explained[1]) + room;
        let enough = if self.scarce_since.is_some() { most - room / 2 } else { most };
        let is_scarce = resident > enough;
        self.scarce_since = is_scarce.then(|| self.scarce_since.unwrap_or(now));
        is_scarce
    }
}

/// Bytes of memory that this process takes, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let (_, rest) = status.split_once("\nVmRSS:")?;
    let kib: usize = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn memory_is_scarce_where_more_is_taken_than_checks_explain() {
        let (mut account, now) = (Account::default(), Instant::now());
        account.open(100 * MIB, now);
        let mut is_scarce = |resident, explained, seconds| {
            account.is_scarce(resident * MIB, explained * MIB, 60 * MIB, now + Duration::from_secs(seconds))
        };
        assert!(!is_scarce(300, 200, 0), "checks explain it");
        assert!(!is_scarce(300, 0, 10), "and the allocator keeps it for a while");
        assert!(is_scarce(300, 0, 40), "but not for ever");
        assert!(is_scarce(140, 0, 41), "it is over when it is clearly less");
        assert!(!is_scarce(120, 0, 42));
        assert!(is_scarce(400, 0, 50));
        assert!(is_scarce(400, 0, 60));
        assert!(!is_scarce(400, 0, 66), "what stays although checks keep little is not theirs");
        assert!(!is_scarce(450, 0, 67));
        assert!(is_scarce(470, 0, 68));
    }

    #[test]
    fn a_watch_that_begins_soon_after_another_knows_what_was_usual() {
        let (mut account, now) = (Account::default(), Instant::now());
        account.open(100 * MIB, now);
        account.close(now);
        account.open(200 * MIB, now + GIVEN_BACK / 2);
        assert!(account.is_scarce(200 * MIB, 0, 60 * MIB, now + GIVEN_BACK / 2));
        account.close(now + GIVEN_BACK);
        account.open(200 * MIB, now + GIVEN_BACK * 2);
        assert!(!account.is_scarce(200 * MIB, 0, 60 * MIB, now + GIVEN_BACK * 2));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_what_a_process_takes() {
        assert!(resident().unwrap() > MIB);
    }
}
