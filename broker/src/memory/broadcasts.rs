//! Broadcasts in memory: the latest are kept for those who listen later.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Broadcast, Broadcasts, Message};

/// The messages that are kept.
pub(super) struct Latest {
    kept: VecDeque<Message>,
    capacity: usize,
    /// How many came and are no longer kept.
    forgotten: usize,
}

impl Latest {
    pub(super) fn at_most(capacity: usize) -> Self {
        Self { kept: VecDeque::new(), capacity, forgotten: 0 }
    }

    pub(super) fn add(&mut self, message: Message) {
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(message);
    }

    /// How many came in all.
    fn count(&self) -> usize {
        self.forgotten + self.kept.len()
    }
}

/// One who listens.
pub(super) struct MemoryBroadcasts {
    all: watch::Receiver<Latest>,
    /// How many it has seen, or missed because they are no longer kept.
    seen: usize,
    caught_up: bool,
    closed: CancellationToken,
}

impl MemoryBroadcasts {
    pub(super) fn new(all: &Arc<watch::Sender<Latest>>, closed: CancellationToken) -> Self {
        Self { all: all.subscribe(), seen: 0, caught_up: false, closed }
    }
}

#[async_trait]
impl Broadcasts for MemoryBroadcasts {
    async fn next(&mut self) -> Option<Broadcast> {
        let seen = self.seen;
        let news = |all: &Latest| all.count() > seen;
        if !self.caught_up && !self.closed.is_cancelled() && !news(&self.all.borrow()) {
            self.caught_up = true;
            return Some(Broadcast::CaughtUp);
        }
        let all = self.closed.run_until_cancelled(self.all.wait_for(news)).await?.ok()?;
        let next = seen.max(all.forgotten);
        self.seen = next + 1;
        all.kept.get(next - all.forgotten).cloned().map(Broadcast::Message)
    }
}
