//! A namespace's queues, seen from outside, by AMQP. So a test puts requests and rubbish into them, repeats
//! messages, and lets queues vanish.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::time::Duration;

use futures::future::try_join_all;
use futures::stream::select_all;
use futures::{StreamExt, TryStreamExt};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use uuid::Uuid;

use crate::{eventually, shared_server};

/// All queues of a namespace, but the rungs of its delays. Tests for Celery's clients have one of theirs there.
const QUEUES: [&str; 11] = [
    "jobs",
    "jobs.large",
    "suspects",
    "isolated",
    "results",
    "results.large",
    "requests",
    "requests.large",
    "dead",
    "broadcast",
    "celery",
];
const RUNGS: [&str; 5] = ["delay.1s", "delay.10s", "delay.1m", "delay.10m", "delay.1h"];
/// Its exchanges besides those that queues have of their own.
const EXCHANGES: [&str; 1] = ["events"];
/// Messages that are published in one conversation.
const CHUNK: usize = 2_000;
/// RabbitMQ 3.10 starts a worker for each queue that dead-letters at least once. Deleting the queue before that is
/// up can end their supervisor. Then no such queue works on the whole server until it is restarted. Nothing tells
/// when the worker is up, so these queues live for this long at least.
const SETTLING: Duration = Duration::from_millis(500);
/// How long one conversation with the broker may take.
const CONVERSATION: Duration = Duration::from_secs(20);

/// A connection for what linkbeat itself never does.
pub async fn connect(url: &str) -> lapin::Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await
}

/// One message as it lies in a queue.
#[derive(Debug, Clone)]
pub struct Raw {
    /// What it says.
    pub body: Vec<u8>,
    /// Its id, headers and so on.
    pub properties: BasicProperties,
}

impl Raw {
    /// A lasting message with an id of its own.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        let id = Uuid::now_v7().to_string();
        let properties = BasicProperties::default().with_message_id(id.into()).with_delivery_mode(2);
        Self { body: body.into(), properties }
    }

    /// A text header, such as those that say why a message was parked.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = self.properties.headers().as_ref()?;
        let value = headers.inner().get(name)?.as_long_string()?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

/// A namespace's queues on one broker.
#[derive(Debug, Clone)]
pub struct Queues {
    /// Where the broker is, with user and password.
    pub url: String,
    /// What the names of the queues begin with.
    pub namespace: String,
}

impl Queues {
    /// In this namespace, on the broker that all tests share.
    pub fn shared(namespace: &str) -> Self {
        // A lone slash is the empty virtual host to lapin; to everybody else it is the default one.
        let url = shared_server("LINKBEAT_TEST_BROKER_URL").trim_end_matches('/').to_owned();
        Self { url, namespace: namespace.to_owned() }
    }

    /// What the broker calls a queue.
    pub fn name(&self, queue: &str) -> String {
        format!("{}.{queue}", self.namespace)
    }

    /// Puts messages into a queue and returns when all are confirmed, however often that takes.
    pub async fn put(&self, queue: &str, messages: &[Raw]) {
        let name = self.name(queue);
        for some in messages.chunks(CHUNK) {
            self.talk("the messages to be confirmed", async |channel| publish(&channel, &name, some).await)
                .await;
        }
    }

    /// Puts each message that is ready, up to `limit` of them, `times` times into its queue instead, in random
    /// order. Returns how many there were.
    pub async fn repeat(&self, queue: &str, limit: usize, times: usize, random: &mut StdRng) -> usize {
        let name = self.name(queue);
        self.talk("the messages to be repeated", async |channel| {
            let (originals, last) = get(&channel, &name, limit).await?;
            let mut copies: Vec<Raw> =
                originals.iter().flat_map(|raw| repeat_n(raw.clone(), times)).collect();
            copies.shuffle(random);
            // The copies are safe before the originals go.
            publish(&channel, &name, &copies).await?;
            if let Some(last) = last {
                last.ack(BasicAckOptions { multiple: true }).await.ok()?;
                depth(&channel, &name).await?;
            }
            Some(originals.len())
        })
        .await
    }

