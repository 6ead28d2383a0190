//! When some server last answered us.

use tokio::sync::watch;
use tokio::time::Instant;

/// Remembers the latest moment at which a server answered.
#[derive(Debug)]
pub(crate) struct Reached {
    latest: watch::Sender<Option<Instant>>,
}

impl Default for Reached {
    fn default() -> Self {
        Self { latest: watch::Sender::new(None) }
    }
}

impl Reached {
    /// A server has answered.
    pub(crate) fn now(&self) {
        self.latest.send_replace(Some(Instant::now()));
    }

    /// Waits until a server has answered at this moment or after it.
    pub(crate) async fn since(&self, began: Instant) {
        // The sender lives as long as `self`, so this only ends with an answer.
        let _ = self.latest.subscribe().wait_for(|at| at.is_some_and(|at| at >= began)).await;
    }
}
