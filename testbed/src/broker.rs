//! A broker that shows a test what passes, and can stop it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use linkbeat_broker::{
    Broadcasts, Broker, BrokerClosed, Delivery, Events, Message, PublishError, Queue, SharedBroker,
    Subscription, Target,
};
use tokio::sync::watch;

/// What becomes of a message that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is published.
    Through,
    /// Its publisher is told that the broker is closed.
    Refused,
    /// Its publisher waits for ever.
    Stuck,
}

/// Another broker, watched.
#[derive(Debug)]
pub struct Watched {
    inner: SharedBroker,
    fate: Mutex<fn(&Target) -> Fate>,
    /// What was published, in this order.
    pub published: watch::Sender<Vec<(Target, Message)>>,
    /// Where what was refused or is stuck should have gone, in this order.
    pub held_back: watch::Sender<Vec<Target>>,
    handed_out: Arc<AtomicUsize>,
}

impl Watched {
    /// Everything gets through at first.
    pub fn over(inner: SharedBroker) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fate: Mutex::new(|_| Fate::Through),
            published: watch::Sender::default(),
            held_back: watch::Sender::default(),
            handed_out: Arc::default(),
        })
    }

    /// From now on this decides what becomes of a message.
    pub fn treats(&self, fate: fn(&Target) -> Fate) {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner) = fate;
    }

    /// The broker itself, unwatched.
    pub fn inner(&self) -> &SharedBroker {
        &self.inner
    }

    /// Messages that subscriptions have handed out so far.
    pub fn handed_out(&self) -> usize {
        self.handed_out.load(Ordering::SeqCst)
    }

    fn fate_of(&self, target: &Target) -> Fate {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)(target)
    }
}

#[async_trait]
impl Broker for Watched {
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError> {
        let fate = self.fate_of(target);
        if fate == Fate::Through {
            self.inner.publish(target, message.clone()).await?;
            self.published.send_modify(|published| published.push((target.clone(), message)));
            return Ok(());
        }
        self.held_back.send_modify(|held_back| held_back.push(target.clone()));
        if fate == Fate::Stuck {
            std::future::pending::<()>().await;
        }
        Err(PublishError::Closed(BrokerClosed))
    }

    async fn subscribe(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        let inner = self.inner.subscribe(queue, prefetch).await?;
        Ok(Box::new(WatchedSubscription { inner, handed_out: self.handed_out.clone() }))
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BrokerClosed> {
        self.inner.waiting(queue).await
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        self.inner.broadcasts().await
    }

    async fn events(&self, pattern: &str) -> Result<Box<dyn Events>, BrokerClosed> {
        self.inner.events(pattern).await
    }

    fn queues(&self) -> Vec<Queue> {
        self.inner.queues()
    }

    fn may_answer(&self, address: &str) -> bool {
        self.inner.may_answer(address)
    }

    fn ready(&self) -> bool {
        self.inner.ready()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct WatchedSubscription {
    inner: Box<dyn Subscription>,
    handed_out: Arc<AtomicUsize>,
}

#[async_trait]
impl Subscription for WatchedSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.inner.next().await?;
        self.handed_out.fetch_add(1, Ordering::SeqCst);
        Some(delivery)
    }

    fn resize(&mut self, prefetch: u16) {
        self.inner.resize(prefetch);
    }

    async fn stop(&mut self) {
        self.inner.stop().await;
    }
}
