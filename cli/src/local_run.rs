//! Carries a filed run to its end in this process, for `check` and `demo`.

use std::convert::Infallible;
use std::time::Duration;

use linkbeat_shared::{RunId, RunState, RunSummary};
use linkbeat_store::{Filed, SharedStore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::embedded::{self, Ending};
use crate::exit::Failure;
use crate::progress;
use crate::settings::Settings;

/// How long a process that carries out a run may say nothing before it is taken for dead.
const SILENCE: Duration = Duration::from_secs(30);

/// Says in the database that somebody carries out a run.
struct Alive<'a> {
    store: &'a SharedStore,
    lease: String,
    holder: Uuid,
}

impl<'a> Alive<'a> {
    fn of(store: &'a SharedStore, run: RunId) -> Self {
        Self { store, lease: lease_of(run), holder: Uuid::now_v7() }
    }

    async fn keep(&self) -> Infallible {
        loop {
            // Without it the run may be ended by another check, which says so.
            let _ = self.store.lease(&self.lease, self.holder, SILENCE).await;
            tokio::time::sleep(SILENCE / 3).await;
        }
    }

    async fn end(&self) {
        let _ = self.store.lease(&self.lease, self.holder, Duration::ZERO).await;
    }
}

fn lease_of(run: RunId) -> String {
    format!("check/{run}")
}

/// Whether a process began to carry out the run, and is gone. Of a fleet's run nobody says so.
pub(crate) async fn has_died(store: &SharedStore, run: RunId) -> Result<bool, Failure> {
    Ok(store.has_run_out(&lease_of(run)).await?)
}

/// Carries the run to its end, if it is not there yet. `None`: interrupted.
pub(crate) async fn to_end(
    settings: &Settings,
    store: &SharedStore,
    filed: &Filed,
    quiet: bool,
    interrupt: &CancellationToken,
) -> Result<Option<RunSummary>, Failure> {
    if filed.run.state == RunState::Incomplete {
        // Its jobs were parked in a queue that ended with its process.
        store.reopen_parked(filed.run.id).await?;
    }
    if matches!(filed.run.state, RunState::Running | RunState::Incomplete) {
        let bar = progress::bar(filed.run.links, quiet);
        let alive = Alive::of(store, filed.run.id);
        let carried_out = tokio::select! {
            done = embedded::carry_out(settings, store, filed, &bar, interrupt) => done,
            never = alive.keep() => match never {},
        };
        alive.end().await;
        match carried_out? {
            Ending::Finished => {}
            Ending::Interrupted => return Ok(None),
        }
    }
    let ended = store.summary(filed.run.id).await?;
    ended.map(Some).ok_or_else(|| Failure::infrastructure("the run is no longer in the database"))
}
