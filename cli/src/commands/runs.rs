use clap::Subcommand;
use linkbeat_shared::{RunId, RunState};

use super::{servers, write};
use crate::args::{Flags, GlobalArgs, OutputArgs, parse_run_id};
use crate::exit::{Failure, Status};
use crate::logging::print_note;

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
    #[command(after_help = "\
Examples:
  linkbeat runs show 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11
  linkbeat runs show 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11 --format junit --output report.xml

Exit status: 0 the run is finished and every link passed; 1 some link did not pass, or the run
goes on or was cancelled; 2 there is no such run; 3 the run is incomplete, as jobs of it are parked.")]
    Show {
        /// The run's id
        #[arg(value_parser = parse_run_id)]
        id: RunId,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Stop a run: its open jobs are not published again, and what still comes in changes no link
    Cancel {
        /// The run's id
        #[arg(value_parser = parse_run_id)]
        id: RunId,
    },
}

/// `linkbeat runs`
pub(crate) async fn run(global: &GlobalArgs, command: RunsCommand) -> Result<Status, Failure> {
    match command {
        RunsCommand::List { limit, output } => list(global, limit, &output).await,
        RunsCommand::Show { id, output } => show(global, id, &output).await,
        RunsCommand::Cancel { id } => cancel(global, id).await,
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
    let status = match store.summary(id).await? {
        Some(run) => write::report(&settings, output, &*store, &run, write::LOOK_AT_PARKED).await,
        None => Err(no_run(id)),
    };
    store.close().await;
    status
}

async fn cancel(global: &GlobalArgs, id: RunId) -> Result<Status, Failure> {
    let store = servers::store(&global.plain_settings()?).await?;
    let run = store.cancel_run(id).await?;
    store.close().await;
    match run {
        Some(run) if run.state == RunState::Cancelled => print_note(format_args!("run {id} is cancelled")),
        Some(run) => return Err(Failure::usage(format!("run {id} is {} already", run.state.as_str()))),
        None => return Err(no_run(id)),
    }
    Ok(Status::Passed)
}

fn no_run(id: RunId) -> Failure {
    Failure::usage(format!("there is no run {id}")).advise("see `linkbeat runs list`")
}
