//! Parking: a message nobody can handle goes to the dead queue with its cause, for people to look at.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Broker, BrokerClosed, Delivery, PublishError, Queue, SessionLost, Target, move_to};

/// Header: why it was parked.
pub(crate) const CAUSE: &str = "linkbeat-cause";
/// Header: the queue it came from, without the namespace.
const QUEUE: &str = "linkbeat-queue";
/// Header: when it was parked, RFC 3339 in UTC.
const PARKED_AT: &str = "linkbeat-parked-at";
/// Headers of RabbitMQ's own, on what a policy or its delivery limit took out of a queue
/// (<https://www.rabbitmq.com/docs/dlx#effects>).
const FIRST_DEATH_QUEUE: &str = "x-first-death-queue";
const FIRST_DEATH_REASON: &str = "x-first-death-reason";
/// Longest cause kept, in bytes.
const MAX_CAUSE_BYTES: usize = 1_000;
/// How long the dead queue must give nothing to count as read to its end.
const QUIET: Duration = Duration::from_secs(1);
/// How long the first message may take: the session must be opened first.
const FIRST: Duration = Duration::from_secs(3);

/// Moves a delivery of `queue` to [`Queue::Dead`]: the same message, and headers that say why, where from
/// and when. It is acknowledged only after that is confirmed, so it is never lost; when its session ends
/// in between it comes again, and is then parked twice under the same message id.
///
/// On an error nothing is acknowledged, and the message goes back to its queue.
pub async fn park(
    broker: &dyn Broker,
    delivery: Delivery,
    queue: Queue,
    cause: &str,
) -> Result<(), PublishError> {
    let mut message = delivery.message.clone();
    // So exact that it tells each parking of a message from the next.
    message.set_header(PARKED_AT, Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true));
    message.set_header(QUEUE, queue.as_str().to_owned());
    message.set_header(CAUSE, shortened(cause).to_owned());
    move_to(broker, delivery, &Target::Queue(Queue::Dead), message).await
}

/// A message from [`Queue::Dead`]. Dropping it gives it back.
#[derive(Debug)]
pub struct DeadLetter {
    delivery: Delivery,
}

/// Takes parked messages, oldest first, at most `limit`, to be looked at and settled.
///
/// Whoever looks holds them: meanwhile they are hidden from others who look. They go back when dropped,
/// at the latest when the broker is closed.
pub async fn dead_letters(broker: &dyn Broker, limit: u16) -> Result<Vec<DeadLetter>, BrokerClosed> {
    let mut dead = broker.subscribe(Queue::Dead, limit).await?;
    let mut letters = Vec::new();
    let mut patience = FIRST;
    while letters.len() < usize::from(limit)
        && let Ok(Some(delivery)) = timeout(patience, dead.next()).await
    {
        letters.push(DeadLetter { delivery });
        patience = QUIET;
    }
    dead.stop().await;
    Ok(letters)
}

impl DeadLetter {
    /// The id it has had from the beginning.
    pub fn id(&self) -> Uuid {
        self.delivery.message.id
    }

    /// Why it was parked, or in one word why RabbitMQ took it out of its queue, such as `delivery_limit`; empty
    /// where it does not say.
    pub fn cause(&self) -> &str {
        let message = &self.delivery.message;
        message.header(CAUSE).or_else(|| message.header(FIRST_DEATH_REASON)).unwrap_or_default()
    }

    /// The queue it came from; `None` where it does not say.
    pub fn queue(&self) -> Option<Queue> {
        let message = &self.delivery.message;
        // RabbitMQ's name for it has the namespace in front.
        let of_rabbit = || message.header(FIRST_DEATH_QUEUE)?.rsplit('.').next();
        let name = message.header(QUEUE).or_else(of_rabbit)?;
        Queue::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    /// When it was parked.
    pub fn parked_at(&self) -> Option<DateTime<Utc>> {
        let text = self.delivery.message.header(PARKED_AT)?;
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
    }

    /// How often its handling had failed by our own fault, or ended with its holder; see [`Message::attempt`] and
    /// [`Message::losses`].
    ///
    /// [`Message::attempt`]: crate::Message::attempt
    /// [`Message::losses`]: crate::Message::losses
    pub fn attempts(&self) -> u32 {
        self.delivery.message.attempt() + self.delivery.message.losses()
    }

    /// Its body, as it was parked.
    pub fn body(&self) -> &Bytes {
        &self.delivery.message.body
    }

    /// Puts it back into `queue` as it was before it was parked, with no attempts counted; it leaves the dead
    /// queue only after that is confirmed.
    pub async fn requeue(self, broker: &dyn Broker, queue: Queue) -> Result<(), PublishError> {
        let mut message = self.delivery.message.clone().with_attempt(0).with_losses(0);
        for parked in [CAUSE, QUEUE, PARKED_AT, FIRST_DEATH_QUEUE, FIRST_DEATH_REASON] {
            message.remove_header(parked);
        }
        move_to(broker, self.delivery, &Target::Queue(queue), message).await
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
