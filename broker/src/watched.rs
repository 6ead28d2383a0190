//! A broker whose use is counted, for health checks.

use std::fmt;

use async_trait::async_trait;
use linkbeat_vitals::{Activity, UnderWay};

use crate::delivery::Settle;
use crate::{
    Broadcasts, Broker, BrokerClosed, Delivery, Events, Message, PublishError, Queue, SessionLost,
    SharedBroker, Subscription, Target,
};

/// Any broker; what goes over it is counted.
pub struct WatchedBroker {
    broker: SharedBroker,
    publishing: Activity,
    in_hand: Activity,
}

impl WatchedBroker {
    /// Counts from now on.
    pub fn new(broker: SharedBroker) -> Self {
        Self { broker, publishing: Activity::default(), in_hand: Activity::default() }
    }

    /// Publishing: from the call to the broker's answer. Waiting for a broker that is away is going on.
    pub fn publishing(&self) -> &Activity {
        &self.publishing
    }

    /// Deliveries: from being handed out to being settled.
    pub fn in_hand(&self) -> &Activity {
        &self.in_hand
    }
}

impl fmt::Debug for WatchedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBroker").field("broker", &self.broker).finish_non_exhaustive()
    }
}

#[async_trait]
impl Broker for WatchedBroker {
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError> {
        let under_way = self.publishing.begin();
        let published = self.broker.publish(target, message).await;
        if !matches!(published, Err(PublishError::Closed(_))) {
            // A refusal is an answer as well.
            under_way.succeed();
        }
        published
    }

    async fn subscribe(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        let subscription = self.broker.subscribe(queue, prefetch).await?;
        Ok(Box::new(WatchedSubscription { subscription, in_hand: self.in_hand.clone() }))
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BrokerClosed> {
        self.broker.waiting(queue).await
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        self.broker.broadcasts().await
    }

    async fn events(&self, pattern: &str) -> Result<Box<dyn Events>, BrokerClosed> {
        self.broker.events(pattern).await
    }

    fn queues(&self) -> Vec<Queue> {
        self.broker.queues()
    }

    fn may_answer(&self, address: &str) -> bool {
        self.broker.may_answer(address)
    }

    fn ready(&self) -> bool {
        self.broker.ready()
    }

    fn trouble(&self) -> Option<String> {
        self.broker.trouble()
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}

struct WatchedSubscription {
    subscription: Box<dyn Subscription>,
    in_hand: Activity,
}

#[async_trait]
impl Subscription for WatchedSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        let Delivery { message, redelivered, session, settle } = self.subscription.next().await?;
        let settle = Box::new(WatchedSettle { settle, under_way: self.in_hand.begin() });
        Some(Delivery { message, redelivered, session, settle })
    }

    fn resize(&mut self, prefetch: u16) {
        self.subscription.resize(prefetch);
    }

    async fn stop(&mut self) {
        self.subscription.stop().await;
    }
}

struct WatchedSettle {
    settle: Box<dyn Settle>,
    under_way: UnderWay,
}

#[async_trait]
impl Settle for WatchedSettle {
    async fn ack(self: Box<Self>) -> Result<(), SessionLost> {
        let Self { settle, under_way } = *self;
        settle.ack().await.map(|()| under_way.succeed())
    }
}
