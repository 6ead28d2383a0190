use linkbeat_store::ListedRun;

use crate::pages::parts::{State, When, length};
use crate::pages::visit::Visit;

/// A run as a row of a list.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) href: String,
    /// The end of its id tells runs of one moment apart.
    pub(crate) short: String,
    pub(crate) state: State,
    pub(crate) begun: When,
    pub(crate) took: String,
    pub(crate) links: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) hidden: u64,
    pub(crate) shown: u64,
}

impl RunRow {
    pub(crate) fn new(v: &Visit, listed: &ListedRun) -> Self {
        let (run, counts) = (&listed.run, listed.counts);
        Self {
            href: v.to(&format!("/runs/{}", run.id)),
            short: short_id(&run.id.to_string()),
            state: State::of_run(v.t, run.state),
            begun: When(run.created_at),
            took: length(v.t, run.finished_at.unwrap_or(v.now) - run.created_at),
            links: run.links,
            done: run.done,
            failed: counts.checked.saturating_sub(counts.up),
            hidden: counts.to_not_show,
            shown: counts.to_show,
        }
    }
}

/// The last letters of an id. The first ones are the time.
pub(super) fn short_id(id: &str) -> String {
    id.chars().skip(id.len().saturating_sub(8)).collect()
}
