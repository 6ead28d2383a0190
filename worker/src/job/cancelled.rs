//! The runs that somebody cancelled. Their links need no check any more.
//!
//! The broker keeps recent cancellations in a stream. On start a worker reads the stream from its beginning,
//! before it takes a job. So a worker that was away still learns of them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use linkbeat_broker::{Broadcast, Broadcasts, BrokerClosed, SharedBroker};
use linkbeat_shared::RunId;
use linkbeat_shared::wire::{self, CancelMessage};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Runs remembered. Nobody cancels more runs than this while their jobs are under way.
const KEPT: usize = 10_000;
/// How long a worker waits for the cancellations of the past. If it starts without them, it may check links in
/// vain, which does no harm.
const PATIENCE: Duration = Duration::from_secs(5);

/// Knows the cancelled runs.
#[derive(Debug, Default)]
pub(crate) struct Cancelled {
    runs: RwLock<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    all: HashSet<RunId>,
    /// The oldest first.
    order: VecDeque<RunId>,
}

impl Cancelled {
    /// Whether this run was cancelled, as far as this worker knows.
    pub(crate) fn contains(&self, run: RunId) -> bool {
        self.runs.read().unwrap_or_else(PoisonError::into_inner).all.contains(&run)
    }

    /// Listens for as long as the handle is kept. Returns once the cancellations of the past are read.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        broker: &SharedBroker,
    ) -> Result<AbortOnDropHandle<()>, BrokerClosed> {
        let mut broadcasts = broker.broadcasts().await?;
        if timeout(PATIENCE, self.catch_up(&mut *broadcasts)).await.is_err() {
            tracing::warn!("the broker does not tell which runs were cancelled; going on without");
        }
        let this = Arc::clone(self);
        let listening = tokio::spawn(async move {
            while let Some(broadcast) = broadcasts.next().await {
                this.hear(&broadcast);
            }
        });
        Ok(AbortOnDropHandle::new(listening))
    }

    async fn catch_up(&self, broadcasts: &mut dyn Broadcasts) {
        while let Some(broadcast @ Broadcast::Message(_)) = broadcasts.next().await {
            self.hear(&broadcast);
        }
    }

    fn hear(&self, broadcast: &Broadcast) {
        let Broadcast::Message(message) = broadcast else { return };
        match wire::decode::<CancelMessage>(&message.body) {
            Ok(cancel) => self.add(RunId(cancel.run_id)),
            // Newer roles may tell more than this one understands.
            Err(error) => tracing::debug!(message.id = %message.id, %error, "a broadcast was not understood"),
        }
    }

    fn add(&self, run: RunId) {
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        if runs.all.insert(run) {
            runs.order.push_back(run);
        }
        if runs.order.len() > KEPT
            && let Some(oldest) = runs.order.pop_front()
        {
            runs.all.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_broker::{Broker, MemoryBroker, Message, Target};
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn past_cancellations_are_known_at_once_and_later_ones_soon() {
        let broker = MemoryBroker::new(10);
        let cancel = async |run| {
            let message = Message::of(Uuid::now_v7(), &CancelMessage::new(run));
            broker.publish(&Target::Broadcast, message).await.unwrap();
        };
        let (before, later) = (RunId::new(), RunId::new());
        cancel(before).await;
        broker.publish(&Target::Broadcast, Message::new(Uuid::now_v7(), "news of tomorrow")).await.unwrap();
        let cancelled = Arc::new(Cancelled::default());
        let shared: SharedBroker = broker.clone();
        let _listening = cancelled.listen(&shared).await.unwrap();
        assert!(cancelled.contains(before) && !cancelled.contains(later));
        cancel(later).await;
        while !cancelled.contains(later) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let cancelled = Cancelled::default();
        let runs: Vec<_> = (0..=KEPT).map(|_| RunId::new()).collect();
        for run in &runs {
            cancelled.add(*run);
            cancelled.add(*run);
        }
        assert!(
            !cancelled.contains(runs[0]) && cancelled.contains(runs[1]) && cancelled.contains(runs[KEPT])
        );
    }
}
