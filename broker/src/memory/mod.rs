//! The in-process queue, for running everything in one process without a server.
//!
//! A message keeps its place in the queue until it is acknowledged, so giving one back never waits and a
//! queue never holds more than its capacity. Messages live no longer than the process: what was
//! committed but not finished, the reconciler publishes again.

mod broadcasts;
mod delayed;
mod queue;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dead::CAUSE;
use crate::{Broadcasts, Broker, BrokerClosed, Message, PublishError, Queue, Subscription, Target};
use broadcasts::{MemoryBroadcasts, Told};
use delayed::Delayed;
use queue::{MemoryQueue, MemorySubscription};

/// Carries messages between the roles of one process.
///
/// Nobody listens for events here, and replies reach nobody. What is parked in [`Queue::Dead`] is
/// logged as an error and not kept: nobody could read it after the process, and a queue that fills up
/// would in the end stop the roles that park.
pub struct MemoryBroker {
    queues: [Arc<MemoryQueue>; Queue::ALL.len()],
    delayed: Delayed,
    told: Arc<watch::Sender<Told>>,
    closed: CancellationToken,
    _close_on_drop: DropGuard,
}

impl MemoryBroker {
    /// Queues of at most `capacity` messages each, at least one; a full queue lets publishers wait. As many
    /// more may wait for their time, and the latest so many broadcasts are kept.
    pub fn new(capacity: usize) -> Arc<Self> {
        let (capacity, closed) = (capacity.max(1), CancellationToken::new());
        Arc::new(Self {
            queues: Queue::ALL.map(|_| Arc::new(MemoryQueue::new(capacity))),
            delayed: Delayed::new(capacity, closed.clone()),
            told: Arc::new(watch::Sender::new(Told::at_most(capacity))),
            _close_on_drop: closed.clone().drop_guard(),
            closed,
        })
    }

    fn queue(&self, queue: Queue) -> &Arc<MemoryQueue> {
        &self.queues[queue as usize]
    }

    fn check_open(&self) -> Result<(), BrokerClosed> {
        if self.closed.is_cancelled() { Err(BrokerClosed) } else { Ok(()) }
    }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBroker").finish_non_exhaustive()
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError> {
        self.check_open()?;
        let publishing = async {
            match target {
                Target::Queue(Queue::Dead) => log_dead(&message),
                Target::Queue(queue) => self.queue(*queue).put(message).await,
                Target::Delayed(delay) => self.delayed.put(self.queue(Queue::Jobs), message, *delay).await,
                Target::Broadcast => self.told.send_modify(|told| told.tell(message)),
                Target::Event(_) => {}
                Target::Reply(reply) => return Err(PublishError::Unroutable(reply.queue.clone())),
            }
            Ok(())
        };
        self.closed.run_until_cancelled(publishing).await.ok_or(BrokerClosed)?
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        self.check_open()?;
        let queue = self.queue(queue).clone();
        Ok(Box::new(MemorySubscription::new(queue, prefetch, self.closed.clone())))
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerClosed> {
        self.check_open()?;
        Ok(self.queue(queue).len() as u64)
    }

    async fn delayed(&self) -> Result<u64, BrokerClosed> {
        self.check_open()?;
        Ok(self.delayed.len() as u64)
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        self.check_open()?;
        Ok(Box::new(MemoryBroadcasts::new(&self.told, self.closed.clone())))
    }

    fn ready(&self) -> bool {
        !self.closed.is_cancelled()
    }

    async fn close(&self) {
        self.closed.cancel();
    }
}

fn log_dead(message: &Message) {
    let cause = message.headers.iter().find(|(name, _)| name == CAUSE).map(|(_, cause)| cause.as_str());
    tracing::error!(message.id = %message.id, cause, bytes = message.body.len(), "a message was given up");
}
