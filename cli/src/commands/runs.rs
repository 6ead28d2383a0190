use clap::Subcommand;
use linkbeat_shared::RunId;
use linkbeat_store::ReportLinks;

use super::{servers, write};
use crate::args::{Flags, GlobalArgs, OutputArgs};
use crate::exit::{Failure, Status};

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// The latest runs, newest first
    List {
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// The report of one run, as far as it has come
    Show {
        /// The run's id
        id: RunId,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// `linkbeat runs`
pub(crate) async fn run(global: &GlobalArgs, command: RunsCommand) -> Result<Status, Failure> {
    match command {
        RunsCommand::List { limit, output } => list(global, limit, &output).await,
        RunsCommand::Show { id, output } => show(global, id, &output).await,
    }
}

async fn list(global: &GlobalArgs, limit: u32, output: &OutputArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { output: Some(output), ..Flags::default() }, "warn")?;
    let store = servers::store(&settings).await?;
    let runs = store.runs(limit).await?;
    store.close().await;
    write::runs(&settings, output, &runs)?;
    Ok(Status::Passed)
}

async fn show(global: &GlobalArgs, id: RunId, output: &OutputArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { output: Some(output), ..Flags::default() }, "warn")?;
    let store = servers::store(&settings).await?;
    let report = store.report(id, ReportLinks::All).await?;
    store.close().await;
    match report {
        Some(report) => write::report(&settings, output, &report),
        None => Err(Failure::usage(format!("there is no run {id}; see `linkbeat runs list`"))),
    }
}
