//! Logs that the database is away: once when something fails, and once when it works again. Tries in between are
//! logged at `debug` only.

use std::sync::atomic::{AtomicBool, Ordering};

use linkbeat_store::StoreError;

#[derive(Debug)]
pub(crate) struct Outage {
    /// Such as "results cannot be stored".
    what: &'static str,
    begun: AtomicBool,
}

impl Outage {
    pub(crate) fn when(what: &'static str) -> Self {
        Self { what, begun: AtomicBool::new(false) }
    }

    /// It is not possible, and will be tried again.
    pub(crate) fn met(&self, error: &StoreError) {
        if self.begun.swap(true, Ordering::Relaxed) {
            tracing::debug!(%error, "{}; trying again", self.what);
        } else {
            let advice = error.advice();
            tracing::warn!(%error, advice, "{}; trying again until they can", self.what);
        }
    }

    /// It was possible.
    pub(crate) fn over(&self) {
        if self.begun.swap(false, Ordering::Relaxed) {
            tracing::info!("no longer: {}", self.what);
        }
    }
}
