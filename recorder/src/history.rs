//! Rolls checks up into days and hours, and removes what is old, beside recording.
//!
//! One recorder at a time does it, by a lease. It works in small steps and rests after each for as long as the step took.
//! So recording never waits long, and at most half of one processor is spent on the past.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_store::{HistoryRules, RecorderStore, StoreError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::outage::Outage;

/// The checks of a run are rolled up so long after it has ended. The runs of an hour are rolled up together, which
/// writes each day of a link at most 24 times.
pub const DUE_AFTER: Duration = Duration::from_secs(3_600);
/// Names the lease.
const LEASE: &str = "history";
/// The longest rest between two steps.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// When what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPace {
    /// How often it is looked whether there is something to do.
    pub every: Duration,
    /// The checks of a run are rolled up so long after it has ended.
    pub due_after: Duration,
    /// How long the lease is. A step takes far less, and whoever has the lease takes it again for each step.
    pub lease: Duration,
}

impl Default for HistoryPace {
    fn default() -> Self {
        Self { every: Duration::from_secs(60), due_after: DUE_AFTER, lease: Duration::from_secs(90) }
    }
}

#[derive(Debug)]
pub(crate) struct Historian {
    store: Arc<dyn RecorderStore>,
    rules: HistoryRules,
    pace: HistoryPace,
    /// Names this process in the lease.
    holder: Uuid,
    rolling: Outage,
    cleaning: Outage,
}

impl Historian {
    pub(crate) fn new(store: Arc<dyn RecorderStore>, rules: HistoryRules, pace: HistoryPace) -> Self {
        let rolling = Outage::when("checks cannot be rolled up");
        let cleaning = Outage::when("old checks cannot be removed");
        Self { store, rules, pace, holder: Uuid::now_v7(), rolling, cleaning }
    }

    /// Rolls up and cleans up at once, and again and again until `end`.
    pub(crate) async fn run(&self, end: &CancellationToken) {
        while !end.is_cancelled() {
            self.roll_up(end).await;
            self.clean_up(end).await;
            pause(self.pace.every, end).await;
        }
    }

    async fn roll_up(&self, end: &CancellationToken) {
        let step = || self.store.roll_up(&self.rules, self.pace.due_after);
        if let Some(error) = self.repeat(step, end).await {
            self.rolling.met(&error);
        } else {
            self.rolling.over();
        }
    }

    async fn clean_up(&self, end: &CancellationToken) {
        if let Some(error) = self.repeat(|| self.store.clean_up(&self.rules), end).await {
            self.cleaning.met(&error);
        } else {
            self.cleaning.over();
        }
    }

    /// Does steps until there is nothing left to do, or another recorder has the lease.
    async fn repeat<F: Future<Output = Result<bool, StoreError>>>(
        &self,
        mut step: impl FnMut() -> F,
        end: &CancellationToken,
    ) -> Option<StoreError> {
        while !end.is_cancelled() {
            match self.store.lease(LEASE, self.holder, self.pace.lease).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(error),
            }
            let begun = Instant::now();
            match step().await {
                Ok(true) => pause(begun.elapsed().min(LONGEST_REST), end).await,
                Ok(false) => return None,
                Err(error) => return Some(error),
            }
        }
        None
    }
}

async fn pause(length: Duration, end: &CancellationToken) {
    tokio::select! {
        () = end.cancelled() => {}
        () = sleep(length) => {}
    }
}
