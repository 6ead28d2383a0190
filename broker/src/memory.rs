//! The in-process queue, for running everything in one process without a server.
//!
//! A message keeps its place in the queue until it is acknowledged, so giving one back never waits and a
//! queue never holds more than its capacity. Messages live no longer than the process: what was
//! committed but not finished, the reconciler publishes again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::dead::CAUSE;
use crate::{
    Broker, BrokerClosed, Delivery, Message, PublishError, Queue, SessionLost, Settle, Subscription, Target,
};

/// Carries messages between the roles of one process.
///
/// Nobody listens for events here, and replies reach nobody. What is parked in [`Queue::Dead`] is
/// logged as an error and not kept: nobody could read it after the process, and a queue that fills up
/// would in the end stop the roles that park.
pub struct MemoryBroker {
    queues: [Arc<MemoryQueue>; Queue::ALL.len()],
    closed: CancellationToken,
}

impl MemoryBroker {
    /// Queues of at most `capacity` messages each, at least one; a full queue lets publishers wait.
    pub fn new(capacity: usize) -> Arc<Self> {
        let queues = Queue::ALL.map(|_| Arc::new(MemoryQueue::new(capacity.max(1))));
        Arc::new(Self { queues, closed: CancellationToken::new() })
    }

    fn queue(&self, queue: Queue) -> &Arc<MemoryQueue> {
        &self.queues[queue as usize]
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
        if self.closed.is_cancelled() {
            return Err(BrokerClosed.into());
        }
        match target {
            Target::Queue(Queue::Dead) => log_dead(&message),
            Target::Queue(queue) => {
                let putting = self.queue(*queue).put(message);
                self.closed.run_until_cancelled(putting).await.ok_or(BrokerClosed)?;
            }
            Target::Event(_) => {}
            Target::Reply(reply) => return Err(PublishError::Unroutable(reply.queue.clone())),
        }
        Ok(())
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        if self.closed.is_cancelled() {
            return Err(BrokerClosed);
        }
        Ok(Box::new(MemorySubscription {
            queue: self.queue(queue).clone(),
            prefetch: Arc::new(Semaphore::new(prefetch.max(1).into())),
            closed: self.closed.clone(),
            stopped: false,
        }))
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerClosed> {
        if self.closed.is_cancelled() {
            return Err(BrokerClosed);
        }
        Ok(self.queue(queue).change(|ready| ready.len()) as u64)
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

/// A message in its place.
struct Entry {
    message: Message,
    redelivered: bool,
    _place: OwnedSemaphorePermit,
}

struct MemoryQueue {
    ready: Mutex<VecDeque<Entry>>,
    places: Arc<Semaphore>,
    arrived: Notify,
}

impl MemoryQueue {
    fn new(capacity: usize) -> Self {
        let places = Arc::new(Semaphore::new(capacity.min(Semaphore::MAX_PERMITS)));
        Self { ready: Mutex::default(), places, arrived: Notify::new() }
    }

    async fn put(&self, message: Message) {
        // Nobody closes the semaphore.
        let Ok(_place) = self.places.clone().acquire_owned().await else { return };
        self.change(|ready| ready.push_back(Entry { message, redelivered: false, _place }));
        self.arrived.notify_one();
    }

    fn put_back(&self, entry: Entry) {
        self.change(|ready| ready.push_front(Entry { redelivered: true, ..entry }));
        self.arrived.notify_one();
    }

    async fn take(&self) -> Entry {
        loop {
            if let Some(entry) = self.change(VecDeque::pop_front) {
                return entry;
            }
            self.arrived.notified().await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<Entry>) -> T) -> T {
        change(&mut self.ready.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct MemorySubscription {
    queue: Arc<MemoryQueue>,
    prefetch: Arc<Semaphore>,
    closed: CancellationToken,
    stopped: bool,
}

#[async_trait]
impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Option<Delivery> {
        if self.stopped {
            return None;
        }
        let taking = async {
            let unsettled = self.prefetch.clone().acquire_owned().await.ok()?;
            Some((self.queue.take().await, unsettled))
        };
        let (entry, _unsettled) = self.closed.run_until_cancelled(taking).await??;
        let (message, redelivered) = (entry.message.clone(), entry.redelivered);
        let (queue, closed) = (self.queue.clone(), self.closed.clone());
        let settle = MemorySettle { queue, entry: Some(entry), closed, _unsettled };
        Some(Delivery::new(message, redelivered, &self.closed, Box::new(settle)))
    }

    async fn stop(&mut self) {
        self.stopped = true;
    }
}

/// An unsettled message; dropping it puts it back.
struct MemorySettle {
    queue: Arc<MemoryQueue>,
    entry: Option<Entry>,
    closed: CancellationToken,
    _unsettled: OwnedSemaphorePermit,
}

impl MemorySettle {
    fn check_open(&self) -> Result<(), SessionLost> {
        if self.closed.is_cancelled() { Err(SessionLost) } else { Ok(()) }
    }
}

#[async_trait]
impl Settle for MemorySettle {
    async fn ack(mut self: Box<Self>) -> Result<(), SessionLost> {
        self.check_open()?;
        self.entry = None;
        Ok(())
    }

    async fn requeue(self: Box<Self>) -> Result<(), SessionLost> {
        self.check_open()
    }
}

impl Drop for MemorySettle {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.queue.put_back(entry);
        }
    }
}
