//! Listens to what is meant for everybody: broadcasts, which are kept in a stream, and events.
//!
//! A stream is always read from its beginning, also after a lost session. It holds little, and hearing something twice
//! is harmless. No offset is remembered: a stream that was lost with its server begins again at 0, and a reader at a
//! later offset would hear nothing. Events are not kept. A listener misses those of a gap, and learns of the gap.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::channel::PartialSession;
use super::keep::Kept;
use super::parcel;
use super::reopen::Reopen;
use super::session::Session;
use super::{BrokerSettings, ConnectError};
use crate::{Broadcast, Broadcasts, Event, Events, Message, Queue, QueueKind};

/// Messages on the way at once. A stream's reader must have a limit.
const PREFETCH: u16 = 100;
/// How long nothing must come for the past to count as heard, besides two round trips. RabbitMQ's own count
/// of a stream's messages is seconds old, so there is no better sign.
const QUIET: Duration = Duration::from_millis(500);

/// What a listener hears.
enum Heard {
    /// It begins, or begins again.
    Listening,
    /// All of a stream's past was heard.
    CaughtUp,
    Message {
        key: String,
        message: Message,
    },
}

/// The listener's side.
pub(super) struct RabbitListener {
    heard: mpsc::Receiver<Heard>,
    closed: CancellationToken,
}

/// The side that keeps a channel open.
pub(super) struct Keeper {
    queue: Queue,
    connection: Kept<Session>,
    tell: mpsc::Sender<Heard>,
    reopen: Reopen,
    stop: CancellationToken,
    /// A queue that is no stream has no past.
    caught_up: bool,
}

/// A listener to what comes to this queue, and its keeper. `stop` ends both.
pub(super) fn listener(
    queue: Queue,
    connection: Kept<Session>,
    reopen: Reopen,
    stop: CancellationToken,
) -> (RabbitListener, Keeper) {
    let (tell, heard) = mpsc::channel(PREFETCH.into());
    let caught_up = !matches!(queue.kind(), QueueKind::Stream { .. });
    let listener = RabbitListener { heard, closed: stop.clone() };
    (listener, Keeper { queue, connection, tell, reopen, stop, caught_up })
}

impl RabbitListener {
    async fn hear(&mut self) -> Option<Heard> {
        self.closed.run_until_cancelled(self.heard.recv()).await?
    }
}

#[async_trait]
impl Broadcasts for RabbitListener {
    async fn next(&mut self) -> Option<Broadcast> {
        loop {
            match self.hear().await? {
                Heard::Listening => {}
                Heard::CaughtUp => return Some(Broadcast::CaughtUp),
                Heard::Message { message, .. } => return Some(Broadcast::Message(message)),
            }
        }
    }
}

#[async_trait]
impl Events for RabbitListener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            match self.hear().await? {
                Heard::Listening => return Some(Event::Listening),
                Heard::CaughtUp => {}
                Heard::Message { key, message } => return Some(Event::Published { key, message }),
            }
        }
    }
}

impl Drop for RabbitListener {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Keeper {
    /// Keeps a channel open until the listener has gone or the broker is closed.
    pub(super) async fn run(mut self) {
        let settings = self.reopen.settings.clone();
        loop {
            let (connection, queue) = (self.connection.clone(), self.queue.clone());
            let open = || Listening::open(&connection, &settings, &queue);
            let Some(mut listening) = self.reopen.until_open(open).await else { return };
            let end = listening.channel.end().clone();
            tokio::select! {
                () = end.token().cancelled() => {}
                () = listening.pass_on(&self.tell, &mut self.caught_up, &settings) => {}
                () = self.stop.cancelled() => return listening.channel.close().await,
            }
            listening.channel.close().await;
            self.reopen.after(&end).await;
        }
    }
}

/// A channel on which a listener's queue is read.
struct Listening {
    channel: PartialSession,
    consumer: Consumer,
    queue: Queue,
    quiet: Duration,
}

impl Listening {
    async fn open(
        connection: &Kept<Session>,
        settings: &BrokerSettings,
        queue: &Queue,
    ) -> Result<Self, ConnectError> {
        let (channel, name) = PartialSession::open(connection, settings, queue).await?;
        let reading = read(channel.lapin(), name, queue.kind());
        let (consumer, round_trip) = channel.prepare(settings, reading).await?;
        Ok(Self { channel, consumer, queue: queue.clone(), quiet: QUIET + 2 * round_trip })
    }

    /// Passes on everything that comes, until the channel ends or the listener has gone.
    async fn pass_on(&mut self, tell: &mpsc::Sender<Heard>, caught_up: &mut bool, settings: &BrokerSettings) {
        let mut heard = Some(Heard::Listening);
        loop {
            if let Some(heard) = heard.take()
                && tell.send(heard).await.is_err()
            {
                return;
            }
            let next = match *caught_up {
                true => Ok(self.consumer.next().await),
                false => timeout(self.quiet, self.consumer.next()).await,
            };
            heard = match next {
                Ok(Some(Ok(mut delivery))) => {
                    if let Err(error) = delivery.acker.ack(BasicAckOptions::default()).await {
                        return self.channel.fail(&error);
                    }
                    self.heard(&mut delivery, settings)
                }
                Ok(Some(Err(error))) => return self.channel.fail(&error),
                Ok(None) => return self.channel.end().queue_gone(self.consumer.queue()),
                Err(_) => {
                    *caught_up = true;
                    Some(Heard::CaughtUp)
                }
            };
        }
    }

    /// A message that cannot be read is nobody's news. A stream keeps it, so it cannot be parked.
    fn heard(&self, delivery: &mut Delivery, settings: &BrokerSettings) -> Option<Heard> {
        let message = parcel::message(delivery, &self.queue, settings);
        if let Some(cause) = message.headers.unreadable {
            tracing::warn!(queue = %self.queue, cause, "a message is passed over");
            return None;
        }
        Some(Heard::Message { key: delivery.routing_key.to_string(), message })
    }
}

/// Begins to read the queue of that name, a stream from the oldest message that is kept. Gives how long RabbitMQ took
/// to answer, too.
async fn read(channel: Channel, name: String, kind: &QueueKind) -> lapin::Result<(Consumer, Duration)> {
    channel.basic_qos(PREFETCH, BasicQosOptions { global: false }).await?;
    let mut arguments = FieldTable::default();
    if matches!(kind, QueueKind::Stream { .. }) {
        arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    }
    let (asked, options) = (Instant::now(), BasicConsumeOptions::default());
    let consumer = channel.basic_consume(name.into(), "".into(), options, arguments).await?;
    Ok((consumer, asked.elapsed()))
}
