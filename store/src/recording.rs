//! What results change: decided here once, carried out by each database.
//!
//! The order of the steps is the same in both: lock the jobs ([`Batch::job_ids`]), take what was asked
//! for ([`Batch::asked`]), lock its links and read what is stored of it, decide ([`Asked::decide`]), write.
//! Whoever holds a job's row is the only one to record its results, so the counts come out exact.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use linkbeat_shared::{Change, CheckResult, LinkId, LinkReport, RunId, RunState, ShowRules};
use uuid::Uuid;

use crate::error::Fault;
use crate::rows::{CheckRow, LinkRow, RecordedJobRow, RemovedLinkRow, details_document};
use crate::values::{Document, Id, Moment};
use crate::{JobResults, Recorded, Rule};

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
    rules: ShowRules,
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
}

/// What is to be written, each in the order of its ids, and what the caller is told.
pub(crate) struct RecordChanges {
    pub(crate) checks: Vec<CheckRow>,
    pub(crate) links: Vec<LinkRow>,
    /// How many more links of each job have a result.
    pub(crate) jobs: BTreeMap<Id, i64>,
    /// How many more links of each run have a result.
    pub(crate) runs: BTreeMap<Id, i64>,
    pub(crate) recorded: Vec<Recorded>,
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
                        .map(|r| decision.record(&job, r))
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
        })
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
    jobs: BTreeMap<Id, i64>,
    runs: BTreeMap<Id, i64>,
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
            jobs: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    fn record(&mut self, job: &AskedJob, result: &CheckResult) -> Result<LinkReport, Fault> {
        let run = Id(job.run.0);
        let pair = (run, Id(result.link_id.0));
        if let Some(stored) = self.checks.get(&pair) {
            return stored.clone().try_into();
        }
        // A worker's clock may be wrong, but no check ended before its run began or after now.
        let checked_at = result.checked_at.min(self.now).max(job.run_created_at);
        let check = self.check(job, &CheckResult { checked_at, ..result.clone() })?;
        self.checks.insert(pair, check.clone());
        self.fresh.insert(pair);
        *self.jobs.entry(job.id).or_default() += 1;
        *self.runs.entry(run).or_default() += 1;
        check.try_into()
    }

    fn check(&mut self, job: &AskedJob, result: &CheckResult) -> Result<CheckRow, Fault> {
        let link_id = Id(result.link_id.0);
        let (name, url, change, shown) = match self.links.get_mut(&link_id) {
            Some(link) => {
                let change = if job.run_state == RunState::Cancelled || link.last_run_seq > job.run_seq {
                    None
                } else {
                    self.changed.insert(link_id);
                    apply(link, job, result, self.rule)?
                };
                (link.name.clone(), link.url_key.clone(), change, link.shown)
            }
            None => {
                let link = self.removed.get(&link_id).ok_or_else(|| unknown(result.link_id))?;
                (link.name.clone(), link.url.clone(), None, false)
            }
        };
        Ok(CheckRow {
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
        })
    }

    fn changes(mut self, recorded: Vec<Recorded>) -> RecordChanges {
        RecordChanges {
            checks: self.fresh.iter().filter_map(|pair| self.checks.remove(pair)).collect(),
            links: self.changed.iter().filter_map(|id| self.links.remove(id)).collect(),
            jobs: self.jobs,
            runs: self.runs,
            recorded,
        }
    }
}

/// Lets the rule decide on the link's next state.
fn apply(
    link: &mut LinkRow,
    job: &AskedJob,
    result: &CheckResult,
    rule: Rule,
) -> Result<Option<Change>, Fault> {
    let next = rule(&link.state()?, result, &job.rules);
    let change = match (link.shown, next.shown) {
        (true, false) => Some(Change::Hidden),
        (false, true) => Some(Change::Shown),
        _ => None,
    };
    link.set_state(next, job.run, job.run_seq);
    Ok(change)
}

fn unknown(link: LinkId) -> Fault {
    Fault::Corrupt(format!("the link {link} is neither in links nor in removed_links"))
}
