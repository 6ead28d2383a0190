//! What results change: decided here once, carried out by each database.
//!
//! The order of the steps is the same in both: lock the jobs ([`Batch::job_ids`]), take what was asked
//! for ([`Batch::asked`]), lock its links and read what is stored of it, decide ([`Asked::decide`]), write.
//! Whoever holds a job's row is the only one to record its results, so the counts come out exact.
//!
//! A link that is looked at again first gets a job of its own, whose id is made from run and link: that job's
//! presence tells that the first result came, and from then on only that job's result counts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use linkbeat_shared::wire::{self, JobMessage};
use linkbeat_shared::{
    Change, CheckResult, Job, JobId, JobLink, Link, LinkId, LinkReport, LinkState, RecheckAfter, RunId,
    RunState, ShowRules,
};
use uuid::Uuid;

use crate::error::Fault;
use crate::rows::{CheckRow, JobRow, LinkRow, RecordedJobRow, RemovedLinkRow, check_spec, details_document};
use crate::values::{Document, Id, Moment};
use crate::{JobKind, JobResults, PlannedJob, Recorded, Rule, Ruling};

/// Results as they came, of any jobs.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a>(pub(crate) &'a [JobResults]);

/// Those results that a job asked for; `None` stands for an entry that none did.
pub(crate) struct Asked<'a> {
    entries: Vec<Option<(AskedJob, &'a JobResults)>>,
}

/// What a job says about its results.
#[derive(Clone)]
struct AskedJob {
    id: Id,
    run: RunId,
    run_seq: i64,
    run_state: RunState,
    run_created_at: DateTime<Utc>,
    /// As stored: it is read only where a link is looked at again.
    check_spec: String,
    rules: ShowRules,
    parked: bool,
    recheck: bool,
}

/// What the database holds of the links and checks that [`Asked`] names.
#[derive(Default)]
pub(crate) struct Stored {
    /// The links that are still there.
    pub(crate) links: Vec<LinkRow>,
    /// Those that are not.
    pub(crate) removed: Vec<RemovedLinkRow>,
    /// The checks that were recorded before.
    pub(crate) checks: Vec<CheckRow>,
    /// Which of the [`Asked::recheck_ids`] are there.
    pub(crate) rechecks: Vec<Id>,
}

/// What is to be written, each in the order of its ids, and what the caller is told.
pub(crate) struct RecordChanges {
    pub(crate) checks: Vec<CheckRow>,
    pub(crate) links: Vec<LinkRow>,
    /// The jobs of links that are looked at again.
    pub(crate) rechecks: Vec<JobRow>,
    /// How many more links of each job have a result or are left to a recheck.
    pub(crate) jobs: BTreeMap<Id, i64>,
    pub(crate) runs: BTreeMap<Id, RunProgress>,
    pub(crate) recorded: Vec<Recorded>,
}

impl RecordChanges {
    /// The runs in which links are looked at again: those that had ended incomplete have not ended.
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
    /// How many more of its links are left to a recheck.
    rechecks: i64,
}

impl<'a> Batch<'a> {
    /// The jobs that the batch names.
    pub(crate) fn job_ids(&self) -> BTreeSet<Id> {
        self.0.iter().map(|entry| Id(entry.job_id.0)).collect()
    }

    /// Sorts out what these jobs did not ask for.
    pub(crate) fn asked(self, jobs: Vec<RecordedJobRow>) -> Result<Asked<'a>, Fault> {
        let mut known = HashMap::with_capacity(jobs.len());
        for row in jobs {
            let links: HashSet<Uuid> = row.links.0.iter().copied().collect();
            known.insert(row.id.0, (AskedJob::try_from(row)?, links));
        }
        let entries = self.0.iter().map(|entry| {
            let (job, links) = known.get(&entry.job_id.0)?;
            let asked = job.run == entry.run_id && entry.results.iter().all(|r| links.contains(&r.link_id.0));
            asked.then(|| (job.clone(), entry))
        });
        Ok(Asked { entries: entries.collect() })
    }
}

