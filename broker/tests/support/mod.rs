//! A namespace of its own on the real RabbitMQ for each test, gone when the test is over.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use linkbeat_broker::{
    Broadcast, Broadcasts, BrokerSettings, Delivery, Message, Queue, RabbitBroker, SharedBroker,
    Subscription, Target,
};
use linkbeat_testbed::queues::{Queues, connect};
use linkbeat_testbed::shared_server;
use url::Url;
use uuid::Uuid;

/// No test and no wait takes longer when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) fn broker_url() -> Url {
    let mut url: Url =
        shared_server("LINKBEAT_TEST_BROKER_URL").parse().expect("LINKBEAT_TEST_BROKER_URL is a URL");
    if url.path().len() < 2 {
        url.set_path("/%2f");
    }
    url
}

/// A namespace on the server.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    pub(crate) namespace: String,
}

impl Space {
    pub(crate) fn settings(&self) -> BrokerSettings {
        self.settings_at(&broker_url())
    }

    pub(crate) fn settings_at(&self, url: &Url) -> BrokerSettings {
        BrokerSettings::new(url.as_str().parse().unwrap(), self.namespace.parse().unwrap(), "linkbeat test")
    }

    pub(crate) async fn broker(&self) -> SharedBroker {
        RabbitBroker::connect(self.settings()).await.unwrap()
    }

    pub(crate) fn name(&self, queue: &Queue) -> String {
        format!("{}.{queue}", self.namespace)
    }

    /// A connection for what linkbeat itself never does.
    pub(crate) async fn raw(&self) -> lapin::Channel {
        connect(broker_url().as_str()).await.unwrap().create_channel().await.unwrap()
    }

    /// The queues beside the work queues; each has an exchange of its name, like those.
    pub(crate) fn other_names(&self) -> [String; 6] {
        ["delay.1s", "delay.10s", "delay.1m", "delay.10m", "delay.1h", "broadcast"]
            .map(|name| format!("{}.{name}", self.namespace))
    }
}

/// Runs a test in a fresh namespace, within a deadline, and cleans up whether it passes or not.
pub(crate) async fn in_space<T: Future<Output = ()>>(test: impl FnOnce(Space) -> T) {
    let space = Space { namespace: format!("test-{}", Uuid::now_v7().simple()) };
    let limited = tokio::time::timeout(2 * SOON, test(space.clone()));
    let outcome = AssertUnwindSafe(limited).catch_unwind().await;
    Queues { url: broker_url().to_string(), namespace: space.namespace }.remove_all().await;
    match outcome {
        Ok(in_time) => in_time.expect("the test came to an end"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

pub(crate) fn message(body: &str) -> Message {
    Message::new(Uuid::now_v7(), body.to_owned())
}

pub(crate) async fn put(broker: &SharedBroker, queue: Queue, body: &str) {
    let target = Target::Queue(queue);
    tokio::time::timeout(SOON, broker.publish(&target, message(body)))
        .await
        .expect("published in time")
        .unwrap();
}

pub(crate) async fn take(subscription: &mut Box<dyn Subscription>) -> Delivery {
    let next = tokio::time::timeout(SOON, subscription.next()).await;
    next.expect("a message in time").expect("the subscription goes on")
}

pub(crate) async fn take_body(subscription: &mut Box<dyn Subscription>) -> String {
    let delivery = take(subscription).await;
    let body = body(&delivery);
    delivery.ack().await.unwrap();
    body
}

pub(crate) fn body(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.body.to_vec()).unwrap()
}

/// Takes messages without settling them, until nothing comes.
pub(crate) async fn hold_all(subscription: &mut Box<dyn Subscription>) -> Vec<Delivery> {
    let mut held = Vec::new();
    while let Ok(next) = tokio::time::timeout(Duration::from_millis(300), subscription.next()).await {
        held.push(next.expect("the subscription goes on"));
    }
    held
}

/// The next thing that everybody is told; the body, or nothing when all of before was told.
pub(crate) async fn hear(broadcasts: &mut Box<dyn Broadcasts>) -> Option<String> {
    let next = tokio::time::timeout(SOON, broadcasts.next()).await;
    match next.expect("a broadcast in time").expect("the broadcasts go on") {
        Broadcast::Message(message) => Some(String::from_utf8(message.body.to_vec()).unwrap()),
        Broadcast::CaughtUp => None,
    }
}

/// Whether nothing arrives for a while.
pub(crate) async fn nothing_comes(subscription: &mut Box<dyn Subscription>) -> bool {
    tokio::time::timeout(Duration::from_millis(300), subscription.next()).await.is_err()
}
