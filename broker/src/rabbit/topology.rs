//! Declares queues and exchanges, on every new session. Declaring again what is there does nothing, and whatever was
//! deleted meanwhile comes back.
//!
//! The table in `queue.rs` says what there is and how it is made. Here it becomes AMQP. A user who may not declare only
//! checks that all of it is there. Limits belong in RabbitMQ's policies, because operators can change those while the
//! queues stay.

use futures::future::join_all;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::session::Session;
use super::{BrokerSettings, ConnectError};
use crate::queue::{Removal, events_exchange};
use crate::{Exchange, Namespace, Queue, QueueKind};

/// RabbitMQ drops a message that was given back so often, where it should stay: 4.0 does so after 20 times by default.
const NEVER: i32 = 1_000_000_000;

/// Only find out whether it is there.
#[derive(Clone, Copy)]
struct Passive(bool);

/// A queue in AMQP's terms.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) arguments: FieldTable,
    /// It belongs to one reader: nobody else can have declared it.
    temporary: bool,
    binding: Option<Binding>,
}

/// The exchange that gives a queue its messages.
struct Binding {
    exchange: String,
    kind: ExchangeKind,
    key: String,
}

/// What is declared together.
pub(super) struct Topology {
    pub(super) rows: Vec<Row>,
    events: Option<String>,
}

impl Topology {
    /// All there is.
    pub(super) fn all(settings: &BrokerSettings) -> Self {
        let rows = settings.all_queues().map(|queue| Row::new(&queue, &settings.namespace)).collect();
        Self { rows, events: Some(events_exchange(&settings.namespace)) }
    }

    /// One queue, with what gives it its messages.
    pub(super) fn of(queue: &Queue, namespace: &Namespace) -> Self {
        Self { rows: vec![Row::new(queue, namespace)], events: None }
    }

    /// Declares everything, and gives the names of the queues. Where RabbitMQ refuses that to this user, it finds out
    /// whether everything is there.
    pub(super) async fn declare(&self, session: &Session) -> Result<Vec<String>, ConnectError> {
        match self.declare_as(session, Passive(false)).await {
            Err(ConnectError::Refused { cause, .. }) => {
                tracing::debug!(cause, "this user may not declare; looking whether all is there");
                self.declare_as(session, Passive(true)).await
            }
            declared => declared,
        }
    }

    /// All of a kind are sent without waiting for each other: on a slow network it takes a few round trips,
    /// not dozens.
    async fn declare_as(&self, session: &Session, passive: Passive) -> Result<Vec<String>, ConnectError> {
        let speaking = |error| ConnectError::speaking(session.url(), &error);
        let channel = session.channel().await.map_err(speaking)?;
        let exchanges = self.exchanges().map(|(name, kind)| exchange(&channel, name, kind, passive));
        all_or_first_error(session, self.exchanges().map(|(name, _)| name), join_all(exchanges).await)?;
        let rows = || self.rows.iter().map(|row| row.name.as_str());
        let queues = self.rows.iter().map(|row| queue(&channel, row, passive));
        let names = all_or_first_error(session, rows(), join_all(queues).await)?;
        let bindings = self.rows.iter().zip(&names).filter(|(row, _)| row.temporary || !passive.0);
        let bindings = bindings.map(|(row, name)| bind(&channel, row, name));
        all_or_first_error(session, rows(), join_all(bindings).await)?;
        channel.close(200, "OK".into()).await.map_err(speaking)?;
        Ok(names)
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = (&str, ExchangeKind)> {
        let of_queues = self.rows.iter().filter_map(|row| row.binding.as_ref());
        let of_queues = of_queues.map(|binding| (binding.exchange.as_str(), binding.kind.clone()));
        of_queues.chain(self.events.iter().map(|name| (name.as_str(), ExchangeKind::Topic)))
    }
}

/// RabbitMQ answers in order and closes the channel at the first fault, so the first is the one.
fn all_or_first_error<'a, T>(
    session: &Session,
    names: impl Iterator<Item = &'a str>,
    outcomes: Vec<lapin::Result<T>>,
) -> Result<Vec<T>, ConnectError> {
    let named = names.zip(outcomes);
    named
        .map(|(name, outcome)| outcome.map_err(|error| ConnectError::declaring(session.url(), name, &error)))
        .collect()
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, passive: Passive) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, passive: passive.0, ..Default::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

