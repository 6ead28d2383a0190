//! The in-process queue, for running everything in one process without a server.
//!
//! A message keeps its place in the queue until it is acknowledged. So giving one back never waits, and a queue never
//! holds more than its capacity. Messages end with the process. The database still has the jobs, so a later process
//! publishes again those that are not done.

mod broadcasts;
mod delayed;
mod events;
mod queue;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use linkbeat_shared::ReplyTo;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Broadcasts, Broker, BrokerClosed, Events, Message, PublishError, Queue, Subscription, Target};
use broadcasts::{Latest, MemoryBroadcasts};
use delayed::Delayed;
use events::{MemoryEvents, Published};
use queue::{MemoryQueues, MemorySubscription};

/// Events that wait for a slow listener at most. They are not kept for those who come later.
const EVENTS_WAITING: usize = 1_000;

/// Carries messages between the roles of one process.
///
/// Replies reach nobody here. What is parked in [`Queue::DEAD`] is logged as an error and not kept: nobody could read
/// it after the process, and a queue that fills up would in the end stop the roles that park.
pub struct MemoryBroker {
    queues: MemoryQueues,
    delayed: Delayed,
    broadcasts: Arc<watch::Sender<Latest>>,
    events: broadcast::Sender<Published>,
    closed: CancellationToken,
    _close_on_drop: DropGuard,
}

impl MemoryBroker {
    /// Queues of at most `capacity` messages each, at least one; a full queue lets publishers wait. As many
    /// more may wait for their time, and the latest so many broadcasts are kept.
    pub fn new(capacity: usize) -> Arc<Self> {
        let (capacity, closed) = (capacity.max(1), CancellationToken::new());
        Arc::new(Self {
            queues: MemoryQueues::new(capacity),
            delayed: Delayed::new(capacity, closed.clone()),
            broadcasts: Arc::new(watch::Sender::new(Latest::at_most(capacity))),
            events: broadcast::Sender::new(EVENTS_WAITING),
            _close_on_drop: closed.clone().drop_guard(),
            closed,
        })
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
                Target::Queue(queue) if *queue == Queue::DEAD => log_dead(&message),
                Target::Queue(queue) => self.queues.get(queue).put(message).await,
                Target::Delayed(delay) => {
                    self.delayed.put(&self.queues.get(&Queue::JOBS), message, *delay).await;
                }
                Target::Broadcast => self.broadcasts.send_modify(|latest| latest.add(message)),
                // An error means that nobody listens.
                Target::Event(key) => drop(self.events.send((key.clone(), message))),
                Target::Listeners(..) => {}
                Target::Reply(ReplyTo { queue, .. }) | Target::Theirs(queue) => {
                    return Err(PublishError::Unroutable(queue.clone()));
                }
            }
            Ok(())
        };
        self.closed.run_until_cancelled(publishing).await.ok_or(BrokerClosed)?
    }

    async fn subscribe(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        self.check_open()?;
        Ok(Box::new(MemorySubscription::new(self.queues.get(queue), prefetch, self.closed.clone())))
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BrokerClosed> {
        self.check_open()?;
        Ok(self.queues.get(queue).len() as u64)
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        self.check_open()?;
        Ok(Box::new(MemoryBroadcasts::new(&self.broadcasts, self.closed.clone())))
    }

    async fn events(&self, pattern: &str) -> Result<Box<dyn Events>, BrokerClosed> {
        self.check_open()?;
        Ok(Box::new(MemoryEvents::new(&self.events, pattern, self.closed.clone())))
    }

    fn ready(&self) -> bool {
        !self.closed.is_cancelled()
    }

    async fn close(&self) {
        self.closed.cancel();
    }
}

fn log_dead(message: &Message) {
    let cause = &message.headers.parked.cause;
    tracing::error!(message.id = %message.id, cause, bytes = message.body.len(), "a message was given up");
}
