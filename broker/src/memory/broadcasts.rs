//! What everybody is told, in memory: the latest of it is kept for those who listen later.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Broadcast, Broadcasts, Message};

/// The messages that are kept.
pub(super) struct Told {
    kept: VecDeque<Message>,
    capacity: usize,
    /// How many were told and are no longer kept.
    forgotten: usize,
}

impl Told {
    pub(super) fn at_most(capacity: usize) -> Self {
        Self { kept: VecDeque::new(), capacity, forgotten: 0 }
    }

    pub(super) fn tell(&mut self, message: Message) {
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(message);
    }

    /// How many were told in all.
    fn count(&self) -> usize {
        self.forgotten + self.kept.len()
    }
}

/// One who listens.
pub(super) struct MemoryBroadcasts {
    told: watch::Receiver<Told>,
    /// How many of those told it has seen, or missed because they are no longer kept.
    seen: usize,
    caught_up: bool,
    closed: CancellationToken,
}

impl MemoryBroadcasts {
    pub(super) fn new(told: &Arc<watch::Sender<Told>>, closed: CancellationToken) -> Self {
        Self { told: told.subscribe(), seen: 0, caught_up: false, closed }
    }
}

#[async_trait]
impl Broadcasts for MemoryBroadcasts {
    async fn next(&mut self) -> Option<Broadcast> {
        let seen = self.seen;
        let news = |told: &Told| told.count() > seen;
        if !self.caught_up && !self.closed.is_cancelled() && !news(&self.told.borrow()) {
            self.caught_up = true;
            return Some(Broadcast::CaughtUp);
        }
        let told = self.closed.run_until_cancelled(self.told.wait_for(news)).await?.ok()?;
        let next = seen.max(told.forgotten);
        self.seen = next + 1;
        told.kept.get(next - told.forgotten).cloned().map(Broadcast::Message)
    }
}
