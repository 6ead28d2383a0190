//! What a connection does.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use super::limits::Limits;

/// What a connection does. It is asked by whoever looks for a connection that may go.
#[derive(Debug)]
pub(super) struct Stage {
    now: Mutex<Now>,
    dismissed: Notify,
}

#[derive(Debug)]
struct Now {
    does: Does,
    /// The client does not take what is sent to it.
    is_stuck: bool,
    /// Requests that have begun.
    requests: u64,
}

#[derive(Debug, Clone, Copy)]
enum Does {
    /// It waits for a request until then. The head of one may have begun.
    Waits { since: Instant, head: Option<Instant>, is_first: bool },
    /// A request is carried out.
    Works,
    /// It goes, and carries out nothing more.
    Goes,
}

/// A connection that has waited for so long may go if others come.
const PATIENCE: Duration = Duration::from_millis(250);

impl Stage {
    pub(super) fn new() -> Self {
        let does = Does::Waits { since: Instant::now(), head: None, is_first: true };
        Self { now: Mutex::new(Now { does, is_stuck: false, requests: 0 }), dismissed: Notify::new() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came.
    pub(super) fn hears(&self) {
        if let Does::Waits { head: head @ None, .. } = &mut self.now().does {
            *head = Some(Instant::now());
        }
    }

    /// Whether the client takes what is sent to it.
    pub(super) fn sends(&self, is_stuck: bool) {
        self.now().is_stuck = is_stuck;
    }

    /// How many requests have begun: what is sent answers the last of them.
    pub(super) fn requests(&self) -> u64 {
        self.now().requests
    }

    /// A request is there. `false`: it came too late, the connection goes.
    pub(super) fn begins(&self) -> bool {
        let mut now = self.now();
        let goes = matches!(now.does, Does::Goes);
        if !goes {
            now.does = Does::Works;
            now.requests += 1;
        }
        !goes
    }

    /// The answer is sent.
    pub(super) fn ends(&self) {
        let mut now = self.now();
        if let Does::Works = now.does {
            now.does = Does::Waits { since: Instant::now(), head: None, is_first: false };
        }
    }

    /// When the wait for the client has been too long.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.now().does {
            Does::Waits { since, is_first: true, .. } => Some(since + limits.head),
            Does::Waits { head: Some(head), .. } => Some(head + limits.head),
            Does::Waits { since, .. } => Some(since + limits.idle),
            Does::Works | Does::Goes => None,
        }
    }

    /// Since when it waits, if it may go.
    pub(super) fn may_go(&self) -> Option<Instant> {
        let now = self.now();
        match now.does {
            Does::Waits { since, .. } if !now.is_stuck => {
                Some(since).filter(|since| since.elapsed() >= PATIENCE)
            }
            _ => None,
        }
    }

    /// Sends it away unless it carries out a request.
    pub(super) fn dismiss(&self) -> bool {
        let mut now = self.now();
        let goes = !matches!(now.does, Does::Works) && !now.is_stuck;
        if goes {
            now.does = Does::Goes;
            self.dismissed.notify_one();
        }
        goes
    }

    /// Waits until somebody sends it away.
    pub(super) async fn dismissed(&self) {
        self.dismissed.notified().await;
    }
}
