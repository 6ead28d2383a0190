//! The memory of all checks together, beside the little that every check needs.
//!
//! What may grow large takes a share first: as much as it can ever need, so that nobody who holds a share waits for
//! more. Small answers take none.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bytes that one permit stands for.
const UNIT: usize = 1 << 10;
/// How long a check waits for its share. What holds shares ends at its deadline, so most waits are shorter. A worker
/// holds a job a little longer than that.
const PATIENCE: Duration = Duration::from_secs(240);

/// Hands out memory.
#[derive(Debug)]
pub(crate) struct Memory {
    bodies: Pool,
    heads: Pool,
}

/// What it is for. Each purpose has a half, because whoever has memory for a head may wait for a turn, and then for
/// memory for a body. Whoever has memory for a body never waits for memory for a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Body,
    Head,
}

#[derive(Debug)]
struct Pool {
    left: Arc<Semaphore>,
    in_all: usize,
}

/// Memory that may be used. It is given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _permit: OwnedSemaphorePermit,
}

/// Others held the memory for all the time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl Memory {
    /// So many bytes for all.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bodies: Pool::new(bytes / 2), heads: Pool::new(bytes / 2) }
    }

    /// The half for heads.
    pub(crate) fn for_heads(&self) -> usize {
        self.heads.in_all * UNIT
    }

    /// Bytes that are handed out now.
    pub(crate) fn handed_out(&self) -> usize {
        let out = |pool: &Pool| pool.in_all.saturating_sub(pool.left.available_permits());
        (out(&self.bodies) + out(&self.heads)) * UNIT
    }

    /// Waits for so many bytes; for all there are where that is less. To be asked for once for each purpose.
    pub(crate) async fn share(&self, purpose: For, bytes: usize) -> Result<Share, NoMemory> {
        let pool = match purpose {
            For::Body => &self.bodies,
            For::Head => &self.heads,
        };
        let units = bytes.div_ceil(UNIT).min(pool.in_all);
        let share = Arc::clone(&pool.left).acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX));
        match timeout(PATIENCE, share).await {
            Ok(Ok(permit)) => Ok(Share { _permit: permit }),
            _ => Err(NoMemory),
        }
    }
}

impl Pool {
    fn new(bytes: usize) -> Self {
        let in_all = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { left: Arc::new(Semaphore::new(in_all)), in_all }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn no_more_is_handed_out_than_there_is() {
        let memory = Memory::new(20 * UNIT);
        let first = memory.share(For::Body, 6 * UNIT).await.unwrap();
        let waiting = memory.share(For::Body, 6 * UNIT);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(memory.share(For::Head, 6 * UNIT).await.is_ok(), "heads have a part of their own");
        drop(first);
        drop(waiting.await.unwrap());
        assert!(memory.share(For::Body, 1 << 40).await.is_ok(), "whoever wants more than there is gets all");
    }
}
