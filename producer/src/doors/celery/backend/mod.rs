//! Where callers look for results.

mod address;
mod django;
mod redis;
mod rpc;

use std::fmt::Debug;

use async_trait::async_trait;

use super::outcome::Told;

pub use address::{BackendAddress, BadBackend};
pub(super) use django::Django;
pub(super) use redis::Redis;
pub use redis::RedisAddress;
pub(super) use rpc::Rpc;

/// A place where callers look for results.
#[async_trait]
pub(super) trait Backend: Send + Sync + Debug {
    /// Tells how a task stands. A success that is there already stays.
    async fn tell(&self, told: &Told<'_>) -> Result<(), Untold>;
}

/// Why a result could not be told now. It is tried again later.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Untold(pub(super) String);

/// Nobody looks for results.
#[derive(Debug)]
pub(super) struct Nowhere;

#[async_trait]
impl Backend for Nowhere {
    async fn tell(&self, _: &Told<'_>) -> Result<(), Untold> {
        Ok(())
    }
}
