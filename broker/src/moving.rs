//! Moving: a delivery becomes a message elsewhere.
//!
//! A role that gives a message back by choice publishes it again, and then acknowledges it. So does a reader of jobs that
//! stops, with those on their way to it. A reader that takes fewer lets them arrive first. So a job that is
//! [`redelivered`](crate::Delivery::redelivered) was lost: its holder died, or lost its session.

use crate::{Broker, Delivery, Message, PublishError, Target};

/// Publishes `message` in place of `delivery`, which is acknowledged only after that is confirmed: so it is
/// never lost. When its session ends in between, it comes again, and is then moved twice.
///
/// On an error nothing is acknowledged, and the delivery goes back to its queue.
pub async fn move_to(
    broker: &dyn Broker,
    delivery: Delivery,
    target: &Target,
    message: Message,
) -> Result<(), PublishError> {
    let id = message.id;
    broker.publish(target, message).await?;
    if delivery.ack().await.is_err() {
        tracing::debug!(message.id = %id, ?target, "a message that was moved will come again");
    }
    Ok(())
}
