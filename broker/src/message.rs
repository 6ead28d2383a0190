//! What travels, and where to.

use std::fmt;

use bytes::Bytes;
use linkbeat_shared::ReplyTo;
use linkbeat_shared::wire;
use uuid::Uuid;

/// linkbeat's work queues. On RabbitMQ each is a durable quorum queue named under the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Producer to workers: `linkbeat.jobs`.
    Jobs,
    /// Workers to recorder: `linkbeat.results`.
    Results,
    /// Other apps to producer: `linkbeat.requests`.
    Requests,
    /// Messages nobody could handle, for people to look at: `linkbeat.dead`.
    Dead,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Jobs, Self::Results, Self::Requests, Self::Dead];

    /// The name without the namespace.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Results => "results",
            Self::Requests => "requests",
            Self::Dead => "dead",
        }
    }
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One of the work queues.
    Queue(Queue),
    /// The topic exchange `linkbeat.events`, under this routing key. That nobody listens is normal.
    Event(String),
    /// The queue named in a request's `reply_to`, on the default exchange.
    Reply(ReplyTo),
}

/// One message. Bodies are JSON in UTF-8, persistent. `Debug` leaves the body out: the URLs in it may
/// carry passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// AMQP `message_id`: the same for every try to send the same thing.
    pub id: Uuid,
    /// The JSON text.
    pub body: Bytes,
    /// The queue to which an answer is wanted.
    pub reply_to: Option<String>,
    /// Given back with the answer.
    pub correlation_id: Option<String>,
    /// Headers with text values, such as `traceparent` and those of parked messages.
    pub headers: Vec<(String, String)>,
}

impl Message {
    /// A message with this id and body, and nothing else.
    pub fn new(id: Uuid, body: impl Into<Bytes>) -> Self {
        Self { id, body: body.into(), reply_to: None, correlation_id: None, headers: Vec::new() }
    }

    /// A contract message; see [`wire`].
    pub fn of<M: wire::Message>(id: Uuid, message: &M) -> Self {
        Self::new(id, wire::encode(message))
    }

    /// The same message as an answer: it carries the correlation id that the asker gave.
    #[must_use]
    pub fn in_answer_to(self, reply_to: &ReplyTo) -> Self {
        Self { correlation_id: reply_to.correlation_id.clone(), ..self }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("bytes", &self.body.len())
            .field("reply_to", &self.reply_to)
            .field("correlation_id", &self.correlation_id)
            .field("headers", &self.headers)
            .finish()
    }
}
