//! Acknowledgements that RabbitMQ may not have carried out yet.
//!
//! A channel of RabbitMQ keeps acknowledgements for a quorum queue back while 32 of them are under way. When the channel
//! ends it forgets those, and what they acknowledged comes again, marked as redelivered (seen on 3.10 and 4.0). Nothing
//! tells when they are carried out. So a channel lives for a moment after its last acknowledgement.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long RabbitMQ gets to carry out acknowledgements.
const TIME: Duration = Duration::from_millis(500);

/// When the last acknowledgement was sent, over all readers of a broker.
#[derive(Clone, Default)]
pub(super) struct Acks(Arc<Mutex<Option<Instant>>>);

impl Acks {
    pub(super) fn sent(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits until those that were sent are carried out.
    pub(super) async fn carried_out(&self) {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            sleep_until(last + TIME).await;
        }
    }
}
