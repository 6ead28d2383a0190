//! linkbeat's queues: RabbitMQ and the in-process queue behind one trait.
//!
//! The only crate that names lapin. Roles see a [`Broker`]: publishing returns once the broker has taken
//! responsibility for the message, and a [`Subscription`] goes on over lost connections by itself. The one
//! decision worth knowing: a delivery is acknowledged only on the session it came by. When that session
//! is lost, the broker delivers the message again, and [`Delivery::session`] tells whoever works on it.

mod dead;
mod delay;
mod memory;
mod message;
mod moving;
mod rabbit;
mod watched;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use dead::{DeadLetter, dead_letters, park};
pub use delay::due;
pub use memory::MemoryBroker;
pub use message::{Message, Queue, Target};
pub use moving::move_to;
pub use rabbit::{
    BadBrokerTls, BadBrokerUrl, BadNamespace, BrokerInspection, BrokerItem, BrokerItemKind, BrokerItemState,
    BrokerSettings, BrokerTls, BrokerUrl, BrokerUrls, ConnectError, Namespace, NodeInspection, RabbitBroker,
    inspect_broker,
};
pub use watched::WatchedBroker;

/// Carries messages between roles.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug {
    /// Publishes one message and returns once it is the broker's responsibility (RabbitMQ: confirmed by
    /// the queue's quorum). Waits while the broker is away, blocked or full; the same message id is sent
    /// again when the outcome of a try is unknown, so readers may see it twice, never not at all.
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError>;

    /// Begins to take messages from a queue. At most `prefetch` of them, and at least one, are unsettled
    /// at any time.
    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed>;

    /// How many messages of a queue wait to be delivered, at this moment. Waits while the broker is away.
    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerClosed>;

    /// How many messages to [`Target::Delayed`] have not come to their queue yet.
    async fn delayed(&self) -> Result<u64, BrokerClosed>;

    /// Begins to listen for what is published to [`Target::Broadcast`].
    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed>;

    /// Whether every session that is wanted is open right now: for health checks.
    fn ready(&self) -> bool;

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

/// What everybody is told, for ever: lost connections are made again underneath.
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

/// One message to be settled: acknowledged or given back. Dropping it gives it back.
pub struct Delivery {
    /// What came.
    pub message: Message,
    /// The broker has delivered it before: somebody may have worked on it, or it was on its way to a reader
    /// that stopped or was made smaller.
    pub redelivered: bool,
    session: CancellationToken,
    settle: Box<dyn Settle>,
}

impl Delivery {
    pub(crate) fn new(
        message: Message,
        redelivered: bool,
        session: &CancellationToken,
        settle: Box<dyn Settle>,
    ) -> Self {
        // A child: whoever works on the message can cancel its own work with it, never the session.
        Self { message, redelivered, session: session.child_token(), settle }
    }

    /// Cancelled when the session this came by is lost: the broker will deliver it again, so work on it
    /// may stop.
    pub fn session(&self) -> &CancellationToken {
        &self.session
    }

    /// It is done and may be forgotten. [`SessionLost`]: it will come again, which must be harmless.
    pub async fn ack(self) -> Result<(), SessionLost> {
        self.settle.ack().await
    }

    /// It goes back to its queue, for anybody.
    pub async fn requeue(self) -> Result<(), SessionLost> {
        self.settle.requeue().await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

/// How one delivery is settled, by the kind of broker. Dropped unsettled, it gives the message back.
#[async_trait]
pub(crate) trait Settle: Send + Sync {
    async fn ack(self: Box<Self>) -> Result<(), SessionLost>;
    async fn requeue(self: Box<Self>) -> Result<(), SessionLost>;
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

/// The session by which a delivery came is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session by which the message came is gone; it will be delivered again")]
pub struct SessionLost;

/// Any broker, shared between the roles of a process.
pub type SharedBroker = Arc<dyn Broker>;
