//! Are we offline? A failure that may be ours becomes a verdict only with evidence that we are online.
//!
//! Evidence is any server that answered anybody's check since this one began, or a name server that
//! answers a question now. Without evidence the job goes back and nothing is hidden.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::fetch::{Reached, Resolver};

/// How long a name server may take to give evidence after the check's deadline.
const GRACE: Duration = Duration::from_secs(2);

/// Knows whether we are online.
#[derive(Debug)]
pub(crate) struct Connectivity {
    resolver: Resolver,
    reached: Arc<Reached>,
}

impl Connectivity {
    pub(crate) fn new(resolver: Resolver, reached: Arc<Reached>) -> Self {
        Self { resolver, reached }
    }

    /// Whether anything shows that we were online since `began`. Waits for it until `deadline`, or
    /// [`GRACE`] from now if that is later.
    pub(crate) async fn proven_since(&self, began: Instant, deadline: Instant) -> bool {
        let patience = deadline.max(Instant::now() + GRACE);
        let evidence = async {
            tokio::select! {
                biased;
                () = self.reached.since(began) => {}
                true = self.resolver.answers() => self.reached.now(),
            }
        };
        timeout_at(patience, evidence).await.is_ok()
    }
}
