use std::sync::Arc;

use clap::Subcommand;
use linkbeat_recorder::Rules;
use linkbeat_shared::{Decision, RunId, RunState, RunSummary};
use linkbeat_store::{Decided, SharedStore};

use super::which_run::WhichRun;
use super::{run_repeat, servers, write};
use crate::args::{Flags, GlobalArgs, OutputArgs};
use crate::exit::{Failure, Status};
use crate::logging::print_note;
use crate::output::ListFormat;

/// Links settled, and runs closed, in one go.
const PAGE: u32 = 500;

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
  linkbeat runs show latest
  linkbeat runs show 0198c5f0-7d2c
  linkbeat runs show 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11 --format junit --output report.xml

Exit status: 0 the run is finished and every link passed; 1 some link did not pass, or the run
goes on, was cancelled or was discarded; 2 there is no such run; 3 the run is held back, or it is
incomplete, as jobs of it are parked.")]
    Show {
        /// The run: its id, the beginning of it, or `latest`
        #[arg(value_name = "RUN")]
        run: WhichRun,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Hide and show the links of a run that was held back
    #[command(after_help = "\
A run is held back if most of its links change in the same way for the same reason.
`linkbeat runs show RUN` lists what it would do. A link that a later run has checked stays as it is.

Examples:
  linkbeat runs list
  linkbeat runs apply 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11")]
    Apply {
        /// The run: its id, the beginning of it, or `latest`
        #[arg(value_name = "RUN")]
        run: WhichRun,
    },
    /// Leave the links of a run that was held back as they are
    #[command(after_help = "\
The run's checks are kept as history. They change no link, and the next run decides by itself.

Examples:
  linkbeat runs discard 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11")]
    Discard {
        /// The run: its id, the beginning of it, or `latest`
        #[arg(value_name = "RUN")]
        run: WhichRun,
    },
    /// File a run that is asked the same as another one
    #[command(after_help = "\
The stored links are those of today: a run of a group covers the links that are in it by now, and a run of a list
those of its links that are still stored.

Examples:
  linkbeat runs repeat latest
  linkbeat runs repeat 0198c5f0-7d2c --format json")]
    Repeat {
        /// The run: its id, the beginning of it, or `latest`
        #[arg(value_name = "RUN")]
        run: WhichRun,
        /// How the new run is told
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Stop a run: its open jobs are not published again, and what still comes in changes no link
    Cancel {
        /// The run: its id, the beginning of it, or `latest`
        #[arg(value_name = "RUN")]
        run: WhichRun,
    },
}

/// `linkbeat runs`
pub(crate) async fn run(global: &GlobalArgs, command: RunsCommand) -> Result<Status, Failure> {
    match command {
        RunsCommand::List { limit, output } => list(global, limit, &output).await,
        RunsCommand::Show { run, output } => show(global, &run, &output).await,
        RunsCommand::Apply { run } => decide(global, &run, Decision::Applied).await,
        RunsCommand::Discard { run } => decide(global, &run, Decision::Discarded).await,
        RunsCommand::Repeat { run, format } => run_repeat::run(global, &run, format).await,
        RunsCommand::Cancel { run } => cancel(global, &run).await,
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

async fn show(global: &GlobalArgs, run: &WhichRun, output: &OutputArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { output: Some(output), ..Flags::default() }, "warn")?;
    let store = servers::store(&settings).await?;
    let id = run.id(&store).await?;
    let status = match store.summary(id).await? {
        Some(run) => write::report(&settings, output, &*store, &run, write::LOOK_AT_PARKED).await,
        None => Err(no_run(id)),
    };
    store.close().await;
    status
}

async fn decide(global: &GlobalArgs, run: &WhichRun, decision: Decision) -> Result<Status, Failure> {
    let store = servers::store(&global.plain_settings()?).await?;
    let decided = match run.id(&store).await {
        Ok(id) => carry_out(&store, id, decision).await,
        Err(failure) => Err(failure),
    };
    store.close().await;
    decided.map(|()| Status::Passed)
}

/// Keeps the decision and carries it out here, because no recorder need be at hand. If one is, it tells what changed.
async fn carry_out(store: &SharedStore, id: RunId, decision: Decision) -> Result<(), Failure> {
    let before = store.summary(id).await?.ok_or_else(|| no_run(id))?;
    let decided = store.decide_run(id, decision).await?.ok_or_else(|| no_run(id))?;
    match decided {
        Decided::NotHeld(state) => return Err(not_held(id, state)),
        Decided::Before(other) if other != decision => {
            return Err(Failure::usage(format!("run {id} was {} already", other.as_str())));
        }
        Decided::Now | Decided::Before(_) => {}
    }
    // What was decided before may not have been carried out to the end.
    while store.settle(Some(id), PAGE, Arc::new(Rules)).await? {}
    let mut after = store.summary(id).await?.ok_or_else(|| no_run(id))?;
    while after.state == RunState::Running && !store.close_runs(PAGE).await?.is_empty() {
        after = store.summary(id).await?.ok_or_else(|| no_run(id))?;
    }
    match decided {
        Decided::Before(_) => print_note(format_args!("run {id} was {} already", decision.as_str())),
        Decided::Now | Decided::NotHeld(_) => tell(decision, &before, &after),
    }
    Ok(())
}

fn tell(decision: Decision, before: &RunSummary, after: &RunSummary) {
    let id = before.run_id;
    let proposed = before.counts.would_hide + before.counts.would_show;
    if decision == Decision::Discarded {
        return print_note(format_args!("run {id} is discarded: {} stay as they are", links(proposed)));
    }
    let hidden = after.counts.to_not_show.saturating_sub(before.counts.to_not_show);
    let shown = after.counts.to_show.saturating_sub(before.counts.to_show);
    print_note(format_args!("run {id} is applied: {hidden} hidden, {shown} shown"));
    match proposed.saturating_sub(hidden + shown) {
        0 => {}
        left => print_note(format_args!(
            "{} left as they are: since then a later run has checked them, or a person has changed or removed them",
            links(left)
        )),
    }
}

fn links(count: u64) -> String {
    if count == 1 { "1 link".to_owned() } else { format!("{count} links") }
}

fn not_held(id: RunId, state: RunState) -> Failure {
    Failure::usage(format!("run {id} is {}: it is not held back", state.as_str()))
        .advise("see `linkbeat runs list`")
}

async fn cancel(global: &GlobalArgs, run: &WhichRun) -> Result<Status, Failure> {
    let store = servers::store(&global.plain_settings()?).await?;
    let id = run.id(&store).await?;
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
