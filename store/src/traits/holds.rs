use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use linkbeat_shared::{Decision, LinkId, LinkReport, RequestId, RunId, RunState, TraceContext};

use super::Judge;
use crate::Result;

/// Runs that are held back, and what becomes of what they propose.
///
/// As long as most links of a run may change alike, its results only propose to hide and show links
/// ([`linkbeat_shared::HoldBack`]). It becomes clear with some result, or when the run is closed. Then the proposals are
/// carried out in pages, or they wait for a person.
#[async_trait]
pub trait Holds: Send + Sync + Debug {
    /// Keeps what a person decides about a run that is held back, or that is incomplete so that it is not clear whether
    /// it is. `None` if there is no such run. [`Holds::settle`] carries it out, and then an applied run is closed anew.
    async fn decide_run(&self, run: RunId, decision: Decision) -> Result<Option<Decided>>;

    /// Carries out, or drops, at most `limit` proposals of one run about which that is clear; with `only`, of that run.
    /// Returns whether there were any.
    ///
    /// `judge` judges each result again, by what its link is like now. A link that a later run has checked stays as it
    /// is. A change is among the [`Holds::untold_changes`] then.
    async fn settle(&self, only: Option<RunId>, limit: u32, judge: Arc<dyn Judge>) -> Result<bool>;

    /// Changes that were proposed first and carried out by now, and whose events are to be published: of one run, at most
    /// `limit`; with `only`, of that run.
    async fn untold_changes(&self, only: Option<RunId>, limit: u32) -> Result<Option<Untold>>;

    /// Keeps that the events of these changes were published.
    async fn mark_told(&self, run: RunId, links: &[LinkId]) -> Result<()>;
}

/// What became of a decision about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It holds.
    Now,
    /// This was decided before, and that holds.
    Before(Decision),
    /// There is nothing to decide about a run in this state.
    NotHeld(RunState),
}

/// Changes of one run whose events are to be published.
#[derive(Debug, Clone)]
pub struct Untold {
    /// The run.
    pub run_id: RunId,
    /// The request that it carries out.
    pub request_id: RequestId,
    /// Its trace.
    pub trace: Option<TraceContext>,
    /// The links that it hid or showed.
    pub link_ids: Vec<LinkId>,
    /// What their checks found, as far as these are still kept.
    pub links: Vec<LinkReport>,
}