impl Asked<'_> {
    /// The (run, link) pairs of all results.
    pub(crate) fn pairs(&self) -> BTreeSet<(Id, Id)> {
        let entries = self.entries.iter().flatten();
        entries
            .flat_map(|(job, entry)| entry.results.iter().map(|r| (Id(job.run.0), Id(r.link_id.0))))
            .collect()
    }

    /// The links of all results.
    pub(crate) fn link_ids(&self) -> BTreeSet<Id> {
        self.pairs().into_iter().map(|(_, link)| link).collect()
    }

    /// The jobs that would look again at a link of these results, where their run asks for that.
    pub(crate) fn recheck_ids(&self) -> BTreeSet<Id> {
        let first_looks = self.entries.iter().flatten().filter(|(job, _)| job.looks_again());
        first_looks
            .flat_map(|(job, entry)| entry.results.iter().map(|r| recheck_id(job.run, r.link_id)))
            .collect()
    }

    /// Applies `rule` to the results that are not stored yet.
    pub(crate) fn decide(self, stored: Stored, now: Moment, rule: Rule) -> Result<RecordChanges, Fault> {
        let mut decision = Decision::new(stored, now.0, rule);
        let mut recorded = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            recorded.push(match entry {
                None => Recorded::NotAskedFor,
                Some((job, entry)) => Recorded::Stored {
                    run_id: job.run,
                    links: entry
                        .results
                        .iter()
                        .filter_map(|r| decision.record(&job, r).transpose())
                        .collect::<Result<_, _>>()?,
                },
            });
        }
        Ok(decision.changes(recorded))
    }
}

impl TryFrom<RecordedJobRow> for AskedJob {
    type Error = Fault;

    fn try_from(row: RecordedJobRow) -> Result<Self, Fault> {
        Ok(Self {
            id: row.id,
            run: RunId(row.run_id.0),
            run_seq: row.run_seq,
            run_state: row.run_state()?,
            run_created_at: row.run_created_at.0,
            rules: row.rules()?,
            parked: row.parked(),
            recheck: row.recheck(),
            check_spec: row.check_spec,
        })
    }
}

impl AskedJob {
    /// Whether a link of this job may be looked at again before it is hidden.
    fn looks_again(&self) -> bool {
        !self.recheck && self.rules.recheck_after.is_some()
    }

    /// The rules by which its results are judged: a second look decides.
    fn rules(&self) -> ShowRules {
        ShowRules { recheck_after: self.rules.recheck_after.filter(|_| !self.recheck), ..self.rules }
    }
}

/// A batch on its way: later results see what earlier ones did.
struct Decision {
    rule: Rule,
    now: DateTime<Utc>,
    links: HashMap<Id, LinkRow>,
    removed: HashMap<Id, RemovedLinkRow>,
    checks: HashMap<(Id, Id), CheckRow>,
    fresh: BTreeSet<(Id, Id)>,
    changed: BTreeSet<Id>,
    rechecks: BTreeMap<Id, JobRow>,
    /// Rechecks that there are, now and before.
    known_rechecks: HashSet<Id>,
    jobs: BTreeMap<Id, i64>,
    runs: BTreeMap<Id, RunProgress>,
}

/// What a result does to a link.
enum Effect {
    /// It is kept as the link's check.
    Checked(CheckRow),
    /// The link is looked at again.
    LookAgain(Link, RecheckAfter),
}

