//! Parks messages that cannot be read, before any role sees them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::BrokerSettings;
use super::parcel::Parcel;
use super::publisher::Publisher;
use crate::dead::parked;
use crate::{Delivery, PublishError, Queue, Target};

/// How long a message is held that could not be parked. Given back at once, it would come again at once.
const HELD: Duration = Duration::from_secs(5);

/// Parks for all readers.
#[derive(Clone)]
pub(super) struct Parking {
    pub(super) publisher: Arc<Publisher>,
    pub(super) settings: Arc<BrokerSettings>,
    pub(super) tasks: TaskTracker,
    pub(super) closed: CancellationToken,
}

impl Parking {
    /// Parks a delivery of `queue` in the background. Until that is done it counts as one that its reader holds.
    pub(super) fn park(&self, delivery: Delivery, queue: &Queue) {
        let (parking, queue) = (self.clone(), queue.clone());
        self.tasks.spawn(async move {
            parking.closed.run_until_cancelled(parking.move_to_dead(delivery, &queue)).await;
        });
    }

    async fn move_to_dead(&self, delivery: Delivery, queue: &Queue) {
        let message = &delivery.message;
        let cause = message.headers.unreadable.as_deref().unwrap_or_default();
        tracing::error!(message.id = %message.id, %queue, cause, "a message is parked");
        match self.publish(&delivery, queue, cause).await {
            // If its session was lost, it comes again and is parked twice.
            Ok(()) => drop(delivery.ack().await),
            Err(error) => {
                tracing::error!(message.id = %message.id, %queue, %error, "a message could not be parked");
                sleep(HELD).await;
            }
        }
    }

    async fn publish(&self, delivery: &Delivery, queue: &Queue, cause: &str) -> Result<(), PublishError> {
        let message = parked(&delivery.message, queue, cause);
        let parcel = Parcel::new(&self.settings.namespace, &Target::Queue(Queue::DEAD), message)?;
        self.publisher.publish(parcel).await
    }
}
