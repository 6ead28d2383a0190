//! What travels, and where to.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use linkbeat_shared::ReplyTo;
use linkbeat_shared::wire;
use uuid::Uuid;

/// linkbeat's work queues. On RabbitMQ each is a durable quorum queue named under the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Producer to workers: `linkbeat.jobs`.
    Jobs,
    /// Jobs that came back because their worker or its session was lost: `linkbeat.suspects`. Taken a few
    /// at a time, so that a job which ends its worker charges few others.
    Suspects,
    /// Jobs that were lost from there again: `linkbeat.isolated`. Taken one at a time.
    Isolated,
    /// Workers to recorder: `linkbeat.results`.
    Results,
    /// Other apps to producer: `linkbeat.requests`.
    Requests,
    /// Messages nobody could handle, for people to look at: `linkbeat.dead`.
    Dead,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Jobs, Self::Suspects, Self::Isolated, Self::Results, Self::Requests, Self::Dead];

    /// The name without the namespace.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Suspects => "suspects",
            Self::Isolated => "isolated",
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
    /// [`Queue::Jobs`], after at least so long; meanwhile nobody holds it. Whoever takes it from there asks
    /// [`due`](crate::due) whether the whole time is over.
    Delayed(Duration),
    /// The topic exchange `linkbeat.events`, under this routing key. That nobody listens is normal, and a listener
    /// whose queue takes nothing goes without: it must not hold up others.
    Event(String),
    /// The queue named in a request's `reply_to`, on the default exchange.
    Reply(ReplyTo),
    /// Everybody who listens by [`Broker::broadcasts`](crate::Broker::broadcasts), also those who begin later.
    Broadcast,
}

/// Header: how often its handling failed by our own fault.
const ATTEMPT: &str = "linkbeat-attempt";
/// Header: how often it was lost with its holder, apart from most others.
const LOSSES: &str = "linkbeat-losses";

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

    /// How often its handling failed by our own fault, its holder living on; 0 where it does not say.
    pub fn attempt(&self) -> u32 {
        self.count(ATTEMPT)
    }

    /// The same message after so many failed attempts.
    #[must_use]
    pub fn with_attempt(self, attempt: u32) -> Self {
        self.with_count(ATTEMPT, attempt)
    }

    /// How often it was lost with its holder, or its holder's session, apart from most others; 0 where it does
    /// not say.
    pub fn losses(&self) -> u32 {
        self.count(LOSSES)
    }

    /// The same message after so many losses.
    #[must_use]
    pub fn with_losses(self, losses: u32) -> Self {
        self.with_count(LOSSES, losses)
    }

    fn count(&self, name: &str) -> u32 {
        self.header(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn with_count(mut self, name: &str, count: u32) -> Self {
        self.remove_header(name);
        if count > 0 {
            self.set_header(name, count.to_string());
        }
        self
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header of ours, first in line: brokers may limit how many headers travel.
    pub(crate) fn set_header(&mut self, name: &str, value: String) {
        self.remove_header(name);
        self.headers.insert(0, (name.to_owned(), value));
    }

    pub(crate) fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(found, _)| found != name);
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
