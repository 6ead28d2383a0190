//! Makes the partitions of the table of checks ahead of time, so that each run finds its own.
//!
//! One recorder at a time does it, by a lease. The database has four weeks in hand: a recorder that is away for less
//! than that is not missed.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_store::{RecorderStore, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::outage::Outage;

/// How often partitions are made, where they lack. The lease is as long, so that others leave it until then.
const EVERY: Duration = Duration::from_secs(3_600);
/// How soon it is tried again after it failed.
const RETRY: Duration = Duration::from_secs(60);
/// Names the lease.
const LEASE: &str = "partitions";

#[derive(Debug)]
pub(crate) struct PartitionMaker {
    store: Arc<dyn RecorderStore>,
    /// Names this process in the lease.
    holder: Uuid,
    outage: Outage,
}

impl PartitionMaker {
    pub(crate) fn new(store: Arc<dyn RecorderStore>) -> Self {
        Self { store, holder: Uuid::now_v7(), outage: Outage::when("partitions for checks cannot be made") }
    }

    /// Makes partitions at once and every hour until `end`.
    pub(crate) async fn run(&self, end: &CancellationToken) {
        loop {
            let made = tokio::select! {
                biased;
                () = end.cancelled() => return,
                made = self.make() => made,
            };
            let pause = match made {
                Ok(made) => {
                    self.outage.over();
                    if made > 0 {
                        tracing::info!(partitions = made, "made partitions for the checks of coming weeks");
                    }
                    EVERY
                }
                Err(error) => {
                    self.outage.met(&error);
                    RETRY
                }
            };
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn make(&self) -> Result<u32, StoreError> {
        if self.store.lease(LEASE, self.holder, EVERY).await? {
            self.store.make_partitions().await
        } else {
            Ok(0)
        }
    }
}
