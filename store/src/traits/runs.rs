use std::fmt::Debug;

use async_trait::async_trait;
use linkbeat_shared::{Asker, LinkId, RequestId, Run, RunId};

use super::{Filed, KeptRequest};
use crate::Result;

/// Runs that were filed.
#[async_trait]
pub trait Runs: Send + Sync + Debug {
    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<Run>>;

    /// The run of this request.
    async fn run_of(&self, request: RequestId) -> Result<Option<Run>>;

    /// What this run was asked; `None` if that was not kept.
    async fn kept_request(&self, id: RunId) -> Result<Option<KeptRequest>>;

    /// The links of this run's jobs, each once: at most `most` and a few more. None of a run whose jobs are kept no longer.
    async fn links_of_run(&self, id: RunId, most: usize) -> Result<Vec<LinkId>>;

    /// The latest runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<Run>>;

    /// Stops a running run and gives it as it is now; one that has ended stays as it is. `None` if there is
    /// no such run. Results that are still on their way are kept as history and leave their links alone.
    /// Its end is among the [`super::Ledger::unannounced_runs`] then.
    async fn cancel_run(&self, id: RunId) -> Result<Option<Run>>;

    /// Stops the run of this request in the same way, and keeps that `asker` is told how it ended. `None` if there is no
    /// such run.
    async fn cancel_request(&self, request: RequestId, asker: Option<Asker>) -> Result<Option<Filed>>;
}
