//! Which answers to askers without a queue may go over the connection on which others publish; see [`super::direct`].

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::direct::{Direct, Node};

/// Answers that are tried at once, each on a connection of its own.
const ALONE_AT_ONCE: usize = 4;
/// How long an answer waits for its turn to be tried alone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing is sent to an address at which a connection was lost, or to its node.
const SHUNNED: Duration = Duration::from_secs(60);
/// Most that is remembered of each.
const REMEMBERED: usize = 256;

/// Whether an answer may be sent, and how.
pub(super) enum Leave<'a> {
    /// Like any message.
    Shared,
    /// On a connection of its own, until the permit is dropped.
    Alone(SemaphorePermit<'a>),
    /// Not at all, and why.
    None(&'static str),
}

/// What is known of addresses.
pub(super) struct Answers {
    known: Mutex<Known>,
    turns: Semaphore,
}

#[derive(Default)]
struct Known {
    /// Nodes that an answer has reached, over the connection of that number.
    reached: (u64, HashSet<Node>),
    shunned: HashMap<String, Instant>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { known: Mutex::default(), turns: Semaphore::new(ALONE_AT_ONCE) }
    }
}

impl Answers {
    /// How to send to this address, while messages are published over the connection of that number. The server may have
    /// become another one with each connection.
    pub(super) async fn leave(&self, address: &str, connection: u64) -> Leave<'_> {
        let Some(direct) = Direct::parse(address) else { return Leave::Shared };
        {
            let known = self.lock();
            match &direct {
                Direct::Malformed => return Leave::None("RabbitMQ has made no such address"),
                Direct::At(node) if known.reached.0 == connection && known.reached.1.contains(node) => {
                    return Leave::Shared;
                }
                Direct::At(_) | Direct::Unfamiliar => {}
            }
            if known.shunned.get(subject(address, &direct)).is_some_and(|since| since.elapsed() < SHUNNED) {
                return Leave::None("RabbitMQ has just closed a connection for such an address");
            }
        }
        match timeout(PATIENCE, self.turns.acquire()).await {
            Ok(Ok(turn)) => Leave::Alone(turn),
            _ => Leave::None("too many addresses are being tried"),
        }
    }

    /// An answer was taken.
    pub(super) fn reached(&self, address: &str, connection: u64) {
        let Some(Direct::At(node)) = Direct::parse(address) else { return };
        let mut known = self.lock();
        if known.reached.0 != connection {
            known.reached = (connection, HashSet::new());
        }
        if known.reached.1.len() < REMEMBERED {
            known.reached.1.insert(node);
        }
    }

    /// An answer has cost its connection.
    pub(super) fn shun(&self, address: &str) {
        let Some(direct) = Direct::parse(address) else { return };
        let mut known = self.lock();
        known.shunned.retain(|_, since| since.elapsed() < SHUNNED);
        if known.shunned.len() < REMEMBERED {
            known.shunned.insert(subject(address, &direct).to_owned(), Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node is at fault for all addresses that name it.
fn subject<'a>(address: &'a str, direct: &'a Direct) -> &'a str {
    match direct {
        Direct::At(node) => node.name(),
        Direct::Malformed | Direct::Unfamiliar => address,
    }
}
