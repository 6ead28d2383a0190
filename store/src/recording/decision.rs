//! Decides what a batch changes, result by result. Later results see what earlier ones did.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use linkbeat_shared::{
    Change, CheckResult, Details, Link, LinkId, LinkReport, LinkState, RecheckAfter, RunState, derived_id,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{AskedJob, Stored};
use crate::error::Fault;
use crate::rows::{
    AlikeRow, ChangeRow, CheckRow, Did, Hold, JobRow, LinkRow, Outcome, ProposalRow, RemovedLinkRow, Tally,
    check_spec,
};
use crate::traits::{JobKind, Judge, Judged, Recorded, Ruling};
use crate::values::{Id, Moment};

/// What is to be written, each in the order of its ids, and what the caller is given.
pub(crate) struct RecordChanges {
    pub(crate) checks: Vec<CheckRow>,
    pub(crate) links: Vec<LinkRow>,
    pub(crate) changes: Vec<ChangeRow>,
    pub(crate) proposals: Vec<ProposalRow>,
    /// The jobs of links that are checked again.
    pub(crate) rechecks: Vec<JobRow>,
    /// How many more links of each job have a result or are left to a recheck.
    pub(crate) jobs: BTreeMap<Id, i64>,
    pub(crate) runs: BTreeMap<Id, RunProgress>,
    /// How many more links change alike.
    pub(crate) alike: Vec<AlikeRow>,
    /// The runs of which it was not clear whether they are held back.
    pub(crate) open: BTreeSet<Id>,
    pub(crate) recorded: Vec<Recorded>,
}

impl RecordChanges {
    /// The runs in which links are checked again: those that had ended incomplete have not ended.
    pub(crate) fn reopened(&self) -> Vec<Id> {
        self.runs.iter().filter(|(_, progress)| progress.rechecks > 0).map(|(id, _)| *id).collect()
    }
}

/// How far a batch brings a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunProgress {
    /// How many more of its links have a result.
    pub(crate) done: i64,
    /// How many more of its links that lack a result are in parked jobs; never above 0 here.
    pub(crate) parked: i64,
    /// How many more checks it has of each kind.
    pub(crate) tally: Tally,
    /// How many more of its changes are to be told.
    pub(crate) untold: i64,
    /// How many more of its links are left to a recheck.
    pub(crate) rechecks: i64,
}

impl RunProgress {
    /// What is added to the run of this id, each under the name of its column.
    pub(crate) fn json(&self, id: Id) -> Value {
        #[derive(Serialize)]
        struct More {
            id: Id,
            done: i64,
            parked: i64,
            untold: i64,
            #[serde(flatten)]
            tally: Tally,
        }
        json!(More { id, done: self.done, parked: self.parked, untold: self.untold, tally: self.tally })
    }
}

/// A batch on its way: later results see what earlier ones did.
pub(super) struct Decision<'a> {
    judge: &'a dyn Judge,
    now: Moment,
    links: HashMap<Id, LinkRow>,
    removed: HashMap<Id, RemovedLinkRow>,
    checks: HashMap<(Id, Id), CheckRow>,
    fresh: BTreeSet<(Id, Id)>,
    touched: BTreeSet<Id>,
    changes: Vec<ChangeRow>,
    proposals: Vec<ProposalRow>,
    rechecks: BTreeMap<Id, JobRow>,
    /// Rechecks that there are, now and before.
    known_rechecks: HashSet<Id>,
    jobs: BTreeMap<Id, i64>,
    runs: BTreeMap<Id, RunProgress>,
    /// By run, change and type of reason.
    alike: BTreeMap<(Id, &'static str, &'static str), i64>,
    open: BTreeSet<Id>,
}

/// What a result does to a link.
enum Effect {
    /// The result is kept as the link's check, with these details.
    Checked(Outcome, Details),
    /// The link is checked again.
    CheckAgain(Box<Link>, RecheckAfter),
}