    /// Makes a queue as an app does for its answers. It takes as many messages as `most`, and then no more.
    pub async fn make(&self, queue: &str, most: i32) {
        let name = self.name(queue);
        let arguments = [
            ("x-max-length".into(), AMQPValue::LongInt(most)),
            ("x-overflow".into(), AMQPValue::LongString("reject-publish".into())),
        ];
        let arguments = FieldTable::from(BTreeMap::from(arguments));
        self.talk("the queue to be made", async |channel| {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.as_str().into(), options, arguments.clone()).await.ok().map(drop)
        })
        .await;
    }

    /// Reads all messages of a queue, and leaves them there.
    pub async fn browse(&self, queue: &str) -> Vec<Raw> {
        let name = self.name(queue);
        self.talk("a look into the queue", async |channel| read(&channel, &name).await).await
    }

    /// How many messages are ready.
    pub async fn depth(&self, queue: &str) -> u32 {
        let name = self.name(queue);
        self.talk("the depth of a queue", async |channel| depth(&channel, &name).await).await
    }

    /// Throws away what waits in a queue.
    pub async fn purge(&self, queue: &str) {
        let name = self.name(queue);
        self.talk("the queue to be purged", async |channel| {
            channel.queue_purge(name.as_str().into(), <_>::default()).await.ok().map(drop)
        })
        .await;
    }

    /// Deletes a queue, if it is there.
    pub async fn delete(&self, queue: &str) {
        let name = self.name(queue);
        self.talk("the queue to be deleted", async |channel| {
            channel.queue_delete(name.as_str().into(), <_>::default()).await.ok().map(drop)
        })
        .await;
    }

    /// Removes every queue and exchange of the namespace.
    pub async fn remove_all(&self) {
        tokio::time::sleep(SETTLING).await;
        self.talk("the namespace to be removed", async |channel| {
            for name in QUEUES.iter().chain(&RUNGS).chain(&EXCHANGES) {
                let name = self.name(name);
                channel.queue_delete(name.as_str().into(), <_>::default()).await.ok()?;
                channel.exchange_delete(name.into(), <_>::default()).await.ok()?;
            }
            Some(())
        })
        .await;
    }

    /// On a connection of its own, until it succeeds.
    async fn talk<T>(&self, what: &str, mut about: impl AsyncFnMut(Channel) -> Option<T>) -> T {
        eventually(what, async || {
            let conversation = async {
                let connection = connect(&self.url).await.ok()?;
                let said = about(connection.create_channel().await.ok()?).await;
                let _ = connection.close(200, "".into()).await;
                said
            };
            tokio::time::timeout(CONVERSATION, conversation).await.ok()?
        })
        .await
    }
}

async fn depth(channel: &Channel, name: &str) -> Option<u32> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(name.into(), passive, <_>::default()).await.ok()?;
    Some(queue.message_count())
}

/// Takes up to `limit` messages, unacknowledged: with the channel they go back.
async fn get(channel: &Channel, name: &str, limit: usize) -> Option<(Vec<Raw>, Option<Acker>)> {
    let (mut messages, mut last) = (Vec::new(), None);
    while messages.len() < limit {
        let got = channel.basic_get(name.into(), BasicGetOptions { no_ack: false }).await.ok()?;
        let Some(delivery) = got.map(|got| got.delivery) else { break };
        messages.push(Raw { body: delivery.data, properties: delivery.properties });
        last = Some(delivery.acker);
    }
    Some((messages, last))
}

/// Reads all that is ready, by subscriptions: to get one after the other is too slow for a long queue. With the
/// channel they go back.
async fn read(channel: &Channel, name: &str) -> Option<Vec<Raw>> {
    let ready = depth(channel, name).await? as usize;
    // A quorum queue takes "no limit" for 2,000 unacknowledged messages.
    channel.basic_qos(u16::MAX, <_>::default()).await.ok()?;
    let mut subscriptions = Vec::new();
    for _ in 0..ready.div_ceil(u16::MAX.into()) {
        let options = BasicConsumeOptions::default();
        subscriptions
            .push(channel.basic_consume(name.into(), "".into(), options, <_>::default()).await.ok()?);
    }
    let raw = select_all(subscriptions).map_ok(|it| Raw { body: it.data, properties: it.properties });
    raw.take(ready).try_collect().await.ok()
}

async fn publish(channel: &Channel, name: &str, messages: &[Raw]) -> Option<()> {
    channel.confirm_select(<_>::default()).await.ok()?;
    let mandatory = BasicPublishOptions { mandatory: true, ..<_>::default() };
    for some in messages.chunks(500) {
        let sending = some.iter().map(async |raw| {
            let properties = raw.properties.clone();
            channel.basic_publish("".into(), name.into(), mandatory, &raw.body, properties).await?.await
        });
        let confirmed = try_join_all(sending).await.ok()?;
        if !confirmed.iter().all(|it| matches!(it, Confirmation::Ack(None))) {
            return None;
        }
    }
    Some(())
}
