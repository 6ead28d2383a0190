//! Files the requests of the dashboard.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use linkbeat_dashboard::{CannotFile, Desk};
use linkbeat_producer::Outbox;
use linkbeat_shared::Request;
use linkbeat_store::{Filed, SharedStore};

/// Files in the database. An outbox of this process publishes the jobs; without one a producer finds the run.
pub(crate) struct OwnDesk {
    pub(crate) store: SharedStore,
    pub(crate) outbox: Option<Arc<Outbox>>,
}

impl fmt::Debug for OwnDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnDesk").finish_non_exhaustive()
    }
}

#[async_trait]
impl Desk for OwnDesk {
    async fn file(&self, request: Request) -> Result<Filed, CannotFile> {
        let filed = linkbeat_producer::file(&self.store, request).await?;
        if let Some(outbox) = &self.outbox {
            outbox.add(&filed);
        }
        Ok(filed)
    }
}
