//! Reports: a run's summary, and its links page by page.

use async_trait::async_trait;
use linkbeat_shared::{Change, Counts, LinkId, LinkReport, Run, RunId, RunState, RunSummary, Verdict};

use crate::Result;
use crate::error::Fault;
use crate::rows::{change, number, verdict};

/// Reads what a run amounted to. A run of a million links never lies in memory whole.
///
/// A report is read in several steps: the summary first, then the links. The result of a link in a run is stored
/// once and never changes. So the steps agree for a run that is finished. A run of any other state may get more
/// results in between; then its links can be more than its summary counts.
#[async_trait]
pub trait Reports: Send + Sync {
    /// A run in numbers; `None` if there is no such run.
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>>;

    /// Links of a run that have a result, in the order of their ids: those after `after`, at most `limit`.
    async fn report_links(
        &self,
        run: RunId,
        which: ReportLinks,
        after: Option<LinkId>,
        limit: u32,
    ) -> Result<Vec<LinkReport>>;
}

/// Which links of a run to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportLinks {
    /// All.
    All,
    /// Those that changed or are not `up`.
    ChangedOrFailed,
    /// Those with exactly this change and this verdict.
    Of {
        /// What the run did to the link.
        change: Option<Change>,
        /// The judgement; `None`: on the white list.
        verdict: Option<Verdict>,
    },
}

/// A run with its checks in numbers.
pub(crate) struct Tallies {
    pub(crate) run: Run,
    /// How many checks have each verdict and change.
    pub(crate) by_kind: Vec<(Option<String>, Option<String>, i64)>,
    /// How many links each of its white-listed jobs covers.
    pub(crate) white_listed: Vec<i64>,
    /// How many of its links wait to be looked at again.
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
            counts: self.counts()?,
        })
    }

    fn counts(&self) -> Result<Counts, Fault> {
        let white_listed: u64 = number(self.white_listed.iter().sum::<i64>(), "jobs.links_count")?;
        let mut counts = Counts { active: self.run.links.saturating_sub(white_listed), ..Counts::default() };
        for (verdict_word, change_word, links) in &self.by_kind {
            let (verdict, change) = (verdict(verdict_word.as_deref())?, change(change_word.as_deref())?);
            counts.add(verdict, change, number(*links, "a count of checks")?);
        }
        Ok(counts)
    }

    fn to_recheck(&self) -> Result<u64, Fault> {
        if self.run.state == RunState::Cancelled { Ok(0) } else { number(self.rechecks, "a count of jobs") }
    }
}
