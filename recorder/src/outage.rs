//! Logs that the database is away: once when something fails, and once when it works again. Tries in between are
//! logged at `debug` only.

use linkbeat_store::StoreError;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Outage {
    /// Such as "results cannot be stored".
    what: &'static str,
    /// The problem, while there is one.
    problem: watch::Sender<Option<String>>,
}

impl Outage {
    pub(crate) fn when(what: &'static str) -> Self {
        Self { what, problem: watch::Sender::default() }
    }

    /// It is not possible, and will be tried again.
    pub(crate) fn met(&self, error: &StoreError) {
        let is_new = self.problem.send_replace(Some(error.to_string())).is_none();
        if !is_new {
            tracing::debug!(%error, "{}; trying again", self.what);
        } else {
            let advice = error.advice();
            tracing::warn!(%error, advice, "{}; trying again until they can", self.what);
        }
    }

    /// It was possible.
    pub(crate) fn over(&self) {
        if self.problem.send_if_modified(|problem| problem.take().is_some()) {
            tracing::info!("no longer: {}", self.what);
        }
    }

    /// The problem, now and with every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }
}
