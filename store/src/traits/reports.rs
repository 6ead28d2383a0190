use std::fmt::Debug;

use async_trait::async_trait;
use linkbeat_shared::{Change, LinkId, LinkReport, RunId, RunSummary, Verdict};

use crate::Result;

/// Reads what a run amounted to. A run of a million links never lies in memory whole.
///
/// A report is read in several steps: the summary first, then the links. The result of a link in a run is stored
/// once and never changes. So the steps agree for a run that is finished. A run of any other state may get more
/// results in between; then its links can be more than its summary counts.
#[async_trait]
pub trait Reports: Send + Sync + Debug {
    /// A run in numbers; `None` if there is no such run.
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>>;

    /// Links of a run that have a result, in the order of their ids: those after `after`, at most `limit`. Each has
    /// the name that it has now, or had when it was removed.
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
