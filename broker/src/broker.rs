//! What a broker can do. RabbitMQ and the in-process queue do it alike, and roles see nothing else of them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::delivery::Delivery;
use crate::message::{Message, Target};
use crate::queue::Queue;

/// Carries messages between roles.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug {
    /// Publishes one message and returns once it is the broker's responsibility (RabbitMQ: confirmed by
    /// the queue's quorum). Waits while the broker is away, blocked or full; the same message id is sent
    /// again when the outcome of a try is unknown, so readers may see it twice, never not at all.
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError>;

    /// Begins to take messages from a queue. At most `prefetch` of them, and at least one, are unsettled
    /// at any time.
    async fn subscribe(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed>;

    /// How many messages of a queue wait to be delivered, at this moment. Waits while the broker is away.
    async fn waiting(&self, queue: &Queue) -> Result<u64, BrokerClosed>;

    /// Begins to listen for what is published to [`Target::Broadcast`].
    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed>;

    /// Begins to listen for what is published to [`Target::Event`] under the keys that match `pattern`: words
    /// between dots, where `*` stands for one word and `#` for any number of them.
    async fn events(&self, pattern: &str) -> Result<Box<dyn Events>, BrokerClosed>;

    /// The queues that messages can be taken from here.
    fn queues(&self) -> Vec<Queue> {
        Queue::ALL.to_vec()
    }

    /// Whether an answer may go to this address: never into a queue of linkbeat's own.
    fn may_answer(&self, _address: &str) -> bool {
        true
    }

    /// Whether every session that is wanted is open right now: for health checks.
    fn ready(&self) -> bool;

    /// Why a session that is wanted is not open, as far as that is known.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Ends all sessions. Waiting publishers and subscriptions end with [`BrokerClosed`] or `None`.
    async fn close(&self);
}

/// Messages from one queue, for ever: lost connections are made again underneath.
#[async_trait]
pub trait Subscription: Send {
    /// The next message; `None` after [`Subscription::stop`] once nothing is left, or after
    /// [`Broker::close`]. Cancel safe.
    async fn next(&mut self) -> Option<Delivery>;

    /// From now on about `prefetch` messages are unsettled at once: a whole multiple of the prefetch this
    /// was begun with, from once to [`MOST_LANES`] times. Messages taken before are kept, so with fewer it
    /// takes effect as they are settled. Lost sessions change nothing about it.
    fn resize(&mut self, prefetch: u16);

    /// Takes no further messages from the broker. Those already taken but not handed out go back.
    async fn stop(&mut self);
}

/// How many times its first prefetch a [`Subscription`] can take at most.
pub const MOST_LANES: u16 = 32;

/// How many times `step` comes nearest above `prefetch`, within the limits of [`Subscription::resize`].
pub(crate) fn lanes(prefetch: u16, step: u16) -> u16 {
    prefetch.div_ceil(step).clamp(1, MOST_LANES)
}

/// Broadcasts, for ever: lost connections are made again underneath.
#[async_trait]
pub trait Broadcasts: Send {
    /// First everything that is kept (RabbitMQ: of the last day, or somewhat more), oldest first, then
    /// [`Broadcast::CaughtUp`] once, then what comes. After a lost connection all may come again. `None`
    /// after [`Broker::close`]. Cancel safe.
    async fn next(&mut self) -> Option<Broadcast>;
}

/// One of [`Broadcasts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broadcast {
    /// What somebody published.
    Message(Message),
    /// Everything of before was told; what follows is news.
    CaughtUp,
}

/// Events, for ever: lost connections are made again underneath.
#[async_trait]
pub trait Events: Send {
    /// First [`Event::Listening`], then what comes. `None` after [`Broker::close`]. Cancel safe.
    ///
    /// A listener that is too slow loses the oldest events: some thousands wait for it.
    async fn next(&mut self) -> Option<Event>;
}

/// One of [`Events`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Events are heard from here on. Earlier ones may have been missed: this comes first, and again after each gap.
    Listening,
    /// What somebody published.
    Published {
        /// The routing key, such as `run.finished`.
        key: String,
        /// The event.
        message: Message,
    },
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A reply queue that is gone. Work queues are made again and never give this, nor do RabbitMQ's
    /// `amq.rabbitmq.reply-to.…` names: there it cannot be told.
    #[error("no queue takes messages for `{0}`")]
    Unroutable(String),
    /// A reply queue that takes nothing, because it is full or may not be written to; it was offered several
    /// times, within seconds. Our own queues never give this: there publishing waits.
    #[error("`{address}` takes no messages: {cause}")]
    NotTaken {
        /// The reply queue.
        address: String,
        /// The broker's words.
        cause: String,
    },
    /// The broker will never take this message, such as one over its size limit. Its own words.
    #[error("the broker refuses the message: {0}")]
    Refused(String),
    /// The broker was closed on our side.
    #[error(transparent)]
    Closed(#[from] BrokerClosed),
}

/// [`Broker::close`] was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the broker was closed on our side")]
pub struct BrokerClosed;

/// Any broker, shared between the roles of a process.
pub type SharedBroker = Arc<dyn Broker>;
