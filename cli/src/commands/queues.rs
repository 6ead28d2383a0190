//! What the broker knows, for the dashboard.

use std::fmt;

use async_trait::async_trait;
use linkbeat_broker::{DeadLetter, Queue, SharedBroker};
use linkbeat_dashboard::{CannotAsk, ParkedMessage, Queues, WorkerSeen};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{dead, servers, workers};
use crate::exit::Failure;
use crate::settings::Settings;

/// The name under which the broker knows these connections.
const ROLE: &str = "dashboard";

/// Connects for each call: messages that were looked at go back when their connection ends.
pub(super) struct OwnQueues {
    pub(super) settings: Settings,
}

impl fmt::Debug for OwnQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnQueues").finish_non_exhaustive()
    }
}

impl OwnQueues {
    /// Asks on a thread that may wait: what the commands do there stays on one thread.
    async fn with<T: Send + 'static>(
        &self,
        ask: impl AsyncFnOnce(&SharedBroker) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, CannotAsk> {
        let (settings, runtime) = (self.settings.clone(), Handle::current());
        let asked = spawn_blocking(move || {
            runtime.block_on(async move {
                let broker = servers::connect(&settings, ROLE).await?;
                let answer = ask(&broker).await;
                broker.close().await;
                answer
            })
        });
        match asked.await {
            Ok(answer) => answer.map_err(|failure| CannotAsk(failure.problem)),
            Err(error) => Err(CannotAsk(error.to_string())),
        }
    }

    async fn settle(&self, ids: Vec<Uuid>, put_back: bool) -> Result<u64, CannotAsk> {
        let settle = async move |broker: &SharedBroker| dead::settle_these(broker, ids, put_back).await;
        self.with(settle).await.map(|settled| settled as u64)
    }
}

#[async_trait]
impl Queues for OwnQueues {
    async fn parked(&self, limit: u32) -> Result<Vec<ParkedMessage>, CannotAsk> {
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        let parked = async move |broker: &SharedBroker| {
            let letters = dead::oldest(broker, limit).await?;
            Ok(letters.iter().map(told).collect())
        };
        self.with(parked).await
    }

    async fn requeue(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk> {
        self.settle(ids, true).await
    }

    async fn forget(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk> {
        self.settle(ids, false).await
    }

    async fn workers(&self) -> Result<Vec<WorkerSeen>, CannotAsk> {
        let alive = self.with(async |broker: &SharedBroker| workers::alive(broker).await).await?;
        Ok(alive.into_iter().map(WorkerSeen).collect())
    }
}

fn told(letter: &DeadLetter) -> ParkedMessage {
    ParkedMessage {
        id: letter.id(),
        queue: letter.queue().map(Queue::to_string),
        cause: letter.cause().to_owned(),
        parked_at: letter.parked_at(),
        attempts: letter.attempts(),
    }
}
