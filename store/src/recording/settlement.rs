//! What becomes of checks that proposed to hide or show their links: carried out, or dropped.

use std::collections::{BTreeMap, HashMap};

use linkbeat_shared::RunId;

use super::{RunProgress, asks_for_backlinks};
use crate::error::Fault;
use crate::rows::{ChangeRow, CheckRow, Did, Hold, LinkRow, Outcome, ProposalRow, UnsettledRunRow};
use crate::traits::{JobKind, Judge, Judged, Ruling};
use crate::values::{Id, Moment};

/// Proposals of one run on their way.
pub(crate) struct Settlement<'a> {
    run: &'a UnsettledRunRow,
    judge: &'a dyn Judge,
    now: Moment,
    checks: HashMap<Id, CheckRow>,
    links: HashMap<Id, LinkRow>,
}

/// What is to be written.
#[derive(Default)]
pub(crate) struct Settled {
    pub(crate) links: Vec<LinkRow>,
    pub(crate) changes: Vec<ChangeRow>,
    /// The links of the proposals that come to the same end: whether they are shown, and what was done.
    pub(crate) ends: BTreeMap<(bool, Did), Vec<Id>>,
    /// What is added to the counts of the run.
    pub(crate) progress: RunProgress,
}

impl<'a> Settlement<'a> {
    /// `checks` and `links`: those of the proposals, as far as they are still stored.
    pub(crate) fn new(
        run: &'a UnsettledRunRow,
        checks: Vec<CheckRow>,
        links: Vec<LinkRow>,
        now: Moment,
        judge: &'a dyn Judge,
    ) -> Self {
        let checks = checks.into_iter().map(|row| (row.link_id, row)).collect();
        let links = links.into_iter().map(|row| (row.id, row)).collect();
        Self { run, judge, now, checks, links }
    }

    /// Settles these proposals.
    pub(crate) fn settle(mut self, proposals: &[ProposalRow]) -> Result<Settled, Fault> {
        let mut settled = Settled::default();
        for proposal in proposals {
            let before = proposal.outcome()?;
            let carried_out = match self.run.hold()? {
                Hold::Free | Hold::Applied => self.carry_out(proposal, before, &mut settled)?,
                Hold::Open | Hold::Held | Hold::Discarded => None,
            };
            let end = carried_out.unwrap_or(Outcome { did: Did::Nothing, ..before });
            settled.progress.tally.settle(before, end);
            settled.progress.untold += i64::from(end.did == Did::UntoldChange);
            settled.ends.entry((end.shown, end.did)).or_default().push(proposal.link_id);
        }
        Ok(settled)
    }

    /// Judges the result again, by what its link is like by now. `None`: the link is gone, or a later run has checked it.
    fn carry_out(
        &mut self,
        proposal: &ProposalRow,
        before: Outcome,
        settled: &mut Settled,
    ) -> Result<Option<Outcome>, Fault> {
        let link = self.links.remove(&proposal.link_id).filter(|link| link.last_run_seq <= self.run.seq);
        let (Some(mut link), Some(check)) = (link, self.checks.get(&proposal.link_id)) else {
            return Ok(None);
        };
        let taken_over = check.is_reused();
        if taken_over && link.last_checked_at.is_some_and(|at| at.0 > check.checked_at.0) {
            return Ok(None);
        }
        let shown_before = link.shown;
        let judged = Judged {
            name: &link.name,
            url: &link.url_key,
            state: &link.state()?,
            pin: link.pinned()?,
            backlink_left_open: link.backlink && !asks_for_backlinks(&self.run.check_spec)?,
        };
        let result = check.result(proposal.details()?)?;
        // Where it was to be checked again, it was. What was taken over was counted by the run that found it.
        let kind = if taken_over { JobKind::Known } else { JobKind::Recheck };
        let ruling = self.judge.judge(&judged, &result, &self.run.rules()?, kind);
        let Ruling::Apply(next) = ruling else { return Ok(None) };
        let seq = if taken_over { link.last_run_seq } else { self.run.seq };
        settled.changes.extend(link.set_state(*next, RunId(self.run.id.0), seq, self.now));
        let did = if link.shown == shown_before { Did::Nothing } else { Did::UntoldChange };
        let end = Outcome { shown: link.shown, did, ..before };
        settled.links.push(link);
        Ok(Some(end))
    }
}