impl<'a> Decision<'a> {
    pub(super) fn new(stored: Stored, now: Moment, judge: &'a dyn Judge) -> Self {
        Self {
            judge,
            now,
            links: stored.links.into_iter().map(|row| (row.id, row)).collect(),
            removed: stored.removed.into_iter().map(|row| (row.id, row)).collect(),
            checks: stored.checks.into_iter().map(|row| ((row.run_id, row.link_id), row)).collect(),
            fresh: BTreeSet::new(),
            touched: BTreeSet::new(),
            changes: Vec::new(),
            proposals: Vec::new(),
            rechecks: BTreeMap::new(),
            known_rechecks: stored.rechecks.into_iter().collect(),
            jobs: BTreeMap::new(),
            runs: BTreeMap::new(),
            alike: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }

    /// Takes one result. Gives the link as its check is stored, if the check hid or showed it.
    pub(super) fn record(
        &mut self,
        job: &AskedJob,
        result: &CheckResult,
    ) -> Result<Option<LinkReport>, Fault> {
        let pair = (Id(job.run.0), Id(result.link_id.0));
        if self.checks.contains_key(&pair) {
            return self.reported(pair);
        }
        let recheck = Id(derived_id::recheck_job(job.run, result.link_id).0);
        if job.may_check_again() && self.known_rechecks.contains(&recheck) {
            return Ok(None);
        }
        // A worker's clock may be wrong, but no check ended before its run began or after now.
        let earliest = if job.takes_over(result) { result.checked_at } else { job.run_created_at };
        let checked_at = result.checked_at.min(self.now.0).max(earliest);
        let result = CheckResult { checked_at, ..result.clone() };
        match self.effect(job, &result)? {
            Effect::Checked(outcome, details) => {
                let result = CheckResult { details, ..result };
                self.checks.insert(pair, CheckRow::new(job.run, &result, outcome));
                self.fresh.insert(pair);
                let run = self.progress(job);
                run.done += 1;
                run.tally.count(outcome);
                self.reported(pair)
            }
            Effect::CheckAgain(link, after) => {
                self.check_again(job, &link, after)?;
                self.progress(job).rechecks += 1;
                Ok(None)
            }
        }
    }

    /// One more link of this job is settled; what that means to its run.
    fn progress(&mut self, job: &AskedJob) -> &mut RunProgress {
        *self.jobs.entry(job.id).or_default() += 1;
        if job.hold == Hold::Open {
            self.open.insert(Id(job.run.0));
        }
        let run = self.runs.entry(Id(job.run.0)).or_default();
        run.parked -= i64::from(job.parked);
        run
    }

    fn effect(&mut self, job: &AskedJob, result: &CheckResult) -> Result<Effect, Fault> {
        let link_id = Id(result.link_id.0);
        let verdict = result.verdict;
        let Some(link) = self.links.get_mut(&link_id) else {
            self.removed.get(&link_id).ok_or_else(|| unknown(link_id))?;
            let reused = job.takes_over(result);
            let outcome = Outcome { verdict, shown: false, did: Did::Nothing, reused };
            return Ok(Effect::Checked(outcome, result.details.clone()));
        };
        let shown_before = link.shown;
        let mut details = result.details.clone();
        let over = matches!(job.run_state, RunState::Cancelled | RunState::Discarded);
        let latest = link.last_checked_at.map(|at| at.0.timestamp_micros());
        let found = result.checked_at.timestamp_micros();
        // What was taken over may be older by now than what another run has found.
        let taken_over = job.takes_over(result);
        let outdated = taken_over && latest.is_some_and(|latest| latest > found);
        // Runs that wanted the same check at the same moment have one result.
        let reused = taken_over || (verdict.is_some() && latest == Some(found));
        // A second look that other runs share is a second look.
        let kind = if reused && job.kind != JobKind::Recheck { JobKind::Known } else { job.kind };
        // Neither a run that is over nor one that was filed earlier touches the link.
        if !over && !outdated && link.last_run_seq <= job.run_seq {
            let judged = Judged {
                name: &link.name,
                url: &link.url_key,
                state: &link.state()?,
                pin: link.pinned()?,
                backlink_left_open: link.backlink && !job.asks_for_backlinks,
            };
            match self.judge.judge(&judged, result, &job.rules, kind) {
                Ruling::CheckAgain(after) => {
                    return Ok(Effect::CheckAgain(Box::new(link.clone().try_into()?), after));
                }
                Ruling::Apply(next) => {
                    if job.proposes(result) && next.shown != link.shown {
                        if link.verdict.is_some() {
                            *self.alike.entry(alike(job, &next)).or_default() += 1;
                        }
                        let outcome = Outcome { verdict, shown: link.shown, did: Did::Propose, reused };
                        let proposal = ProposalRow::new(
                            Id(job.run.0),
                            link_id,
                            Outcome { reused: false, ..outcome },
                            next.details.clone(),
                        );
                        self.proposals.push(proposal);
                        return Ok(Effect::Checked(outcome, next.details));
                    }
                    let at = Moment(result.checked_at.max(job.run_created_at));
                    // A link that was not fetched keeps its details; its check has none.
                    if verdict.is_some() {
                        details.clone_from(&next.details);
                    }
                    // What is taken over is no newer check. An earlier run may still come with one.
                    let seq = if taken_over { link.last_run_seq } else { job.run_seq };
                    self.changes.extend(link.set_state(*next, job.run, seq, at));
                    self.touched.insert(link_id);
                }
            }
        }
        let did = if link.shown == shown_before { Did::Nothing } else { Did::Change };
        let outcome = Outcome { verdict, shown: link.shown, did, reused };
        Ok(Effect::Checked(outcome, details))
    }

    /// Files the job that checks the link again, as the link is by now.
    fn check_again(&mut self, job: &AskedJob, link: &Link, after: RecheckAfter) -> Result<(), Fault> {
        let planned = self.judge.plan_recheck(job.run, link, &check_spec(&job.check_spec)?);
        let id = Id(planned.id.0);
        let due_at = Moment(self.now.0 + after.duration());
        self.rechecks.insert(id, JobRow::new(job.run, planned, Some(due_at)));
        self.known_rechecks.insert(id);
        Ok(())
    }

    /// The link of a stored check, if the check hid or showed it.
    fn reported(&self, pair: (Id, Id)) -> Result<Option<LinkReport>, Fault> {
        let Some(check) = self.checks.get(&pair) else { return Ok(None) };
        if check.outcome()?.change().is_none() {
            return Ok(None);
        }
        let (name, url) = match (self.links.get(&pair.1), self.removed.get(&pair.1)) {
            (Some(link), _) => (&link.name, &link.url_key),
            (None, Some(removed)) => (&removed.name, &removed.url),
            (None, None) => return Err(unknown(pair.1)),
        };
        check.clone().report(name, url.clone()).map(Some)
    }

    pub(super) fn changes(mut self, recorded: Vec<Recorded>) -> RecordChanges {
        RecordChanges {
            checks: self.fresh.iter().filter_map(|pair| self.checks.remove(pair)).collect(),
            links: self.touched.iter().filter_map(|id| self.links.remove(id)).collect(),
            changes: self.changes,
            proposals: self.proposals,
            rechecks: self.rechecks.into_values().collect(),
            jobs: self.jobs,
            runs: self.runs,
            alike: self.alike.into_iter().map(alike_row).collect(),
            open: self.open,
            recorded,
        }
    }
}

/// In which way a link changes, and for what type of reason.
fn alike(job: &AskedJob, next: &LinkState) -> (Id, &'static str, &'static str) {
    let change = if next.shown { Change::Shown } else { Change::Hidden };
    let reason = next.hidden_reason.as_ref().map_or("", |reason| reason.type_word());
    (Id(job.run.0), change.as_str(), reason)
}

fn alike_row(((run_id, change, reason_type), links): ((Id, &str, &str), i64)) -> AlikeRow {
    AlikeRow { run_id, change: change.to_owned(), reason_type: reason_type.to_owned(), links }
}

fn unknown(link: Id) -> Fault {
    Fault::Corrupt(format!("the link {} is neither in links nor in removed_links", LinkId(link.0)))
}