/// Gives its name, which RabbitMQ may have chosen.
async fn queue(channel: &Channel, row: &Row, passive: Passive) -> lapin::Result<String> {
    let options = QueueDeclareOptions {
        durable: !row.temporary,
        exclusive: row.temporary,
        auto_delete: row.temporary,
        passive: passive.0 && !row.temporary,
        ..Default::default()
    };
    let declared = channel.queue_declare(row.name.as_str().into(), options, row.arguments.clone()).await?;
    Ok(declared.name().to_string())
}

async fn bind(channel: &Channel, row: &Row, name: &str) -> lapin::Result<()> {
    let Some(Binding { exchange, key, .. }) = &row.binding else { return Ok(()) };
    let (exchange, key, options) =
        (exchange.as_str().into(), key.as_str().into(), QueueBindOptions::default());
    channel.queue_bind(name.into(), exchange, key, options, FieldTable::default()).await
}

impl Row {
    fn new(queue: &Queue, of_broker: &Namespace) -> Self {
        let (name, namespace) = (queue.name_in(of_broker), queue.namespace(of_broker));
        let temporary = matches!(queue.kind(), QueueKind::Temporary { .. });
        let mut arguments = arguments_of_kind(queue.kind());
        arguments.extend(arguments_of_removal(queue.removal(), namespace));
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert(name.into(), value);
        }
        // RabbitMQ chooses the name of a temporary queue.
        let name = if temporary { String::new() } else { name };
        let binding = match queue.exchange() {
            Exchange::Fanout => Some((name.clone(), ExchangeKind::Fanout, String::new())),
            Exchange::Direct => Some((name.clone(), ExchangeKind::Direct, name.clone())),
            Exchange::Events(pattern) => {
                Some((events_exchange(namespace), ExchangeKind::Topic, pattern.clone()))
            }
            Exchange::Default => None,
        };
        let binding = binding.map(|(exchange, kind, key)| Binding { exchange, kind, key });
        Self { name, arguments: table, temporary, binding }
    }
}

type Arguments = Vec<(&'static str, AMQPValue)>;

fn arguments_of_kind(kind: &QueueKind) -> Arguments {
    match kind {
        QueueKind::Quorum => vec![("x-queue-type", text("quorum"))],
        // Without any, as Celery and others declare it.
        QueueKind::Classic => Vec::new(),
        QueueKind::Stream { max_age, segment_bytes } => vec![
            ("x-queue-type", text("stream")),
            ("x-max-age", text(max_age)),
            ("x-stream-max-segment-size-bytes", AMQPValue::LongInt(*segment_bytes)),
        ],
        QueueKind::Temporary { max_length } => vec![("x-max-length", AMQPValue::LongInt(*max_length))],
    }
}

fn arguments_of_removal(removal: &Removal, namespace: &Namespace) -> Arguments {
    match removal {
        Removal::Default => Vec::new(),
        Removal::Never => vec![("x-delivery-limit", AMQPValue::LongInt(NEVER))],
        Removal::Parked => vec![
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&Queue::DEAD.name_in(namespace))),
        ],
        // At least once (<https://www.rabbitmq.com/docs/quorum-queues#dead-lettering>, which asks for this overflow).
        Removal::ToJobs(after) => vec![
            ("x-dead-letter-exchange", text(&Queue::JOBS.name_in(namespace))),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
            ("x-message-ttl", millis(*after)),
        ],
    }
}

fn millis(time: std::time::Duration) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
