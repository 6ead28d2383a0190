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
use crate::{Exchange, ForeignExchange, ForeignExchangeKind, Namespace, Queue, QueueKind};

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
    /// Somebody else may have made it, and otherwise than linkbeat would.
    foreign: bool,
    binding: Option<Binding>,
}

/// The exchange that gives a queue its messages.
struct Binding {
    exchange: ExchangeRow,
    key: String,
}

/// An exchange in AMQP's terms.
#[derive(Clone)]
pub(super) struct ExchangeRow {
    pub(super) name: String,
    pub(super) kind: ExchangeKind,
    pub(super) durable: bool,
}

/// What is declared together.
pub(super) struct Topology {
    pub(super) rows: Vec<Row>,
    /// Exchanges beside those of the rows.
    exchanges: Vec<ExchangeRow>,
}

impl Topology {
    /// All there is.
    pub(super) fn all(settings: &BrokerSettings) -> Self {
        let rows = settings.all_queues().map(|queue| Row::new(&queue, &settings.namespace)).collect();
        let events = ExchangeRow::ours(events_exchange(&settings.namespace), ExchangeKind::Topic);
        let ours = Some(events).filter(|_| !settings.only_theirs);
        let theirs = settings.exchanges.iter().map(|exchange| ExchangeRow::theirs(*exchange));
        Self { rows, exchanges: ours.into_iter().chain(theirs).collect() }
    }

    /// One queue, with what gives it its messages.
    pub(super) fn of(queue: &Queue, namespace: &Namespace) -> Self {
        Self { rows: vec![Row::new(queue, namespace)], exchanges: Vec::new() }
    }

    /// Declares everything, and gives the names of the queues. Where RabbitMQ refuses that to this user, it finds out
    /// whether everything is there. So it does where somebody else has made a queue of theirs with other arguments.
    pub(super) async fn declare(&self, session: &Session) -> Result<Vec<String>, ConnectError> {
        match self.declare_as(session, Passive(false)).await {
            Err(ConnectError::Refused { cause, .. }) => {
                tracing::debug!(cause, "this user may not declare; looking whether all is there");
                self.declare_as(session, Passive(true)).await
            }
            Err(ConnectError::Conflict { cause, .. }) if self.rows.iter().all(|row| row.foreign) => {
                tracing::debug!(cause, "somebody else made it otherwise; it is taken as it is");
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
        // The exchange of a foreign queue is no business of ours, except that Celery would make it, too.
        let needed: Vec<_> = self.all_exchanges(passive).collect();
        let exchanges = needed.iter().map(|row| exchange(&channel, row, passive));
        let names = needed.iter().map(|row| row.name.as_str());
        all_or_first_error(session, names, join_all(exchanges).await)?;
        let rows = || self.rows.iter().map(|row| row.name.as_str());
        let queues = self.rows.iter().map(|row| queue(&channel, row, passive));
        let names = all_or_first_error(session, rows(), join_all(queues).await)?;
        let bindings = self.rows.iter().zip(&names).filter(|(row, _)| row.temporary || !passive.0);
        let bindings = bindings.map(|(row, name)| bind(&channel, row, name));
        all_or_first_error(session, rows(), join_all(bindings).await)?;
        channel.close(200, "OK".into()).await.map_err(speaking)?;
        Ok(names)
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = &ExchangeRow> {
        self.all_exchanges(Passive(false))
    }

    fn all_exchanges(&self, passive: Passive) -> impl Iterator<Item = &ExchangeRow> {
        let of_queues = self.rows.iter().filter(move |row| row.temporary || !(row.foreign && passive.0));
        let of_queues = of_queues.filter_map(|row| row.binding.as_ref()).map(|binding| &binding.exchange);
        of_queues.chain(&self.exchanges)
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

async fn exchange(channel: &Channel, row: &ExchangeRow, passive: Passive) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: row.durable, passive: passive.0, ..Default::default() };
    channel.exchange_declare(row.name.as_str().into(), row.kind.clone(), options, FieldTable::default()).await
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
        (exchange.name.as_str().into(), key.as_str().into(), QueueBindOptions::default());
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
        let ours = ExchangeRow::ours;
        let binding = match queue.exchange() {
            Exchange::Fanout => Some((ours(name.clone(), ExchangeKind::Fanout), String::new())),
            Exchange::Direct => Some((ours(name.clone(), ExchangeKind::Direct), name.clone())),
            Exchange::Events(pattern) => {
                Some((ours(events_exchange(namespace), ExchangeKind::Topic), pattern.clone()))
            }
            Exchange::Foreign(exchange) => Some((ExchangeRow::theirs(*exchange), String::new())),
            Exchange::Default => None,
        };
        let binding = binding.map(|(exchange, key)| Binding { exchange, key });
        Self { name, arguments: table, temporary, foreign: queue.is_foreign(), binding }
    }
}

impl ExchangeRow {
    fn ours(name: String, kind: ExchangeKind) -> Self {
        Self { name, kind, durable: true }
    }

    fn theirs(exchange: ForeignExchange) -> Self {
        let kind = match exchange.kind {
            ForeignExchangeKind::Direct => ExchangeKind::Direct,
            ForeignExchangeKind::Fanout => ExchangeKind::Fanout,
            ForeignExchangeKind::Topic => ExchangeKind::Topic,
        };
        Self { name: exchange.name.to_owned(), kind, durable: exchange.durable }
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
