//! Parking: a message nobody can handle goes to the dead queue with its cause, for people to look at.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Broker, BrokerClosed, Delivery, Message, PublishError, Queue, SessionLost, Target};

/// Header: why it was parked.
pub(crate) const CAUSE: &str = "linkbeat-cause";
/// Header: the queue it came from, without the namespace.
const QUEUE: &str = "linkbeat-queue";
/// Header: when it was parked, RFC 3339 in UTC.
const PARKED_AT: &str = "linkbeat-parked-at";
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
    // First in line: brokers may limit how many headers travel.
    let ours = [
        (CAUSE, shortened(cause).to_owned()),
        (QUEUE, queue.as_str().to_owned()),
        (PARKED_AT, Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
    ];
    message.headers.retain(|(name, _)| ours.iter().all(|(own, _)| name != own));
    message.headers.splice(0..0, ours.map(|(name, value)| (name.to_owned(), value)));
    broker.publish(&Target::Queue(Queue::Dead), message).await?;
    if delivery.ack().await.is_err() {
        tracing::debug!(queue = queue.as_str(), "a parked message will come again");
    }
    Ok(())
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

    /// Why it was parked; empty where it does not say.
    pub fn cause(&self) -> &str {
        self.header(CAUSE).unwrap_or_default()
    }

    /// The queue it came from; `None` where it does not say.
    pub fn queue(&self) -> Option<Queue> {
        let name = self.header(QUEUE)?;
        Queue::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    /// When it was parked.
    pub fn parked_at(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(self.header(PARKED_AT)?).ok().map(|at| at.to_utc())
    }

    /// Its body, as it was parked.
    pub fn body(&self) -> &Bytes {
        &self.delivery.message.body
    }

    /// Puts it back into `queue` as it was before it was parked; it leaves the dead queue only after that is
    /// confirmed.
    pub async fn requeue(self, broker: &dyn Broker, queue: Queue) -> Result<(), PublishError> {
        let ours = [CAUSE, QUEUE, PARKED_AT];
        let mut message: Message = self.delivery.message.clone();
        message.headers.retain(|(name, _)| !ours.contains(&name.as_str()));
        broker.publish(&Target::Queue(queue), message).await?;
        if self.delivery.ack().await.is_err() {
            tracing::warn!("a requeued message is still in the dead queue too; a repeat is harmless");
        }
        Ok(())
    }

    /// Forgets it for good. [`SessionLost`]: it is still there.
    pub async fn forget(self) -> Result<(), SessionLost> {
        self.delivery.ack().await
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = &self.delivery.message.headers;
        headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

fn shortened(cause: &str) -> &str {
    let fits = |end: &usize| *end <= MAX_CAUSE_BYTES;
    let end = cause.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(fits).last();
    &cause[..end.unwrap_or(0)]
}
