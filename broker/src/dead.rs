//! Parking: a message nobody can handle goes to the dead queue with its cause, for people to look at.

use chrono::{SecondsFormat, Utc};

use crate::{Broker, Delivery, PublishError, Queue, Target};

/// Header: why it was parked.
pub(crate) const CAUSE: &str = "linkbeat-cause";
/// Header: the queue it came from, without the namespace.
const QUEUE: &str = "linkbeat-queue";
/// Header: when it was parked, RFC 3339 in UTC.
const PARKED_AT: &str = "linkbeat-parked-at";
/// Longest cause kept, in bytes.
const MAX_CAUSE_BYTES: usize = 1_000;

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

fn shortened(cause: &str) -> &str {
    let fits = |end: &usize| *end <= MAX_CAUSE_BYTES;
    let end = cause.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(fits).last();
    &cause[..end.unwrap_or(0)]
}
