//! How late the machine itself is, so that a test can tell our own delays from those of a busy machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

/// How often it is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Watches how much later than asked for a timer of this runtime wakes.
pub(crate) struct Lag {
    worst_micros: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Lag {
    /// Begins to watch.
    pub(crate) fn watch() -> Self {
        let worst_micros = Arc::new(AtomicU64::new(0));
        let worst = Arc::clone(&worst_micros);
        let task = tokio::spawn(async move {
            loop {
                let began = Instant::now();
                tokio::time::sleep(STEP).await;
                let late = began.elapsed().saturating_sub(STEP).as_micros();
                worst.fetch_max(u64::try_from(late).unwrap(), Ordering::Relaxed);
            }
        });
        Self { worst_micros, _task: AbortOnDropHandle::new(task) }
    }

    /// The worst so far.
    pub(crate) fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_micros.load(Ordering::Relaxed))
    }
}