impl Decision {
    fn new(stored: Stored, now: DateTime<Utc>, rule: Rule) -> Self {
        Self {
            rule,
            now,
            links: stored.links.into_iter().map(|row| (row.id, row)).collect(),
            removed: stored.removed.into_iter().map(|row| (row.id, row)).collect(),
            checks: stored.checks.into_iter().map(|row| ((row.run_id, row.link_id), row)).collect(),
            fresh: BTreeSet::new(),
            changed: BTreeSet::new(),
            rechecks: BTreeMap::new(),
            known_rechecks: stored.rechecks.into_iter().collect(),
            jobs: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    /// The check as it is stored; `None`: a recheck decides.
    fn record(&mut self, job: &AskedJob, result: &CheckResult) -> Result<Option<LinkReport>, Fault> {
        let run = Id(job.run.0);
        let pair = (run, Id(result.link_id.0));
        if let Some(stored) = self.checks.get(&pair) {
            return stored.clone().try_into().map(Some);
        }
        if job.looks_again() && self.known_rechecks.contains(&recheck_id(job.run, result.link_id)) {
            return Ok(None);
        }
        // A worker's clock may be wrong, but no check ended before its run began or after now.
        let checked_at = result.checked_at.min(self.now).max(job.run_created_at);
        match self.effect(job, &CheckResult { checked_at, ..result.clone() })? {
            Effect::Checked(check) => {
                self.checks.insert(pair, check.clone());
                self.fresh.insert(pair);
                self.progress(job).done += 1;
                check.try_into().map(Some)
            }
            Effect::LookAgain(link, after) => {
                self.look_again(job, link, after)?;
                self.progress(job).rechecks += 1;
                Ok(None)
            }
        }
    }

    /// One more link of this job is settled; what that means to its run.
    fn progress(&mut self, job: &AskedJob) -> &mut RunProgress {
        *self.jobs.entry(job.id).or_default() += 1;
        let run = self.runs.entry(Id(job.run.0)).or_default();
        run.parked -= i64::from(job.parked);
        run
    }

    fn effect(&mut self, job: &AskedJob, result: &CheckResult) -> Result<Effect, Fault> {
        let link_id = Id(result.link_id.0);
        let (name, url, change, shown) = match self.links.get_mut(&link_id) {
            Some(link) => {
                let change = if job.run_state == RunState::Cancelled || link.last_run_seq > job.run_seq {
                    None
                } else {
                    match (self.rule)(&link.state()?, result, &job.rules()) {
                        Ruling::LookAgain(after) => {
                            return Ok(Effect::LookAgain(link.clone().try_into()?, after));
                        }
                        Ruling::Apply(next) => {
                            self.changed.insert(link_id);
                            apply(link, job, next)
                        }
                    }
                };
                (link.name.clone(), link.url_key.clone(), change, link.shown)
            }
            None => {
                let link = self.removed.get(&link_id).ok_or_else(|| unknown(result.link_id))?;
                (link.name.clone(), link.url.clone(), None, false)
            }
        };
        Ok(Effect::Checked(CheckRow {
            run_id: Id(job.run.0),
            link_id,
            job_id: job.id,
            name,
            url,
            verdict: result.verdict.map(|verdict| verdict.as_str().to_owned()),
            reason: result.reason.as_ref().map(Document::of),
            status: result.status.map(i32::from),
            elapsed_ms: result.verdict.is_some().then_some(result.elapsed_ms.into()),
            details: details_document(result.details.clone()),
            checked_at: Moment(result.checked_at),
            change: change.map(|change| change.as_str().to_owned()),
            shown,
        }))
    }

    /// Files the job of the second look, as the link is by now.
    fn look_again(&mut self, asked: &AskedJob, link: Link, after: RecheckAfter) -> Result<(), Fault> {
        let id = recheck_id(asked.run, link.id);
        let job = Job {
            id: JobId(id.0),
            run_id: asked.run,
            check: check_spec(&asked.check_spec)?,
            links: vec![JobLink {
                id: link.id,
                url: link.url,
                page_url: link.page_url,
                backlink: link.backlink,
            }],
        };
        let planned = PlannedJob {
            id: job.id,
            kind: JobKind::Recheck,
            links: vec![link.id],
            body: wire::encode(&JobMessage::from(&job)),
        };
        let due_at = Moment(self.now + after.duration());
        self.rechecks.insert(id, JobRow::new(asked.run, planned, Some(due_at)));
        self.known_rechecks.insert(id);
        Ok(())
    }

    fn changes(mut self, recorded: Vec<Recorded>) -> RecordChanges {
        RecordChanges {
            checks: self.fresh.iter().filter_map(|pair| self.checks.remove(pair)).collect(),
            links: self.changed.iter().filter_map(|id| self.links.remove(id)).collect(),
            rechecks: self.rechecks.into_values().collect(),
            jobs: self.jobs,
            runs: self.runs,
            recorded,
        }
    }
}

/// Takes over the link's next state.
fn apply(link: &mut LinkRow, job: &AskedJob, next: LinkState) -> Option<Change> {
    let change = match (link.shown, next.shown) {
        (true, false) => Some(Change::Hidden),
        (false, true) => Some(Change::Shown),
        _ => None,
    };
    link.set_state(next, job.run, job.run_seq);
    change
}

/// The job that looks again at a link of a run: there is one at most.
fn recheck_id(run: RunId, link: LinkId) -> Id {
    Id(Uuid::new_v5(&run.0, link.0.as_bytes()))
}

fn unknown(link: LinkId) -> Fault {
    Fault::Corrupt(format!("the link {link} is neither in links nor in removed_links"))
}
