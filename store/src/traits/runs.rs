use std::fmt::Debug;

use async_trait::async_trait;
use linkbeat_shared::{Run, RunId};

use crate::Result;

/// Runs that were filed.
#[async_trait]
pub trait Runs: Send + Sync + Debug {
    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<Run>>;

    /// The latest runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<Run>>;

    /// Stops a running run and gives it as it is now; one that has ended stays as it is. `None` if there is
    /// no such run. Results that are still on their way are kept as history and leave their links alone.
    /// Its end is among the [`super::Ledger::unannounced_runs`] then.
    async fn cancel_run(&self, id: RunId) -> Result<Option<Run>>;
}
