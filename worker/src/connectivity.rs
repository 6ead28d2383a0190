//! Are we offline? A failure that may be ours becomes a verdict only with evidence that we are online.
//!
//! Evidence is any server that answered anybody's check since this one began, or a name server that
//! answers a question now. Without evidence the job goes back and nothing is hidden.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::fetch::Resolver;

/// How long a name server may take to give evidence after the check's deadline.
const GRACE: Duration = Duration::from_secs(2);

/// Knows when we last reached somebody.
#[derive(Debug)]
pub(crate) struct Connectivity {
    resolver: Resolver,
    reached: watch::Sender<Option<Instant>>,
}

impl Connectivity {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, reached: watch::Sender::new(None) }
    }

    /// Some server has answered us.
    pub(crate) fn reached(&self) {
        self.reached.send_replace(Some(Instant::now()));
    }

    /// Whether anything shows that we were online since `began`. Waits for it until `deadline`, or
    /// [`GRACE`] from now if that is later.
    pub(crate) async fn proven_since(&self, began: Instant, deadline: Instant) -> bool {
        let mut reached = self.reached.subscribe();
        let patience = deadline.max(Instant::now() + GRACE);
        let evidence = async {
            tokio::select! {
                biased;
                _ = reached.wait_for(|at| at.is_some_and(|at| at >= began)) => {}
                true = self.resolver.answers() => self.reached(),
            }
        };
        timeout_at(patience, evidence).await.is_ok()
    }
}
