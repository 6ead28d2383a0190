//! `linkbeat history`: how much history there is, and its removal.

use std::time::Duration;

use clap::Subcommand;
use linkbeat_shared::history::Keep;
use linkbeat_store::{HistoryRules, SharedStore, StoreError};

use super::{servers, write};
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::logging::print_note;
use crate::output::ListFormat;
use crate::settings::Settings;

/// How often a step is tried again that met others at work, and the pause before it.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// How much history there is, how fast it grows, and how far rolling up and cleaning up have come
    Status {
        /// How it is written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Remove old checks now, when they are rolled up into days
    #[command(after_help = "\
Example:
  linkbeat history prune --older-than 30d

Days and changes of links are kept for ever. Ended runs keep their counts for history.runs. PostgreSQL removes
whole weeks. A recorder does the same by itself, for history.retention.")]
    Prune {
        /// Checks of runs that were filed so long ago, such as 30d; at least a day
        #[arg(long, value_name = "TIME")]
        older_than: Keep,
    },
}

/// `linkbeat history`
pub(crate) async fn run(global: &GlobalArgs, command: HistoryCommand) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let store = servers::store(&settings).await?;
    let done = match command {
        HistoryCommand::Status { format } => status(&settings, &store, format).await,
        HistoryCommand::Prune { older_than } => prune(&settings, &store, older_than).await,
    };
    store.close().await;
    done.map(|()| Status::Passed)
}

async fn status(settings: &Settings, store: &SharedStore, format: ListFormat) -> Result<(), Failure> {
    let status = store.history_status().await?;
    write::history_status(&status, &settings.history.rules(), format)
}

async fn prune(settings: &Settings, store: &SharedStore, older_than: Keep) -> Result<(), Failure> {
    let before = store.history_status().await?;
    let rules = HistoryRules { checks: Some(older_than), ..settings.history.rules() };
    // What ended a moment ago, too: nothing goes that is not rolled up.
    repeat(|| store.roll_up(&rules, Duration::ZERO)).await?;
    repeat(|| store.clean_up(&rules)).await?;
    let after = store.history_status().await?;
    let gone = before.checks.saturating_sub(after.checks);
    let oldest = after.oldest.map_or_else(
        || "none are left".to_owned(),
        |oldest| format!("the oldest that are kept are of {}", oldest.format("%Y-%m-%d")),
    );
    print_note(format_args!("{gone} checks removed; {oldest}"));
    Ok(())
}

/// Takes steps until there is nothing left to do. A recorder may be at work meanwhile, and hold what a step needs.
async fn repeat<F: Future<Output = Result<bool, StoreError>>>(
    step: impl Fn() -> F,
) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match step().await {
            Ok(true) => tries = 0,
            Ok(false) => return Ok(()),
            Err(error) if error.is_transient() && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}
