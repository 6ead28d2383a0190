use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::Result;

/// What one process does at a time.
#[async_trait]
pub trait Leases: Send + Sync + Debug {
    /// Whether `holder` has the lease of this name from now on for `length`, by the database's clock. Nobody
    /// else gets it until then; whoever has it may take it again, or, with a length of zero, give it up.
    async fn lease(&self, name: &str, holder: Uuid, length: Duration) -> Result<bool>;

    /// Whether somebody had the lease of this name once, and nobody has it now.
    async fn has_run_out(&self, name: &str) -> Result<bool>;
}
