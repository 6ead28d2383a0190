//! Carries a filed run to its end in this process, for `check` and `demo`.

use linkbeat_shared::{RunState, RunSummary};
use linkbeat_store::{Filed, SharedStore};
use tokio_util::sync::CancellationToken;

use crate::embedded::{self, Ending};
use crate::exit::Failure;
use crate::progress;
use crate::settings::Settings;

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
        match embedded::carry_out(settings, store, filed, &bar, interrupt).await? {
            Ending::Finished => {}
            Ending::Interrupted => return Ok(None),
        }
    }
    let ended = store.summary(filed.run.id).await?;
    ended.map(Some).ok_or_else(|| Failure::infrastructure("the run is no longer in the database"))
}
