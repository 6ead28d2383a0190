//! `linkbeat workers`: the workers of a fleet, by what they say over the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Subcommand;
use linkbeat_broker::{Event, SharedBroker};
use linkbeat_shared::wire::{WORKER_ALIVE, WorkerMessage, decode};
use tokio::time::{Instant, timeout_at};

use super::{servers, write};
use crate::args::GlobalArgs;
use crate::beat;
use crate::exit::{Failure, Status};
use crate::logging::print_note;
use crate::output::ListFormat;

/// A worker beats at least once in this time.
const LISTEN: Duration = Duration::from_secs(beat::EVERY.as_secs() + 2);

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the workers that live now: since when, how busy, and of which version
    #[command(after_help = "\
Each worker says every 5 s that it lives. The command listens for 7 s.

Examples:
  linkbeat workers list
  linkbeat workers list --format json")]
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },
}

/// `linkbeat workers`
pub(crate) async fn run(global: &GlobalArgs, command: WorkersCommand) -> Result<Status, Failure> {
    let WorkersCommand::List { format } = command;
    let settings = global.plain_settings()?;
    let broker = servers::connect(&settings, "workers").await?;
    let workers = alive(&broker).await;
    broker.close().await;
    let workers = workers?;
    if workers.is_empty() && format == ListFormat::Table {
        print_note("no worker has said that it lives; start one with `linkbeat worker`");
    }
    write::workers(&workers, format, settings.output.lang)?;
    Ok(Status::Passed)
}

/// The workers that say within some seconds that they live.
pub(crate) async fn alive(broker: &SharedBroker) -> Result<Vec<WorkerMessage>, Failure> {
    let mut events = broker.events(WORKER_ALIVE).await?;
    // Of a worker that was started again under its name, the newest process counts.
    let mut alive: BTreeMap<String, WorkerMessage> = BTreeMap::new();
    let mut end = Instant::now() + LISTEN;
    while let Ok(Some(event)) = timeout_at(end, events.next()).await {
        match event {
            Event::Listening => end = Instant::now() + LISTEN,
            Event::Published { message, .. } => {
                if let Ok(worker) = decode::<WorkerMessage>(&message.body) {
                    let known = alive.entry(worker.name.clone()).or_insert_with(|| worker.clone());
                    if worker.started_at >= known.started_at {
                        *known = worker;
                    }
                }
            }
        }
    }
    Ok(alive.into_values().collect())
}
