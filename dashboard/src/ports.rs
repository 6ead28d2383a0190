//! What the dashboard needs of the rest of linkbeat. The command line brings it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use linkbeat_shared::Request;
use linkbeat_store::{DashboardStore, Filed, StoreError};

/// All that the dashboard reads from and writes to.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn DashboardStore>,
    /// Where requests are filed.
    pub desk: Arc<dyn Desk>,
}

/// Makes requests runs.
#[async_trait]
pub trait Desk: Send + Sync + Debug {
    /// Files a request as a run, and sees to it that its jobs are published. The same request id twice is one run.
    async fn file(&self, request: Request) -> Result<Filed, CannotFile>;
}

/// Why a request is no run.
#[derive(Debug, thiserror::Error)]
pub enum CannotFile {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is filed, but its jobs could not be published. A producer publishes them later.
    #[error("the broker cannot be reached: {0}")]
    Broker(String),
}
