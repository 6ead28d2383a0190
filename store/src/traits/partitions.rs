use std::fmt::Debug;

use async_trait::async_trait;

use crate::Result;

/// The parts in which a large database keeps checks.
#[async_trait]
pub trait Partitions: Send + Sync + Debug {
    /// Makes the partitions for the checks of this week's runs and of those of the next four weeks, where they lack.
    /// Returns how many it made. SQLite has none.
    async fn make_partitions(&self) -> Result<u32>;
}
