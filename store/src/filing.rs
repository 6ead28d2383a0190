//! How a run's links become rows of jobs, page by page.

use linkbeat_shared::RunId;
use linkbeat_shared::wire::JobLinkMessage;

use crate::rows::{JobRow, LinkRow, stored_count};
use crate::{PlannedJob, Planner};

/// How many links are read at a time.
pub(crate) const PAGE: usize = 2_000;

/// A run that is being filed.
pub(crate) struct Filing {
    run: RunId,
    planner: Box<dyn Planner>,
    planned: i64,
}

impl Filing {
    /// Begins with a run of so many links.
    pub(crate) fn begin(run: RunId, mut planner: Box<dyn Planner>, links: i64) -> Self {
        planner.begin(run, links.unsigned_abs());
        Self { run, planner, planned: 0 }
    }

    /// The jobs that are complete with these links.
    ///
    /// What is stored is canonical, so no URL is parsed here: the worker does that.
    pub(crate) fn plan(&mut self, page: Vec<LinkRow>) -> Vec<JobRow> {
        let mut complete = Vec::new();
        for row in page {
            let LinkRow { id, name, url, page_url, backlink, .. } = row;
            let jobs = self.planner.add(&name, JobLinkMessage { id: id.0, url, page_url, backlink });
            complete.extend(self.rows(jobs));
        }
        complete
    }

    /// The jobs that are left, and how many links all jobs cover.
    pub(crate) fn finish(mut self) -> (Vec<JobRow>, i64) {
        let jobs = self.planner.finish();
        let rows = self.rows(jobs);
        (rows, self.planned)
    }

    fn rows(&mut self, jobs: Vec<PlannedJob>) -> Vec<JobRow> {
        self.planned += stored_count(jobs.iter().map(|job| job.links.len()).sum());
        jobs.into_iter().map(|job| JobRow::new(self.run, job, None)).collect()
    }
}
