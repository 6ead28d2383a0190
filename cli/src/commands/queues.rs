//! What the broker knows, for the dashboard.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linkbeat_broker::{DeadLetter, Queue, SharedBroker};
use linkbeat_dashboard::{CannotAsk, ParkedMessage, ParkedMessages, QueueDepth, Queues, WorkerSeen};
use linkbeat_shared::RunId;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use super::{dead, servers, workers};
use crate::exit::Failure;
use crate::settings::Settings;

/// The name under which the broker knows these connections.
const ROLE: &str = "dashboard";

/// Connects for each call: messages that were looked at go back when their connection ends.
pub(super) struct OwnQueues {
    settings: Settings,
    /// Who looks at parked messages holds them, so one looks at a time.
    parked: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

/// How long one may wait for the others, and for the broker.
const TURN: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(45);

impl fmt::Debug for OwnQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnQueues").finish_non_exhaustive()
    }
}

impl OwnQueues {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, parked: Arc::new(Semaphore::new(1)), workers: Arc::new(Semaphore::new(2)) }
    }

    /// Asks on a thread that may wait: what the commands do there stays on one thread.
    async fn with<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        ask: impl AsyncFnOnce(&SharedBroker) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, CannotAsk> {
        let Ok(Ok(turn)) = timeout(TURN, Arc::clone(turns).acquire_owned()).await else {
            return Err(CannotAsk("others are asking the broker; try again in a moment".to_owned()));
        };
        let (settings, runtime) = (self.settings.clone(), Handle::current());
        let asked = spawn_blocking(move || {
            // Kept also if nobody waits for the answer any more.
            let _turn = turn;
            runtime.block_on(async move {
                let broker = servers::connect(&settings, ROLE).await?;
                let answer = timeout(ANSWER, ask(&broker)).await;
                broker.close().await;
                answer.unwrap_or_else(|_| Err(Failure::infrastructure("the broker did not answer in time")))
            })
        });
        match asked.await {
            Ok(answer) => answer.map_err(|failure| CannotAsk(failure.problem)),
            Err(error) => Err(CannotAsk(error.to_string())),
        }
    }

    async fn settle(&self, ids: Vec<Uuid>, put_back: bool) -> Result<u64, CannotAsk> {
        let settle = async move |broker: &SharedBroker| dead::settle_these(broker, ids, put_back).await;
        self.with(&self.parked, settle).await.map(|settled| settled as u64)
    }
}

#[async_trait]
impl Queues for OwnQueues {
    async fn parked(&self, limit: u32) -> Result<ParkedMessages, CannotAsk> {
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        let parked = async move |broker: &SharedBroker| {
            let (letters, all) = dead::oldest(broker, limit).await?;
            Ok(ParkedMessages { messages: letters.iter().map(told).collect(), all })
        };
        self.with(&self.parked, parked).await
    }

    async fn requeue(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk> {
        self.settle(ids, true).await
    }

    async fn forget(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk> {
        self.settle(ids, false).await
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>, CannotAsk> {
        let depths = async move |broker: &SharedBroker| {
            let mut depths = Vec::with_capacity(Queue::ALL.len());
            for queue in &Queue::ALL {
                let messages = broker.waiting(queue).await?;
                depths.push(QueueDepth { name: queue.to_string(), messages, parked: *queue == Queue::DEAD });
            }
            Ok(depths)
        };
        self.with(&self.workers, depths).await
    }

    async fn workers(&self) -> Result<Vec<WorkerSeen>, CannotAsk> {
        let alive =
            self.with(&self.workers, async |broker: &SharedBroker| workers::alive(broker).await).await?;
        Ok(alive.into_iter().map(WorkerSeen).collect())
    }
}

fn told(letter: &DeadLetter) -> ParkedMessage {
    ParkedMessage {
        id: letter.id(),
        queue: letter.queue().map(Queue::to_string),
        run: dead::run_of(letter).map(RunId),
        cause: letter.cause().to_owned(),
        parked_at: letter.parked_at(),
        attempts: letter.attempts(),
        bytes: letter.body().len() as u64,
    }
}
