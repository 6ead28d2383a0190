//! How a run's stored counts become its summary.

use linkbeat_shared::{Run, RunState, RunSummary};

use crate::error::Fault;
use crate::rows::{Tally, number};

/// A run with its checks in numbers.
pub(crate) struct Tallies {
    pub(crate) run: Run,
    pub(crate) tally: Tally,
    /// How many of its links are not on the white list.
    pub(crate) to_check: i64,
    /// How many of its links wait to be checked again.
    pub(crate) rechecks: i64,
}

impl Tallies {
    pub(crate) fn summary(self) -> Result<RunSummary, Fault> {
        Ok(RunSummary {
            run_id: self.run.id,
            state: self.run.state,
            missing: self.run.missing,
            to_recheck: self.to_recheck()?,
            created_at: self.run.created_at,
            finished_at: self.run.finished_at,
            counts: self.tally.counts(self.to_check)?,
        })
    }

    fn to_recheck(&self) -> Result<u64, Fault> {
        if self.run.state == RunState::Cancelled { Ok(0) } else { number(self.rechecks, "a count of jobs") }
    }
}
