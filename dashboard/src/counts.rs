//! How many links there are of each kind and group. To count a million takes long. So whoever asks at the same time is told
//! the same, and counting rests for much longer than it takes. But it never rests so long that somebody would wonder. Who
//! asks then does not wait for a long count either: the one of before is told until it has ended.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::GroupName;
use linkbeat_store::{LinkTotal, StoreError};

use crate::fresh::{Fresh, Length, Room};
use crate::serve::App;

/// The most groups that are told.
const GROUPS: u32 = 1_000;

const LENGTH: Length = Length { least: Duration::ZERO, times: 19, most: Duration::from_secs(10) };

type Counted<V> = Arc<Fresh<(), Arc<V>, Arc<StoreError>>>;

/// The latest counts.
#[derive(Debug)]
pub(crate) struct Counts {
    totals: Counted<Vec<LinkTotal>>,
    groups: Counted<Vec<(GroupName, u64)>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { totals: Arc::new(Fresh::new(LENGTH, one())), groups: Arc::new(Fresh::new(LENGTH, one())) }
    }
}

/// Room for one answer.
fn one<V>() -> Room<V> {
    Room { answers: 1, weight: 0, weigh: |_| 0 }
}

impl App {
    /// How many links there are of each kind.
    pub(crate) async fn totals(&self) -> Result<Arc<Vec<LinkTotal>>, Arc<StoreError>> {
        let app = self.clone();
        let counting = async move { app.ports.store.link_totals().await.map(Arc::new).map_err(Arc::new) };
        self.counts.totals.soon((), counting).await
    }

    /// The groups in the order of their names, each with how many links it has.
    pub(crate) async fn groups(&self) -> Result<Arc<Vec<(GroupName, u64)>>, Arc<StoreError>> {
        let app = self.clone();
        let counting =
            async move { app.ports.store.link_groups(GROUPS).await.map(Arc::new).map_err(Arc::new) };
        self.counts.groups.soon((), counting).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_a_change_within_seconds() {
        for (took, told_for) in [(1, 19), (300, 5_700), (2_000, 10_000), (60_000, 10_000)] {
            assert_eq!(LENGTH.after(Duration::from_millis(took)), Duration::from_millis(told_for));
        }
    }
}
