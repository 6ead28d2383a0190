//! The runs that somebody stopped: their links need no check any more.
//!
//! The broker keeps what was told of late, so a worker that was away hears of it when it comes back, before
//! it takes a job.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use linkbeat_broker::{Broadcast, Broadcasts, BrokerClosed, SharedBroker};
use linkbeat_shared::RunId;
use linkbeat_shared::wire::{self, CancelMessage};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Runs remembered: more than anybody cancels while their jobs are under way.
const KEPT: usize = 10_000;
/// How long a worker waits for what was told before it came: without, it may check a link too many.
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
    /// Whether this run was cancelled, as far as we have heard.
    pub(crate) fn contains(&self, run: RunId) -> bool {
        self.runs.read().unwrap_or_else(PoisonError::into_inner).all.contains(&run)
    }

    /// Listens from now on, for as long as the handle is kept. Returns once it has heard what was told before.
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
    async fn what_was_told_before_is_known_at_once_and_what_comes_later_soon() {
        let broker = MemoryBroker::new(10);
        let tell = async |run| {
            let message = Message::of(Uuid::now_v7(), &CancelMessage::new(run));
            broker.publish(&Target::Broadcast, message).await.unwrap();
        };
        let (before, later) = (RunId::new(), RunId::new());
        tell(before).await;
        broker.publish(&Target::Broadcast, Message::new(Uuid::now_v7(), "news of tomorrow")).await.unwrap();
        let cancelled = Arc::new(Cancelled::default());
        let shared: SharedBroker = broker.clone();
        let _listening = cancelled.listen(&shared).await.unwrap();
        assert!(cancelled.contains(before) && !cancelled.contains(later));
        tell(later).await;
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
