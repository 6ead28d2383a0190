//! What the broker says of workers and queues. To ask takes seconds, so no page does: it shows what was said last, and has it
//! asked anew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::ports::{QueueDepth, Queues, WorkerSeen};
use crate::serve::App;

/// It is asked no sooner than so long after it was asked before.
const EVERY: Duration = Duration::from_secs(15);
/// An answer that takes longer is none.
const ANSWER: Duration = Duration::from_secs(60);

/// What the broker said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FleetSeen {
    pub(crate) at: DateTime<Utc>,
    /// `None`: it did not answer.
    pub(crate) broker: Option<(Vec<WorkerSeen>, Vec<QueueDepth>)>,
}

/// The latest answer, and who waits for the next one.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    seen: Mutex<Option<Arc<FleetSeen>>>,
    wanted: Notify,
}

impl Fleet {
    /// What was said last, if anything; it is asked anew soon.
    pub(crate) fn latest(&self) -> Option<Arc<FleetSeen>> {
        self.wanted.notify_one();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, seen: FleetSeen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(seen));
    }
}

/// Asks the broker again and again while somebody looks, until the dashboard stops.
pub(crate) async fn ask(app: App) {
    let Some(queues) = app.ports.queues.clone() else { return };
    let asking = async {
        loop {
            app.live.fleet.wanted.notified().await;
            let broker = timeout(ANSWER, said(&*queues)).await.unwrap_or_default();
            app.live.fleet.keep(FleetSeen { at: Utc::now(), broker });
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = asking => {}
    }
}

async fn said(queues: &dyn Queues) -> Option<(Vec<WorkerSeen>, Vec<QueueDepth>)> {
    match tokio::try_join!(queues.workers(), queues.depths()) {
        Ok(said) => Some(said),
        Err(error) => {
            tracing::debug!(%error, "the broker did not answer the overview");
            None
        }
    }
}
