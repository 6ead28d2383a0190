use clap::Args;
use linkbeat_shared::{RequestOptions, Run, RunState};
use linkbeat_store::{Filed, SharedStore};

use super::{selected, servers, write};
use crate::args::{Flags, GlobalArgs, InputArgs, OutputArgs, WorkerArgs};

use crate::exit::{Failure, Status};
use crate::filing::{self, file};
use crate::local_run;
use crate::logging::print_note;
use crate::settings::Settings;
use crate::{proxies, shutdown};

/// Imports INPUT into the database, checks its links in this process, and prints the report. Without
/// INPUT all stored active links are checked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat check friends.csv
  linkbeat check friends.csv --backlink 'https?://my\\.blog' --timeout 3s
  linkbeat check https://friend.example/
  curl -s https://my.blog/links.json | linkbeat check - --format markdown
  linkbeat check link.yml -q --fail-on change     for cron: silent unless something changed
  linkbeat check                      the links imported before
  linkbeat check --resume             finish, or report again, the latest run

If most links change in the same way for the same reason, the run is held back: nothing is hidden or
shown, and the exit status is 3. `linkbeat runs apply` or `linkbeat runs discard` then decides.
--hold-back-links 0 turns this off.

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
    let mut settings = global.settings(flags, "error")?;
    proxies::of_environment(&mut settings.worker);
    let quiet = args.output.quiet;
    tell_of_timeout(&settings, quiet);
    let listed = if args.resume { None } else { args.input.read(quiet)? };
    let store = servers::store(&settings).await?;
    let filed = if args.resume {
        latest(&store).await?
    } else {
        hint_at_unfinished(&store, args.output.quiet).await?;
        let links = selected(listed, &store).await?;
        file(&settings, &store, links).await?
    };
    if !quiet {
        filing::tell_of_white_list(&settings, &store).await?;
    }
    let interrupt = shutdown::on_signal("interrupted: storing what was found, at most a few seconds");
    let ended = local_run::to_end(&settings, &store, &filed, args.output.quiet, &interrupt).await;
    let status = match ended {
        Ok(Some(run)) => {
            let what_to_do = "`linkbeat check --resume` tries them again";
            write::report(&settings, &args.output, &*store, &run, what_to_do).await
        }
        Ok(None) => {
            print_note(format_args!("run {} can be finished with `linkbeat check --resume`", filed.run.id));
            Ok(Status::Interrupted)
        }
        Err(failure) => Err(failure),
    };
    store.close().await;
    status
}

/// The worker's operator bounds the deadline. Here that is the person who asks for it.
fn tell_of_timeout(settings: &Settings, is_quiet: bool) {
    let most = settings.worker.max_timeout;
    match settings.check.timeout {
        Some(asked) if asked > most && !is_quiet => print_note(format_args!(
            "note: a timeout of {asked} is more than the maximum: each link gets {most}. worker.max_timeout raises it"
        )),
        _ => {}
    }
}

async fn latest(store: &SharedStore) -> Result<Filed, Failure> {
    match store.runs(1).await?.pop() {
        Some(run) => Ok(Filed { run, existed: true, heard: true }),
        None => {
            Err(Failure::usage("there is no run to resume")
                .advise("start one with `linkbeat check friends.csv`"))
        }
    }
}

/// A run whose check was killed or interrupted would go on for ever. A new check ends it.
async fn end_killed(store: &SharedStore, run: &Run, is_quiet: bool) -> Result<(), Failure> {
    let Run { id, done, links, .. } = run;
    store.cancel_run(*id).await?;
    if !is_quiet {
        print_note(format_args!(
            "note: run {id} was not finished ({done} of {links} links) and is cancelled, as a new one begins; \
             `linkbeat check --resume` would have finished it"
        ));
    }
    Ok(())
}

async fn hint_at_unfinished(store: &SharedStore, quiet: bool) -> Result<(), Failure> {
    match store.runs(1).await?.pop() {
        Some(run) if run.state == RunState::Running && local_run::has_died(store, run.id).await? => {
            end_killed(store, &run, quiet).await?;
        }
        Some(Run { id, state: RunState::Running | RunState::Incomplete, done, links, .. }) if !quiet => {
            print_note(format_args!(
                "note: run {id} was not finished ({done} of {links} links); \
                 instead of a new run, `linkbeat check --resume` finishes it"
            ));
        }
        Some(Run { id, state: RunState::HeldBack, .. }) if !quiet => print_note(format_args!(
            "note: run {id} is held back; `linkbeat runs apply {id}` or `linkbeat runs discard {id}` decides about it"
        )),
        _ => {}
    }
    Ok(())
}
