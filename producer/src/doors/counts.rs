//! What became of the requests that came, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts JSON requests since the producer began. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct RequestCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    filed: AtomicU64,
    refused: AtomicU64,
    parked: AtomicU64,
}

impl RequestCounts {
    /// A run was filed, found or cancelled.
    pub(super) fn filed(&self) {
        self.0.filed.fetch_add(1, Relaxed);
    }

    /// Whoever asked was told that it is not possible.
    pub(super) fn refused(&self) {
        self.0.refused.fetch_add(1, Relaxed);
    }

    /// It was kept for people.
    pub(super) fn parked(&self) {
        self.0.parked.fetch_add(1, Relaxed);
    }

    /// The counts, each with its name.
    pub fn read(&self) -> [(&'static str, u64); 3] {
        let Counts { filed, refused, parked } = &*self.0;
        [("filed", filed), ("refused", refused), ("parked", parked)]
            .map(|(name, count)| (name, count.load(Relaxed)))
    }
}
