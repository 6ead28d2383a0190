//! Carries out what results only proposed, once it is clear that their run is not held back, and then tells it.
//!
//! The database keeps which changes are to be told. So no event is lost where a recorder stops in between. One may come
//! twice, under the same id.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use linkbeat_broker::SharedBroker;
use linkbeat_shared::RunId;
use linkbeat_store::{Judge, RecorderStore, StoreError, Untold};
use tokio::time::timeout;
use uuid::Uuid;

use crate::outage::Outage;
use crate::record::publish_change;
use crate::{AnnounceError, Rules};

/// Proposals settled, and changes told, in one go.
const PAGE: u32 = 500;
/// How many goes there are before others have their turn: runs are closed and announced in between.
const GOES: usize = 20;
/// Changes told at the same time.
const AT_ONCE: usize = 64;
/// One recorder at a time tells, by a lease. A page takes no longer than that.
const LEASE: &str = "changes";
const LEASE_LENGTH: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Settler {
    broker: SharedBroker,
    store: Arc<dyn RecorderStore>,
    judge: Arc<dyn Judge>,
    /// The one run that is settled here; `None`: all are.
    only: Option<RunId>,
    /// Names this process in the lease.
    holder: Uuid,
    outage: Outage,
}

impl Settler {
    pub(crate) fn new(broker: SharedBroker, store: Arc<dyn RecorderStore>) -> Self {
        let outage = Outage::when("changes of links cannot be carried out");
        Self { broker, store, judge: Arc::new(Rules), only: None, holder: Uuid::now_v7(), outage }
    }

    /// Leaves all other runs to others.
    pub(crate) fn only(self, run: RunId) -> Self {
        Self { only: Some(run), ..self }
    }

    /// Settles some proposals. Returns whether there may be more.
    pub(crate) async fn settle(&self) -> bool {
        for _ in 0..GOES {
            match self.store.settle(self.only, PAGE, self.judge.clone()).await {
                Ok(true) => self.outage.over(),
                Ok(false) => return false,
                Err(error) => {
                    self.outage.met(&error);
                    return false;
                }
            }
        }
        true
    }

    /// Tells some changes that were carried out, as far as another recorder does not.
    pub(crate) async fn tell(&self) {
        for _ in 0..GOES {
            match timeout(LEASE_LENGTH, self.tell_page()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "changes of links could not be told; trying again");
                    return;
                }
                Err(_) => {
                    tracing::warn!("changes of links were not told within {LEASE_LENGTH:?}; trying again");
                    return;
                }
            }
        }
    }

    /// Whether there was something to tell here.
    async fn tell_page(&self) -> Result<bool, AnnounceError> {
        let Some(untold) = self.next_untold().await? else { return Ok(false) };
        let Untold { run_id, request_id, trace, link_ids, links } = &untold;
        for some in links.chunks(AT_ONCE) {
            let publish = |link| publish_change(&self.broker, *run_id, *request_id, link, trace.as_ref());
            try_join_all(some.iter().map(publish)).await?;
        }
        self.store.mark_told(*run_id, link_ids).await?;
        Ok(true)
    }

    /// The lease is asked for only where there is something to tell. Nobody else tells the changes of a run that only
    /// this recorder settles.
    async fn next_untold(&self) -> Result<Option<Untold>, StoreError> {
        if self.only.is_none() {
            let some = self.store.untold_changes(None, 1).await?.is_some();
            if !(some && self.store.lease(LEASE, self.holder, LEASE_LENGTH).await?) {
                return Ok(None);
            }
        }
        self.store.untold_changes(self.only, PAGE).await
    }
}
