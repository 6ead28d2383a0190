//! The queues in memory, and their readers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::broker::lanes;
use crate::delivery::Settle;
use crate::{Delivery, Message, Queue, SessionLost, Subscription};

/// All queues of a broker, each made when it is first named.
pub(super) struct MemoryQueues {
    queues: Mutex<HashMap<Queue, Arc<MemoryQueue>>>,
    /// Of each.
    capacity: usize,
}

impl MemoryQueues {
    pub(super) fn new(capacity: usize) -> Self {
        Self { queues: Mutex::default(), capacity }
    }

    pub(super) fn get(&self, queue: &Queue) -> Arc<MemoryQueue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        match queues.get(queue) {
            Some(queue) => queue.clone(),
            None => queues
                .entry(queue.clone())
                .or_insert_with(|| Arc::new(MemoryQueue::new(self.capacity)))
                .clone(),
        }
    }
}

/// A message in its place.
struct Entry {
    message: Message,
    redelivered: bool,
    _place: OwnedSemaphorePermit,
}

/// Messages that wait.
pub(super) struct MemoryQueue {
    ready: Mutex<VecDeque<Entry>>,
    places: Arc<Semaphore>,
    arrived: Notify,
}

impl MemoryQueue {
    fn new(capacity: usize) -> Self {
        let places = Arc::new(Semaphore::new(capacity.min(Semaphore::MAX_PERMITS)));
        Self { ready: Mutex::default(), places, arrived: Notify::new() }
    }

    pub(super) async fn put(&self, message: Message) {
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

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.change(|ready| ready.len())
    }

    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<Entry>) -> T) -> T {
        change(&mut self.ready.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes messages from one queue.
pub(super) struct MemorySubscription {
    queue: Arc<MemoryQueue>,
    /// What it was begun with.
    step: u16,
    /// How many may be unsettled.
    limit: usize,
    unsettled: Arc<watch::Sender<usize>>,
    closed: CancellationToken,
    stopped: bool,
}

impl MemorySubscription {
    pub(super) fn new(queue: Arc<MemoryQueue>, prefetch: u16, closed: CancellationToken) -> Self {
        let step = prefetch.max(1);
        let unsettled = Arc::new(watch::Sender::new(0));
        Self { queue, step, limit: step.into(), unsettled, closed, stopped: false }
    }
}

#[async_trait]
impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Option<Delivery> {
        if self.stopped {
            return None;
        }
        let mut unsettled = self.unsettled.subscribe();
        let taking = async {
            unsettled.wait_for(|unsettled| *unsettled < self.limit).await.ok()?;
            Some(self.queue.take().await)
        };
        let entry = self.closed.run_until_cancelled(taking).await??;
        self.unsettled.send_modify(|unsettled| *unsettled += 1);
        let (message, redelivered) = (entry.message.clone(), entry.redelivered);
        let (queue, closed) = (self.queue.clone(), self.closed.clone());
        let settle = MemorySettle { queue, entry: Some(entry), closed, unsettled: self.unsettled.clone() };
        Some(Delivery::new(message, redelivered, &self.closed, Box::new(settle)))
    }

    fn resize(&mut self, prefetch: u16) {
        self.limit = usize::from(self.step) * usize::from(lanes(prefetch, self.step));
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
    unsettled: Arc<watch::Sender<usize>>,
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
}

impl Drop for MemorySettle {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.queue.put_back(entry);
        }
        self.unsettled.send_modify(|unsettled| *unsettled -= 1);
    }
}
