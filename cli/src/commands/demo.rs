use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use linkbeat_shared::{LinkReport, LinkSelection, RunSummary};
use linkbeat_store::{ReportLinks, SharedStore};
use tokio_util::sync::CancellationToken;

use super::{servers, write};
use crate::args::OutputArgs;
use crate::demo::{Act, BACKLINK, Street, WHITE_LISTED, cast};
use crate::exit::{Failure, Status};
use crate::filing::file;
use crate::input::{self, BadRows, NearRows, Source};
use crate::local_run;
use crate::logging::{LogFormat, print_note};
use crate::settings::Settings;
use crate::shutdown;

/// Short, so that nobody waits long for the site that hangs.
const TIMEOUT: Duration = Duration::from_secs(2);
/// More sites than the street has.
const STREET_MAX: u32 = 1_000;

/// Serves a street of small sites on loopback (up, slow, moved, dead, hanging, recovering, backlink lost,
/// anti-bot wall, certificates expired and about to, …), writes their list as CSV, runs `check` on it twice with the
/// sites changing in between, and compares every verdict with what was played.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat demo
  linkbeat demo --keep        leave the street and the database for exploring

Exit status: 0 when every verdict was as played; 1 when one was not.")]
pub(crate) struct DemoArgs {
    /// Leave the street and the database for exploring, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// `linkbeat demo`
pub(crate) async fn run(args: DemoArgs) -> Result<Status, Failure> {
    crate::logging::init("error", LogFormat::Text)?;
    let folder = tempfile::Builder::new().prefix("linkbeat-demo-").tempdir()?;
    let list = folder.path().join("street.csv");
    let interrupt = shutdown::on_signal("closing the street");
    let street = Street::open(cast()).await.map_err(|error| Failure::infrastructure(error.to_string()))?;
    street.write_csv(&list)?;
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, street.authority())?;
    let settings = settings(folder.path(), authority.clone())?;
    let store = servers::store(&settings).await?;
    let mut wrong = Vec::new();
    for (act, title) in [(Act::First, "as they are"), (Act::Second, "after the street has changed")] {
        if act == Act::Second {
            street.change();
        }
        anstream::println!(
            "\n{} sites on loopback, {title}: linkbeat check {}",
            street.roles().count(),
            list.display()
        );
        let Some(run) = check_list(&settings, &store, &list, &interrupt).await? else {
            return Ok(Status::Interrupted);
        };
        write::report(&settings, &OutputArgs::default(), &*store, &run, "play it again").await?;
        let links = store.report_links(run.run_id, ReportLinks::All, None, STREET_MAX).await?;
        wrong.extend(differences(&street, act, &links));
    }
    if args.keep {
        explore(&settings, &list, &authority, &interrupt).await;
    }
    store.close().await;
    Ok(verdict(&wrong))
}

fn settings(folder: &Path, authority: PathBuf) -> Result<Settings, Failure> {
    let mut settings = Settings {
        database_url: format!("sqlite://{}", folder.join("linkbeat.db").display()).parse()?,
        ..Settings::default()
    };
    let bad = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
    settings.check.backlink =
        Some(BACKLINK.parse().map_err(|error: linkbeat_shared::BadPattern| bad(&error))?);
    settings.check.timeout =
        Some(TIMEOUT.try_into().map_err(|error: linkbeat_shared::BadTimeout| bad(&error))?);
    settings.check.white_list = vec![WHITE_LISTED.to_owned()];
    settings.worker.extra_ca = Some(authority);
    settings.worker.allow_network =
        vec![ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::LOCALHOST, 32).into()];
    Ok(settings)
}

async fn check_list(
    settings: &Settings,
    store: &SharedStore,
    list: &Path,
    interrupt: &CancellationToken,
) -> Result<Option<RunSummary>, Failure> {
    let input = input::read_all(&[Source::from_path(list)], BadRows::Refuse, NearRows::Tell)?;
    let filed = file(settings, store, LinkSelection::Given(input.links)).await?;
    local_run::to_end(settings, store, &filed, false, interrupt).await
}

/// Where the results are not what was played.
fn differences(street: &Street, act: Act, links: &[LinkReport]) -> Vec<String> {
    let found = |name: &str| links.iter().find(|link| link.name.as_str() == name);
    let mut wrong = Vec::new();
    for role in street.roles() {
        let expected = role.expected(act);
        let seen = found(role.name).map(|link| (link.verdict, link.shown, link.change));
        if seen != expected.map(|expected| (expected.verdict, expected.shown, expected.change)) {
            wrong.push(format!("{} ({act:?} act): expected {expected:?}, found {seen:?}", role.name));
        }
    }
    wrong
}

async fn explore(settings: &Settings, list: &Path, authority: &Path, interrupt: &CancellationToken) {
    anstream::println!(
        "\nThe street stays open until Ctrl-C. In another terminal:\n\
         \n  export LINKBEAT_DATABASE_URL={} LINKBEAT_WORKER_EXTRA_CA={}\n  linkbeat links list\n  linkbeat runs list\n  \
         linkbeat check {} --allow-network 127.0.0.1/32 --backlink '{BACKLINK}'\n",
        settings.database_url,
        authority.display(),
        list.display()
    );
    interrupt.cancelled().await;
}

fn verdict(wrong: &[String]) -> Status {
    if wrong.is_empty() {
        anstream::println!("\nEvery verdict was as played. Now your own: linkbeat check your-links.csv");
        return Status::Passed;
    }
    for line in wrong {
        print_note(format_args!("not as played: {line}"));
    }
    Status::SomeFailed
}
