//! Parking: a message nobody can handle goes to the dead queue with its cause, for people to look at.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use tokio::time::timeout;
use uuid::Uuid;

use crate::headers::Parked;
use crate::{
    Broker, BrokerClosed, Delivery, Headers, Message, PublishError, Queue, SessionLost, Target, move_to,
};

/// Longest cause kept, in bytes.
const MAX_CAUSE_BYTES: usize = 1_000;
/// How long the dead queue must give nothing to count as read to its end.
const QUIET: Duration = Duration::from_secs(1);
/// How long the first message may take: the session must be opened first.
const FIRST: Duration = Duration::from_secs(3);

/// Moves a delivery of `queue` to [`Queue::DEAD`]: the same message, and headers that say why, where from
/// and when. It is acknowledged only after that is confirmed, so it is never lost. If its session ends
/// in between it comes again, and is parked twice under the same message id.
///
/// On an error nothing is acknowledged, and the message goes back to its queue.
pub async fn park(
    broker: &dyn Broker,
    delivery: Delivery,
    queue: &Queue,
    cause: &str,
) -> Result<(), PublishError> {
    let message = parked(&delivery.message, queue, cause);
    move_to(broker, delivery, &Target::Queue(Queue::DEAD), message).await
}

/// A message of `queue` as it is parked.
pub(crate) fn parked(message: &Message, queue: &Queue, cause: &str) -> Message {
    let mut message = message.clone();
    message.headers.parked = Parked {
        cause: shortened(cause).to_owned(),
        queue: queue.to_string(),
        // So exact that it tells each parking of a message from the next.
        at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
    };
    message
}

/// A message from [`Queue::DEAD`]. Dropping it gives it back.
#[derive(Debug)]
pub struct DeadLetter {
    delivery: Delivery,
    queue: Option<Queue>,
}

/// Takes parked messages, oldest first, at most `limit`, to be read and settled.
///
/// The caller holds them: meanwhile others do not see them. They go back when dropped, at the latest when the
/// broker is closed.
pub async fn dead_letters(broker: &dyn Broker, limit: u16) -> Result<Vec<DeadLetter>, BrokerClosed> {
    let (queues, mut dead) = (broker.queues(), broker.subscribe(&Queue::DEAD, limit).await?);
    let mut letters = Vec::new();
    let mut patience = FIRST;
    while letters.len() < usize::from(limit)
        && let Ok(Some(delivery)) = timeout(patience, dead.next()).await
    {
        let queue = origin(&delivery.message.headers);
        let queue = queues.iter().find(|known| known.to_string() == queue).cloned();
        letters.push(DeadLetter { delivery, queue });
        patience = QUIET;
    }
    dead.stop().await;
    Ok(letters)
}

/// The queue it came from, without the namespace; empty where it does not say.
fn origin(headers: &Headers) -> &str {
    match (headers.parked.queue.as_str(), &headers.removed) {
        ("", Some(removed)) => &removed.queue,
        (queue, _) => queue,
    }
}

impl DeadLetter {
    /// The id it has had from the beginning.
    pub fn id(&self) -> Uuid {
        self.delivery.message.id
    }

    /// Why it was parked, or in one word why RabbitMQ took it out of its queue, such as `delivery_limit`; empty
    /// where it does not say. If somebody put it here in a form that cannot be read, it says that.
    pub fn cause(&self) -> &str {
        let headers = &self.delivery.message.headers;
        match (&headers.unreadable, headers.parked.cause.as_str(), &headers.removed) {
            (Some(fault), ..) => fault,
            (None, "", Some(removed)) => &removed.reason,
            (None, cause, _) => cause,
        }
    }

    /// The queue it came from; `None` where it does not say, or names one that this broker does not know.
    pub fn queue(&self) -> Option<&Queue> {
        self.queue.as_ref()
    }

    /// When it was parked.
    pub fn parked_at(&self) -> Option<DateTime<Utc>> {
        let text = &self.delivery.message.headers.parked.at;
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
    }

    /// All its headers, as they travel.
    pub fn headers(&self) -> Vec<(String, String)> {
        self.delivery.message.headers.texts()
    }

    /// How often its handling had failed by our own fault, or ended with its holder; see [`Message::attempt`] and
    /// [`Message::losses`].
    pub fn attempts(&self) -> u32 {
        self.delivery.message.attempt() + self.delivery.message.losses()
    }

    /// Its body, as it was parked.
    pub fn body(&self) -> &Bytes {
        &self.delivery.message.body
    }

    /// Puts it back into `queue` as it was before it was parked, with no attempts counted; it leaves the dead
    /// queue only after that is confirmed.
    pub async fn requeue(self, broker: &dyn Broker, queue: &Queue) -> Result<(), PublishError> {
        let mut message = self.delivery.message.clone().with_attempt(0).with_losses(0).with_faults(0);
        message.headers.parked = Parked::default();
        message.headers.removed = None;
        move_to(broker, self.delivery, &Target::Queue(queue.clone()), message).await
    }

    /// Forgets it for good. [`SessionLost`]: it is still there.
    pub async fn forget(self) -> Result<(), SessionLost> {
        self.delivery.ack().await
    }
}

fn shortened(cause: &str) -> &str {
    let fits = |end: &usize| *end <= MAX_CAUSE_BYTES;
    let end = cause.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(fits).last();
    &cause[..end.unwrap_or(0)]
}
