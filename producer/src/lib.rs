//! REQUEST -> RUN -> JOBS.
//!
//! A request comes in ([`Intake`], the command line) and is filed as a run with its jobs, in one transaction
//! ([`file`]). Then the [`Outbox`] publishes the jobs. What a crash leaves between the two is found in the database
//! and published later: the jobs table is the outbox.

mod doors;
mod file;
mod line;
mod outbox;
mod plan;
mod reconcile;
mod repeat;
mod reply_queues;
mod settings;
mod window;

use std::sync::Arc;
use std::time::Duration;

use linkbeat_broker::{PublishError, RabbitBroker, SharedBroker};
use linkbeat_store::{OpenJobs, ProducerStore, StoreError};
use tokio_util::sync::CancellationToken;

pub use doors::{
    BackendAddress, BadBackend, CannotRun, CelerySettings, Intake, RedisAddress, RequestCounts, RunNow,
    Scheduler, run_now,
};
pub use file::file;
pub use outbox::Outbox;

pub use repeat::{CannotRepeat, repeat};
pub use reply_queues::{BadReplyQueues, ReplyQueues};
pub use settings::{Allow, ProducerSettings};

use crate::doors::CeleryDoor;
use crate::line::Waiting;
use crate::reconcile::Reconciler;

/// Why something could not be filed or published. None of these is the request's fault.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker was closed, or refused for good.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl ProducerError {
    /// Whether the same may succeed later, with nothing changed by anybody but time. A broker that is away is
    /// waited for where something is published.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Publish(_) => false,
        }
    }
}

/// The role `producer`: serves requests from the queue, files the runs of schedules, and publishes jobs, also those that
/// others left unpublished.
#[derive(Debug)]
pub struct Producer {
    intake: Intake,
    celery: Option<CeleryDoor>,
    scheduler: Scheduler,
    outbox: Arc<Outbox>,
    reconciler: Reconciler,
}

impl Producer {
    /// A producer on these servers.
    pub fn new(settings: ProducerSettings, broker: SharedBroker, store: Arc<dyn ProducerStore>) -> Self {
        let outbox = Arc::new(Outbox::new(broker, store));
        Self {
            intake: Intake::new(settings.clone(), outbox.clone()),
            celery: None,
            scheduler: Scheduler::new(outbox.clone()),
            reconciler: Reconciler::new(settings, outbox.clone()),
            outbox,
        }
    }

    /// The same, which counts its requests here.
    #[must_use]
    pub fn counting(self, counts: RequestCounts) -> Self {
        Self { intake: self.intake.counting(counts), ..self }
    }

    /// The same, which also serves the tasks of Celery clients. `limits` say what they may ask for. `broker` is their
    /// RabbitMQ, see [`CelerySettings::broker`].
    ///
    /// # Errors
    /// A backend that cannot be used as it is set.
    pub fn with_celery(
        self,
        settings: CelerySettings,
        limits: ProducerSettings,
        broker: Arc<RabbitBroker>,
    ) -> Result<Self, StoreError> {
        let store = self.outbox.store.clone();
        let door = CeleryDoor::new(settings, limits, self.outbox.clone(), store, broker)?;
        Ok(Self { celery: Some(door), ..self })
    }

    /// Where others in this process file requests: their jobs are published by this producer.
    pub fn outbox(&self) -> Arc<Outbox> {
        self.outbox.clone()
    }

    /// Has all jobs published again that are not done, once it runs: for a process whose own queue ended with it.
    pub fn publish_again(&self) {
        self.outbox.join(Waiting::again(OpenJobs::PublishedFor(Duration::ZERO)));
    }

    /// Works until `shutdown`, then ends what is at hand and returns. Faults of the servers are waited out.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            self.intake.run(shutdown.clone()),
            self.serve_celery(shutdown.clone()),
            self.scheduler.run(shutdown.clone()),
            self.reconciler.run(shutdown.clone()),
            self.outbox.run(shutdown)
        );
    }

    async fn serve_celery(&self, shutdown: CancellationToken) {
        if let Some(door) = &self.celery {
            door.run(shutdown).await;
        }
    }
}
