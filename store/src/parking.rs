//! Notices that jobs were parked or put back: what both databases need of them.

use std::collections::{BTreeMap, BTreeSet};

use linkbeat_shared::JobId;

use crate::traits::ParkingNotice;
use crate::values::Id;

/// The jobs that the notices name.
pub(crate) fn job_ids(notices: &[ParkingNotice]) -> BTreeSet<Id> {
    notices.iter().map(|notice| Id(notice.job_id.0)).collect()
}

/// Those of the jobs that are not among the stored ones.
pub(crate) fn unknown(mut named: BTreeSet<Id>, stored: &[Id]) -> Vec<JobId> {
    for id in stored {
        named.remove(id);
    }
    named.into_iter().map(|id| JobId(id.0)).collect()
}

/// A job whose state changed: its run, and by how many links more of that are in parked jobs.
pub(crate) type Moved = (Id, i64);

/// By how many links more of each run are in parked jobs.
pub(crate) fn by_run(moved: Vec<Moved>) -> BTreeMap<Id, i64> {
    let mut runs = BTreeMap::new();
    for (run, links) in moved {
        *runs.entry(run).or_default() += links;
    }
    runs
}
