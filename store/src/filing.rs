//! How a run's links become rows of jobs, page by page.

use std::collections::{HashMap, HashSet};

use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{CheckResult, LinkId, RunId};

use crate::rows::{JobRow, LinkRow, stored_count};
use crate::traits::{JobKind, PlannedJob, Planner};

/// How many links are read at a time.
pub(crate) const PAGE: usize = 2_000;

/// A run that is being filed.
pub(crate) struct Filing {
    run: RunId,
    planner: Box<dyn Planner>,
    planned: Planned,
    /// Links that were checked before, and whose job is not complete: those of a few jobs at most.
    known: HashSet<LinkId>,
    /// Links whose latest result is to count, likewise.
    reused: HashSet<LinkId>,
}

/// How many links the jobs of a run cover.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Planned {
    /// All of them.
    pub(crate) links: i64,
    /// Those that are not on the white list.
    pub(crate) to_check: i64,
    /// Those of them that were checked before.
    pub(crate) known: i64,
}

impl Filing {
    /// Begins with a run of so many links.
    pub(crate) fn begin(run: RunId, mut planner: Box<dyn Planner>, links: i64) -> Self {
        planner.begin(run, links.unsigned_abs());
        Self { run, planner, planned: Planned::default(), known: HashSet::new(), reused: HashSet::new() }
    }

    /// The jobs that are complete with these links. `fresh`: those of their results that may count instead of a new
    /// check.
    ///
    /// What is stored is canonical, so no URL is parsed here: the worker does that.
    pub(crate) fn plan(
        &mut self,
        page: Vec<LinkRow>,
        mut fresh: HashMap<LinkId, CheckResult>,
    ) -> Vec<JobRow> {
        let mut complete = Vec::new();
        for row in page {
            let LinkRow { id, name, url, page_url, backlink, verdict, .. } = row;
            if verdict.is_some() {
                self.known.insert(LinkId(id.0));
            }
            let fresh = fresh.remove(&LinkId(id.0)).filter(|_| !self.planner.is_white_listed(&name));
            if fresh.is_some() {
                self.reused.insert(LinkId(id.0));
            }
            let jobs = self.planner.add(&name, JobLinkMessage { id: id.0, url, page_url, backlink }, fresh);
            complete.extend(self.rows(jobs));
        }
        complete
    }

    /// The jobs that are left, and how many links all jobs cover.
    pub(crate) fn finish(mut self) -> (Vec<JobRow>, Planned) {
        let jobs = self.planner.finish();
        let rows = self.rows(jobs);
        (rows, self.planned)
    }

    fn rows(&mut self, jobs: Vec<PlannedJob>) -> Vec<JobRow> {
        for job in &jobs {
            self.planned.links += stored_count(job.links.len());
            for link in &job.links {
                let (known, reused) = (self.known.remove(link), self.reused.remove(link));
                // The others of a job whose results are known are on the white list.
                if job.kind != JobKind::Known || reused {
                    self.planned.to_check += 1;
                    self.planned.known += i64::from(known);
                }
            }
        }
        jobs.into_iter().map(|job| JobRow::new(self.run, job, None)).collect()
    }
}
