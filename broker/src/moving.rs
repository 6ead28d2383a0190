//! Moving: a delivery becomes a message elsewhere.
//!
//! Whatever a role gives back by choice it publishes again and then acknowledges. So a message that is
//! [`redelivered`](crate::Delivery::redelivered) means: its holder died or lost its session. The one
//! exception is a message on its way to a reader that stops or takes fewer, which nobody has seen.

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
