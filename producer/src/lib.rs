//! REQUEST -> RUN -> JOBS.
//!
//! A request comes in ([`Intake`], the command line), is filed as a run with its jobs in one transaction
//! ([`file`]), and only then published ([`enqueue()`]). What a crash leaves between the two is found in the
//! database and published by the [`Reconciler`]: the jobs table is the outbox.

mod enqueue;
mod file;
mod intake;
mod plan;
mod reconcile;
mod settings;

use linkbeat_broker::{PublishError, SharedBroker};
use linkbeat_store::{SharedStore, StoreError};
use tokio_util::sync::CancellationToken;

pub use enqueue::{enqueue, enqueue_all};
pub use file::file;
pub use intake::Intake;
pub use reconcile::Reconciler;
pub use settings::ProducerSettings;

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

/// The role `producer`: serves requests from the queue and publishes what was left unpublished.
#[derive(Debug)]
pub struct Producer {
    intake: Intake,
    reconciler: Reconciler,
}

impl Producer {
    /// A producer on these servers.
    pub fn new(settings: ProducerSettings, broker: SharedBroker, store: SharedStore) -> Self {
        Self {
            intake: Intake::new(settings.clone(), broker.clone(), store.clone()),
            reconciler: Reconciler::new(settings, broker, store),
        }
    }

    /// Works until `shutdown`, then ends what is at hand and returns. Faults of the servers are waited out.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(self.intake.run(shutdown.clone()), self.reconciler.run(shutdown));
    }
}
