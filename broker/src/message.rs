//! What travels, and where to.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use linkbeat_shared::wire;
use linkbeat_shared::{ReplyTo, RunSize, TraceContext};
use uuid::Uuid;

use crate::headers::Headers;
use crate::queue::{ForeignExchange, Queue};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A queue.
    Queue(Queue),
    /// [`Queue::JOBS`], after at least so long; meanwhile nobody holds it. Whoever takes it from there asks
    /// [`due`](crate::due) whether the whole time is over.
    Delayed(Duration),
    /// The topic exchange `linkbeat.events`, under this routing key. That nobody listens is normal. A listener whose
    /// queue takes nothing goes without: it must not hold up others.
    Event(String),
    /// The queue named in a request's `reply_to`, on the default exchange. The message carries its correlation id.
    Reply(ReplyTo),
    /// A queue of somebody else, by its whole name. It may be gone.
    Theirs(String),
    /// An exchange of somebody else, under this routing key: for whoever listens. That nobody does is normal, and
    /// nothing of it is kept.
    Listeners(ForeignExchange, String),
    /// Everybody who listens by [`Broker::broadcasts`](crate::Broker::broadcasts), also those who begin later.
    Broadcast,
}

/// The content type of linkbeat's messages.
const JSON: &str = "application/json";

/// One message, persistent. `Debug` leaves the body out: the URLs in it may carry passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// AMQP `message_id`: the same for every try to send the same thing.
    pub id: Uuid,
    /// What the body is. A message that does not say counts as JSON.
    pub content_type: Cow<'static, str>,
    /// JSON in UTF-8, unless the content type says otherwise.
    pub body: Bytes,
    /// The queue to which an answer is wanted.
    pub reply_to: Option<String>,
    /// Given back with the answer.
    pub correlation_id: Option<String>,
    /// What else it says.
    pub headers: Box<Headers>,
}

impl Message {
    /// A message with this id and body, and nothing else.
    pub fn new(id: Uuid, body: impl Into<Bytes>) -> Self {
        Self {
            id,
            content_type: Cow::Borrowed(JSON),
            body: body.into(),
            reply_to: None,
            correlation_id: None,
            headers: Box::default(),
        }
    }

    /// A contract message; see [`wire`].
    pub fn of<M: wire::Message>(id: Uuid, message: &M) -> Self {
        Self::new(id, wire::encode(message))
    }

    /// The same message as part of this trace, if there is one.
    #[must_use]
    pub fn traced(mut self, trace: Option<&TraceContext>) -> Self {
        self.headers.trace = trace.cloned();
        self
    }

    /// The same message as part of a run of this size.
    #[must_use]
    pub fn of_run(mut self, size: RunSize) -> Self {
        self.headers.run_size = size;
        self
    }

    /// How often its handling failed by our own fault, its holder living on.
    pub fn attempt(&self) -> u32 {
        self.headers.attempt
    }

    /// The same message after so many failed attempts.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.headers.attempt = attempt;
        self
    }

    /// How often it was lost with its holder, or its holder's session, apart from most others.
    pub fn losses(&self) -> u32 {
        self.headers.losses
    }

    /// The same message after so many losses.
    #[must_use]
    pub fn with_losses(mut self, losses: u32) -> Self {
        self.headers.losses = losses;
        self
    }

    /// How often a fault of our own kept it from being done.
    pub fn faults(&self) -> u32 {
        self.headers.faults
    }

    /// The same message after so many faults.
    #[must_use]
    pub fn with_faults(mut self, faults: u32) -> Self {
        self.headers.faults = faults;
        self
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .field("reply_to", &self.reply_to)
            .field("correlation_id", &self.correlation_id)
            .field("headers", &self.headers)
            .finish()
    }
}
