//! What results change: decided here once, carried out by each database.
//!
//! The order of the steps is the same in both: lock the jobs ([`Batch::job_ids`]), take what was asked
//! for ([`Batch::asked`]), lock its links and read what is stored of it, decide ([`Asked::decide`]), write.
//! Whoever holds a job's row is the only one to record its results, so the counts come out exact.
//!
//! A link that is checked again gets a job of its own, whose id is made from run and link. If that job is there, the
//! first result came, and from then on only that job's result counts.

mod decision;
mod settlement;

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use linkbeat_shared::{CheckResult, RequestId, RunId, RunState, ShowRules, derived_id};
use uuid::Uuid;

use crate::error::Fault;
use crate::rows::{CheckRow, Hold, LinkRow, RecordedJobRow, RemovedLinkRow};
use crate::traits::{JobKind, JobResults, Judge, Next, Recorded};
use crate::values::{Id, Moment};

use decision::Decision;
pub(crate) use decision::{RecordChanges, RunProgress};
pub(crate) use settlement::{Settled, Settlement};

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
    kind: JobKind,
    parked: bool,
    run: RunId,
    request: RequestId,
    run_seq: i64,
    run_state: RunState,
    hold: Hold,
    run_created_at: DateTime<Utc>,
    /// As stored: it is read only where a link is checked again.
    check_spec: String,
    asks_for_backlinks: bool,
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
    /// Which of the [`Asked::recheck_ids`] are there.
    pub(crate) rechecks: Vec<Id>,
    /// The runs whose checks were dropped, so that none can be added.
    pub(crate) dropped: Vec<Id>,
}

/// What a database reads for a batch at once.
pub(crate) struct Read {
    pub(crate) links: Vec<LinkRow>,
    pub(crate) checks: Vec<CheckRow>,
    pub(crate) dropped: Vec<Id>,
    pub(crate) now: Moment,
}

/// What came of writing a batch.
pub(crate) struct Written {
    /// How many checks were new.
    pub(crate) checks: usize,
    pub(crate) runs: Counted,
}

/// Of the runs whose counts were added to.
pub(crate) struct Counted {
    /// Those that lack no result now.
    pub(crate) complete: Vec<Id>,
    /// Those whose checks are in rollups, or are being added.
    pub(crate) begun: Vec<Id>,
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

    /// The runs of all results.
    pub(crate) fn run_ids(&self) -> BTreeSet<Id> {
        self.entries.iter().flatten().map(|(job, _)| Id(job.run.0)).collect()
    }

    /// The links of all results.
    pub(crate) fn link_ids(&self) -> BTreeSet<Id> {
        self.pairs().into_iter().map(|(_, link)| link).collect()
    }

    /// The jobs that would check a link of these results again, where their run may ask for that.
    pub(crate) fn recheck_ids(&self) -> BTreeSet<Id> {
        let first_results = self.entries.iter().flatten().filter(|(job, _)| job.may_check_again());
        first_results
            .flat_map(|(job, entry)| {
                entry.results.iter().map(|r| Id(derived_id::recheck_job(job.run, r.link_id).0))
            })
            .collect()
    }

    /// Has `judge` decide about the results that are not stored yet.
    pub(crate) fn decide(
        self,
        stored: Stored,
        now: Moment,
        judge: &dyn Judge,
    ) -> Result<RecordChanges, Fault> {
        let dropped: HashSet<Id> = stored.dropped.iter().copied().collect();
        let mut decision = Decision::new(stored, now, judge);
        let mut recorded = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            recorded.push(match entry {
                None => Recorded::NotAskedFor,
                Some((job, _)) if dropped.contains(&Id(job.run.0)) => Recorded::HistoryDropped,
                Some((job, entry)) => Recorded::Stored {
                    run_id: job.run,
                    request_id: job.request,
                    next: job.next(),
                    changed: entry
                        .results
                        .iter()
                        .filter_map(|result| decision.record(&job, result).transpose())
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
            kind: row.kind()?,
            parked: row.parked(),
            run: RunId(row.run_id.0),
            request: RequestId(row.request_id.0),
            run_seq: row.run_seq,
            run_state: row.run_state()?,
            hold: row.hold()?,
            run_created_at: row.run_created_at.0,
            rules: row.rules()?,
            asks_for_backlinks: asks_for_backlinks(&row.check_spec)?,
            check_spec: row.check_spec,
        })
    }
}

/// Whether a stored [`linkbeat_shared::CheckSpec`] has a backlink. The pattern is not compiled for it.
fn asks_for_backlinks(check_spec: &str) -> Result<bool, Fault> {
    #[derive(serde::Deserialize)]
    struct Asked {
        #[serde(default)]
        backlink: Option<serde::de::IgnoredAny>,
    }
    let asked: Asked = serde_json::from_str(check_spec)
        .map_err(|error| Fault::Corrupt(format!("runs.check_spec: {error}")))?;
    Ok(asked.backlink.is_some())
}

impl AskedJob {
    /// Whether this result only proposes to hide or show its link. The white list is a person's word.
    fn proposes(&self, result: &CheckResult) -> bool {
        matches!(self.hold, Hold::Open | Hold::Held) && result.verdict.is_some()
    }

    /// Whether this is the result of an earlier check. Of those whose results are known, links of the white list have no
    /// verdict.
    fn takes_over(&self, result: &CheckResult) -> bool {
        self.kind == JobKind::Known && result.verdict.is_some()
    }

    /// What is to be done about the run while results lack.
    fn next(&self) -> Next {
        let goes_on = self.run_state == RunState::Running && self.hold == Hold::Free;
        if goes_on { Next::Nothing } else { Next::Look }
    }

    /// Whether the judge may ask that a link of this job is checked again.
    fn may_check_again(&self) -> bool {
        self.kind != JobKind::Recheck && self.rules.recheck_after.is_some()
    }
}
