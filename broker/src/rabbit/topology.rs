//! The queues and exchanges. Declared on every new session: declaring again what is there does nothing, and
//! whatever was deleted meanwhile comes back.
//!
//! Each queue has an exchange of its own, of the same name, by which it is published to: so RabbitMQ's
//! permissions can tell who may write where. A user who may not declare finds out whether an
//! administrator has. Only types, dead-letter addresses and the ladder's times are set here; limits belong
//! in RabbitMQ's policies, which operators can change without anybody's queues being made again.

use futures::future::join_all;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::session::Session;
use super::{BrokerSettings, ConnectError, Namespace};
use crate::Queue;
use crate::delay::{RUNGS, Rung};

/// How long broadcasts are kept at least. RabbitMQ drops whole segments, so it may be longer.
const BROADCASTS_KEPT: &str = "1D";
const BROADCAST_SEGMENT_BYTES: i32 = 100_000;
/// RabbitMQ drops a message that was given back so often (4.0: 20 times by default), and whoever looks at the
/// dead letters gives them back.
const DEAD_LETTER_LOOKS: i32 = 1_000_000_000;

/// The name of a rung's queue, such as `linkbeat.delay.1s`.
pub(super) fn rung_name(namespace: &Namespace, rung: Rung) -> String {
    format!("{namespace}.delay.{}", rung.name)
}

/// The name of the stream of broadcasts, such as `linkbeat.broadcast`.
pub(super) fn broadcast_name(namespace: &Namespace) -> String {
    format!("{namespace}.broadcast")
}

/// Opens a session and declares everything on it. Where RabbitMQ refuses that to this user, another session
/// (the first ends with its refused channel) makes sure that everything is there.
pub(super) async fn open(settings: &BrokerSettings, purpose: &str) -> Result<Session, ConnectError> {
    let all = Topology::new(&settings.namespace);
    let session = Session::open(settings, purpose).await?;
    match session.prepare(settings, all.declare(&session, Passive(false))).await {
        Ok(()) => return Ok(session),
        Err(ConnectError::Refused { cause, .. }) => {
            tracing::debug!(cause, "this user may not declare; looking whether all is there");
        }
        Err(error) => return Err(error),
    }
    let session = Session::open(settings, purpose).await?;
    session.prepare(settings, all.declare(&session, Passive(true))).await?;
    Ok(session)
}

/// Only look whether it is there.
#[derive(Clone, Copy)]
struct Passive(bool);

/// A queue, and with it the exchange of its name.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) arguments: FieldTable,
}

/// All that is declared.
pub(super) struct Topology {
    pub(super) places: Vec<Place>,
    events: String,
}

impl Topology {
    pub(super) fn new(namespace: &Namespace) -> Self {
        let queues = Queue::ALL.into_iter().map(|queue| work_queue(queue, namespace));
        let rungs = RUNGS.into_iter().map(|rung| rung_queue(rung, namespace));
        let places = queues.chain(rungs).chain([broadcast_stream(namespace)]).collect();
        Self { places, events: namespace.events() }
    }

    /// All of a kind are sent without waiting for each other: on a slow network it takes a few round trips,
    /// not dozens.
    async fn declare(&self, session: &Session, passive: Passive) -> Result<(), ConnectError> {
        let speaking = |error| ConnectError::speaking(session.url(), &error);
        let channel = session.channel().await.map_err(speaking)?;
        let exchanges = self.exchanges().map(|(name, kind)| exchange(&channel, name, kind, passive));
        first_error(session, self.exchanges().map(|(name, _)| name), join_all(exchanges).await)?;
        let queues = self.places.iter().map(|place| queue(&channel, place, passive));
        first_error(session, self.names(), join_all(queues).await)?;
        if !passive.0 {
            let bindings = self.names().map(|name| bind(&channel, name));
            first_error(session, self.names(), join_all(bindings).await)?;
        }
        channel.close(200, "OK".into()).await.map_err(speaking)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| place.name.as_str())
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = (&str, ExchangeKind)> {
        let own = self.names().map(|name| (name, ExchangeKind::Fanout));
        own.chain([(self.events.as_str(), ExchangeKind::Topic)])
    }
}

/// RabbitMQ answers in order and closes the channel at the first fault, so the first is the one.
fn first_error<'a>(
    session: &Session,
    names: impl Iterator<Item = &'a str>,
    outcomes: Vec<lapin::Result<()>>,
) -> Result<(), ConnectError> {
    let failed = names.zip(outcomes).find_map(|(name, outcome)| Some((name, outcome.err()?)));
    failed.map_or(Ok(()), |(name, error)| Err(ConnectError::declaring(session.url(), name, &error)))
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, passive: Passive) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, passive: passive.0, ..Default::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

async fn queue(channel: &Channel, place: &Place, passive: Passive) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, passive: passive.0, ..Default::default() };
    channel.queue_declare(place.name.as_str().into(), options, place.arguments.clone()).await.map(|_| ())
}

async fn bind(channel: &Channel, name: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(name.into(), name.into(), "".into(), options, FieldTable::default()).await
}

fn work_queue(queue: Queue, namespace: &Namespace) -> Place {
    let mut arguments = texts(&[("x-queue-type", "quorum")]);
    if queue == Queue::Dead {
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DEAD_LETTER_LOOKS));
    } else {
        // Nothing of ours dead-letters by itself; this catches what a policy or RabbitMQ's own
        // delivery limit (20 by default since 4.0) takes out of a queue.
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(&namespace.queue(Queue::Dead)));
    }
    Place { name: namespace.queue(queue), arguments }
}

/// At least once: the rung keeps a message until the queue of jobs has confirmed it
/// (<https://www.rabbitmq.com/docs/quorum-queues#dead-lettering>, which asks for this overflow).
fn rung_queue(rung: Rung, namespace: &Namespace) -> Place {
    let mut arguments = texts(&[
        ("x-queue-type", "quorum"),
        ("x-dead-letter-exchange", &namespace.queue(Queue::Jobs)),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ]);
    let millis = i64::try_from(rung.time.as_millis()).unwrap_or(i64::MAX);
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
    Place { name: rung_name(namespace, rung), arguments }
}

/// A stream keeps what was read, for those who come later (<https://www.rabbitmq.com/docs/streams>).
fn broadcast_stream(namespace: &Namespace) -> Place {
    let mut arguments = texts(&[("x-queue-type", "stream"), ("x-max-age", BROADCASTS_KEPT)]);
    let bytes = AMQPValue::LongInt(BROADCAST_SEGMENT_BYTES);
    arguments.insert("x-stream-max-segment-size-bytes".into(), bytes);
    Place { name: broadcast_name(namespace), arguments }
}

fn texts(pairs: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in pairs {
        table.insert((*key).into(), text(value));
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
