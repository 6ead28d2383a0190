//! Follows a run in the database until it ends.

use std::time::Duration;

use indicatif::ProgressBar;
use linkbeat_shared::{RunId, RunState};
use linkbeat_store::SharedStore;

use crate::exit::Failure;

/// Waits until the run is no longer running, moving the bar along. `every` is how often it looks.
/// Ends early only with an error; drop the future to stop following.
pub(crate) async fn until_end(
    store: &SharedStore,
    run: RunId,
    bar: &ProgressBar,
    every: Duration,
) -> Result<(), Failure> {
    loop {
        match store.run(run).await {
            Ok(Some(run)) if run.state != RunState::Running => {
                bar.finish_and_clear();
                return Ok(());
            }
            Ok(Some(run)) => bar.set_position(run.done.max(bar.position())),
            Ok(None) => {
                return Err(Failure::infrastructure(format!("run {run} is no longer in the database")));
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the run cannot be followed; trying again");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(every).await;
    }
}
