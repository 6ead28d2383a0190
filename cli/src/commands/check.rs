use clap::Args;
use linkbeat_shared::{LinkSelection, Request, RequestId, RequestOptions, Run, RunState, RunSummary};
use linkbeat_store::{Filed, SharedStore};
use tokio_util::sync::CancellationToken;

use super::{servers, write};
use crate::args::{Flags, GlobalArgs, InputArgs, OutputArgs, WorkerArgs};
use crate::embedded::{self, Ending};
use crate::exit::{Failure, Status};
use crate::settings::Settings;
use crate::{progress, shutdown};

/// Imports INPUT into the database, checks its links in this process, and prints the report. Without
/// INPUT all stored active links are checked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat check friends.csv
  linkbeat check friends.csv --backlink 'https?://my\\.blog' --timeout 3s
  curl -s https://my.blog/links.json | linkbeat check - --format markdown
  linkbeat check                      the links imported before
  linkbeat check --resume             finish, or report again, the latest run

The broker is not used: see `linkbeat run` for a fleet.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Finish the latest run where it was interrupted or killed; if it had ended, print its report
    #[arg(long, conflicts_with = "input")]
    resume: bool,
    #[command(flatten)]
    request: RequestOptions,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// `linkbeat check`
pub(crate) async fn run(global: &GlobalArgs, args: CheckArgs) -> Result<Status, Failure> {
    let flags = Flags {
        check: Some(&args.request),
        worker: Some(&args.worker),
        output: Some(&args.output),
        ..Flags::default()
    };
    let settings = global.settings(flags, "error")?;
    let links = args.input.read()?;
    let store = servers::store(&settings).await?;
    let filed = if args.resume {
        latest(&store).await?
    } else {
        hint_at_unfinished(&store, args.output.quiet).await?;
        file(&settings, &store, links).await?
    };
    let interrupt = shutdown::on_signal("interrupted: storing what was found, at most a few seconds");
    let ended = carry_out(&settings, &store, &filed, args.output.quiet, &interrupt).await;
    let status = match ended {
        Ok(Some(run)) => {
            let what_to_do = "`linkbeat check --resume` tries them again";
            write::report(&settings, &args.output, &*store, &run, what_to_do).await
        }
        Ok(None) => {
            anstream::eprintln!("run {} can be finished with `linkbeat check --resume`", filed.run.id);
            Ok(Status::Interrupted)
        }
        Err(failure) => Err(failure),
    };
    store.close().await;
    status
}

/// Files a run of these links, or of all stored ones.
pub(crate) async fn file(
    settings: &Settings,
    store: &SharedStore,
    links: LinkSelection,
) -> Result<Filed, Failure> {
    if matches!(links, LinkSelection::Stored) && store.links(None, 1).await?.is_empty() {
        return Err(Failure::usage(
            "there are no stored links yet; name a list (`linkbeat check friends.csv`) or import one \
             (`linkbeat links import friends.csv`)",
        ));
    }
    let request = Request::new(RequestId::new(), links, settings.check.clone(), None);
    Ok(linkbeat_producer::file(store, request).await?)
}

/// Carries the run to its end, if it is not there yet; `None`: interrupted.
pub(crate) async fn carry_out(
    settings: &Settings,
    store: &SharedStore,
    filed: &Filed,
    quiet: bool,
    interrupt: &CancellationToken,
) -> Result<Option<RunSummary>, Failure> {
    if filed.run.state == RunState::Incomplete {
        // The queue in which they were parked ended with its process.
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

async fn latest(store: &SharedStore) -> Result<Filed, Failure> {
    match store.runs(1).await?.pop() {
        Some(run) => Ok(Filed { run, existed: true }),
        None => Err(Failure::usage("there is no run to resume; start one with `linkbeat check friends.csv`")),
    }
}

async fn hint_at_unfinished(store: &SharedStore, quiet: bool) -> Result<(), Failure> {
    if let Some(Run { id, state: RunState::Running | RunState::Incomplete, done, links, .. }) =
        store.runs(1).await?.pop()
        && !quiet
    {
        anstream::eprintln!(
            "note: run {id} was not finished ({done} of {links} links); \
             instead of a new run, `linkbeat check --resume` finishes it"
        );
    }
    Ok(())
}
