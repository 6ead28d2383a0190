use std::convert::Infallible;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use linkbeat_producer::Outbox;
use linkbeat_shared::RequestOptions;
use linkbeat_store::{Filed, SharedStore};

use super::{selected, servers, write};
use crate::args::{Flags, GlobalArgs, InputArgs, OutputArgs};
use crate::exit::{Failure, Status};
use crate::filing::{self, file};
use crate::logging::print_note;
use crate::output::FormatName;
use crate::settings::Settings;
use crate::{ask, follow, progress, shutdown};

/// How often a followed run is read from the database.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Without any result for this long, the roles may not be running.
const HINT_AFTER: Duration = Duration::from_secs(10);

/// Files a run of INPUT, or of all stored active links, and leaves it to the fleet. With --wait it is
/// followed to its end and its report printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat run --all                             file a run and print its id (or with --format json)
  linkbeat run --all --wait --format json        follow it and print its report
  linkbeat run friends.csv --wait --backlink 'https?://my\\.blog'")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Check all stored links, and do not ask before
    #[arg(long, conflicts_with = "input")]
    all: bool,
    /// Follow the run to its end and print its report
    #[arg(long)]
    wait: bool,
    /// Give up following after so long; the run itself goes on
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    wait_timeout: Duration,
    #[command(flatten)]
    request: RequestOptions,
    #[command(flatten)]
    output: OutputArgs,
}

/// `linkbeat run`
pub(crate) async fn run(global: &GlobalArgs, args: RunArgs) -> Result<Status, Failure> {
    let flags = Flags { check: Some(&args.request), output: Some(&args.output), ..Flags::default() };
    let settings = global.settings(flags, "warn")?;
    if !args.wait {
        refuse_report_flags(&args.output)?;
    }
    let listed = args.input.read(args.output.quiet)?;
    if listed.is_none() && !args.all && !args.input.yes {
        confirm_all()?;
    }
    let broker = servers::connect(&settings, "run").await?;
    let store = servers::store(&settings).await?;
    let links = selected(listed, &store).await?;
    let is_quiet = args.output.quiet;
    let filed = file(&settings, &store, links).await?;
    if !is_quiet {
        filing::tell_of_white_list(&settings, &store).await?;
    }
    // No producer need be at hand. Should this fail, one publishes the rest.
    let outbox = Outbox::new(broker.clone(), store.clone());
    outbox.add(&filed);
    outbox.drain().await?;
    broker.close().await;
    let status =
        if args.wait { wait(&settings, &args, &store, &filed).await } else { say_filed(&settings, &filed) };
    store.close().await;
    status
}

/// Without a list all stored links are checked, which may be more than a person meant. A program means it.
fn confirm_all() -> Result<(), Failure> {
    let question = "This files a run of all stored links. Go on?";
    if !ask::is_possible() || ask::confirm(question) {
        return Ok(());
    }
    Err(Failure::usage("nothing was filed").advise("name a list, or say --all"))
}

/// Refuses flags that say how the report is written, since there is no report yet. A format from a setting is
/// meant for other commands, so it is ignored.
fn refuse_report_flags(output: &OutputArgs) -> Result<(), Failure> {
    let flag = match (&output.output, output.format) {
        (Some(_), _) => "--output FILE",
        (None, Some(FormatName::Csv)) => "--format csv",
        (None, Some(FormatName::Yaml)) => "--format yaml",
        (None, Some(FormatName::Junit)) => "--format junit",
        (None, Some(FormatName::Markdown)) => "--format markdown",
        (None, None | Some(FormatName::Table | FormatName::Json | FormatName::Jsonl)) => return Ok(()),
    };
    let problem = format!("{flag} is for the report, which is not there when a run is only filed");
    Err(Failure::usage(problem).advise("add --wait to follow the run to its end"))
}

fn say_filed(settings: &Settings, filed: &Filed) -> Result<Status, Failure> {
    let (id, links) = (filed.run.id, counted(filed.run.links));
    match settings.output.format {
        FormatName::Json | FormatName::Jsonl => {
            anstream::println!("{}", serde_json::json!({ "run_id": id, "links": filed.run.links }));
        }
        _ => {
            let filed = format!("run {id} filed: {links}; see `linkbeat runs show {id}`");
            anstream::println!("{}", crate::lang::said(&filed));
        }
    }
    Ok(Status::Passed)
}

fn counted(links: u64) -> String {
    if links == 1 { "1 link".to_owned() } else { format!("{links} links") }
}

/// Tells people that the roles may not be running: a run that nobody works on looks like a slow one.
async fn hint_when_nothing_comes(bar: &ProgressBar, quiet: bool) -> Infallible {
    tokio::time::sleep(HINT_AFTER).await;
    if bar.position() == 0 && !quiet {
        bar.suspend(|| {
            print_note(format_args!(
                "nothing was checked yet; are producer, worker and recorder running? `linkbeat doctor` looks"
            ));
        });
    }
    std::future::pending().await
}

async fn wait(
    settings: &Settings,
    args: &RunArgs,
    store: &SharedStore,
    filed: &Filed,
) -> Result<Status, Failure> {
    let id = filed.run.id;
    if !args.output.quiet {
        print_note(format_args!(
            "run {id} of {}; `linkbeat runs show {id}` shows it",
            counted(filed.run.links)
        ));
    }
    let interrupt = shutdown::on_signal("interrupted");
    let bar = progress::bar(filed.run.links, args.output.quiet);
    let ended = tokio::select! {
        ended = tokio::time::timeout(args.wait_timeout, follow::until_end(store, id, &bar, LOOK_EVERY)) => ended,
        () = interrupt.cancelled() => {
            bar.finish_and_clear();
            print_note(format_args!("run {id} goes on without being followed; `linkbeat runs show {id}` shows it"));
            return Ok(Status::Interrupted);
        }
        never = hint_when_nothing_comes(&bar, args.output.quiet) => match never {},
    };
    match ended {
        Ok(ended) => ended?,
        Err(_) => {
            let limit = humantime::format_duration(args.wait_timeout);
            return Err(Failure::infrastructure(format!("run {id} did not end within {limit}")).advise(
                format!("it goes on: see `linkbeat runs show {id}`. Are a recorder and workers running?"),
            ));
        }
    };
    match store.summary(id).await? {
        Some(run) => write::report(settings, &args.output, &**store, &run, write::LOOK_AT_PARKED).await,
        None => Err(Failure::infrastructure(format!("run {id} is no longer in the database"))),
    }
}
