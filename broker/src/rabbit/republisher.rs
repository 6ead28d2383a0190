//! Publishes messages again that no role has seen: what cannot be read is parked, and what a reader took and did not
//! hand out goes back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::BrokerSettings;
use super::parcel::Parcel;
use super::publisher::Publisher;
use crate::dead::parked;
use crate::{Delivery, Message, PublishError, Queue, Target};

/// How long a message is held that could not be parked. Given back at once, it would come again at once.
const HELD: Duration = Duration::from_secs(5);

/// Publishes for all readers.
#[derive(Clone)]
pub(super) struct Republisher {
    pub(super) publisher: Arc<Publisher>,
    pub(super) settings: Arc<BrokerSettings>,
    pub(super) tasks: TaskTracker,
    pub(super) closed: CancellationToken,
}

impl Republisher {
    /// Parks a delivery of `queue` in the background. Until that is done it counts as one that its reader holds.
    pub(super) fn park(&self, delivery: Delivery, queue: &Queue) {
        let (this, queue) = (self.clone(), queue.clone());
        self.tasks.spawn(async move {
            this.closed.run_until_cancelled(this.move_to_dead(delivery, &queue)).await;
        });
    }

    async fn move_to_dead(&self, delivery: Delivery, queue: &Queue) {
        let message = &delivery.message;
        let cause = message.headers.unreadable.as_deref().unwrap_or_default();
        tracing::error!(message.id = %message.id, %queue, cause, "a message is parked");
        // A queue of another namespace has its own dead queue.
        let dead = Queue::DEAD.in_namespace(queue.namespace(&self.settings.namespace).clone());
        match self.publish(dead, parked(message, queue, cause)).await {
            // If its session was lost, it comes again and is parked twice.
            Ok(()) => drop(delivery.ack().await),
            Err(error) => {
                tracing::error!(message.id = %message.id, %queue, %error, "a message could not be parked");
                sleep(HELD).await;
            }
        }
    }

    /// Puts a message into a queue of ours, as one that nobody has held.
    pub(super) async fn publish(&self, queue: Queue, message: Message) -> Result<(), PublishError> {
        let parcel = Parcel::new(&self.settings.namespace, &Target::Queue(queue), message)?;
        self.publisher.publish(parcel).await
    }
}
