//! Delayed messages in memory. Each waits in a task of its own. Their number is limited.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::queue::MemoryQueue;
use crate::Message;

pub(super) struct Delayed {
    places: Arc<Semaphore>,
    closed: CancellationToken,
}

impl Delayed {
    pub(super) fn new(capacity: usize, closed: CancellationToken) -> Self {
        let capacity = capacity.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(capacity)), closed }
    }

    /// Puts the message into the queue after `delay`. Waits for a place first.
    pub(super) async fn put(&self, queue: &Arc<MemoryQueue>, message: Message, delay: Duration) {
        // Nobody closes the semaphore.
        let Ok(place) = self.places.clone().acquire_owned().await else { return };
        let (queue, closed) = (queue.clone(), self.closed.clone());
        tokio::spawn(async move {
            let _place = place;
            let waiting = async {
                tokio::time::sleep(delay).await;
                queue.put(message).await;
            };
            closed.run_until_cancelled(waiting).await;
        });
    }
}
