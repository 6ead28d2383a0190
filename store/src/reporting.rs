//! How a run's stored counts become its summary.

use linkbeat_shared::{Alike, Decision, HeldBack, Run, RunState, RunSummary};

use crate::error::Fault;
use crate::rows::{Hold, Tally, number, parse};

/// A run with its checks in numbers.
pub(crate) struct Tallies {
    pub(crate) run: Run,
    pub(crate) tally: Tally,
    /// How many of its links are not on the white list.
    pub(crate) to_check: i64,
    /// How many of its links wait to be checked again.
    pub(crate) rechecks: i64,
    /// The word of `runs.hold`.
    pub(crate) hold: String,
    /// How many of `to_check` had been checked before.
    pub(crate) known: i64,
    /// Links that change alike, the most first.
    pub(crate) alike: Vec<Alike>,
}

impl Tallies {
    pub(crate) fn summary(self) -> Result<RunSummary, Fault> {
        Ok(RunSummary {
            run_id: self.run.id,
            request_id: self.run.request_id,
            state: self.run.state,
            missing: self.run.missing,
            to_recheck: self.to_recheck()?,
            created_at: self.run.created_at,
            finished_at: self.run.finished_at,
            counts: self.tally.counts(self.to_check)?,
            held_back: self.held_back()?,
        })
    }

    fn held_back(&self) -> Result<Option<HeldBack>, Fault> {
        let decision = match (parse(&self.hold, "runs.hold")?, self.run.state) {
            (Hold::Held, _) => None,
            (Hold::Applied, _) => Some(Decision::Applied),
            (Hold::Discarded, RunState::Discarded) => Some(Decision::Discarded),
            (Hold::Open | Hold::Free | Hold::Discarded, _) => return Ok(None),
        };
        let known = number(self.known, "runs.known")?;
        Ok(Some(HeldBack { known, alike: self.alike.clone(), decision }))
    }

    fn to_recheck(&self) -> Result<u64, Fault> {
        if self.run.state == RunState::Cancelled { Ok(0) } else { number(self.rechecks, "a count of jobs") }
    }
}
