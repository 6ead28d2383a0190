//! `linkbeat explain`: one check, told step by step.

use clap::Args;
use linkbeat_shared::{CheckResult, CheckSpec, JobLink, LinkId, LinkUrl, RequestOptions, Verdict};
use linkbeat_worker::{Engine, Outcome, OwnFault, Told};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::write::{self, Explaining};
use crate::args::{FailOn, Flags, GlobalArgs, OutputArgs, WorkerArgs};
use crate::exit::{Failure, Status};
use crate::output::{FormatName, explained};
use crate::settings::Settings;
use crate::{proxies, shutdown};

/// Steps that wait to be written.
const WAITING: usize = 1_024;

/// Checks one link in this process and tells each step as it is taken. Nothing is stored.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat explain https://friend.example/
  linkbeat explain https://friend.example/ --backlink 'https?://my\\.blog' --page https://friend.example/links
  linkbeat explain https://friend.example/ --format json

Exit status: as of `linkbeat check`.")]
pub(crate) struct ExplainArgs {
    /// The link
    #[arg(value_name = "URL")]
    url: LinkUrl,
    /// The page on which the backlink must stand, where it is another
    #[arg(long, value_name = "URL")]
    page: Option<LinkUrl>,
    #[command(flatten)]
    request: RequestOptions,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// `linkbeat explain`
pub(crate) async fn run(global: &GlobalArgs, args: ExplainArgs) -> Result<Status, Failure> {
    let flags = Flags {
        check: Some(&args.request),
        worker: Some(&args.worker),
        output: Some(&args.output),
        ..Flags::default()
    };
    let mut settings = global.settings(flags, "error")?;
    if !matches!(settings.output.format, FormatName::Table | FormatName::Json | FormatName::Jsonl) {
        return Err(Failure::usage("explain writes table, json or jsonl"));
    }
    proxies::of_environment(&mut settings.worker);
    let engine = Engine::new(&settings.worker)?;
    let spec = settings.check.clone().resolve().check;
    let link = JobLink { id: LinkId::new(), url: args.url, page_url: args.page, backlink: true };
    let mut explaining = Explaining::begin(&settings, &args.output)?;
    let interrupt = shutdown::on_signal("interrupted");
    let outcome = tokio::select! {
        outcome = told(&engine, &link, &spec, &mut explaining) => outcome?,
        () = interrupt.cancelled() => return Ok(Status::Interrupted),
    };
    match outcome {
        Outcome::Judged(result) => {
            explaining.end(
                &judged(&link, &spec, &result, &settings),
                &explained::verdict(&result, &spec, settings.output.lang),
            )?;
            Ok(status(&result, settings.output.fail_on))
        }
        Outcome::OwnFault(fault) => {
            explaining.end(&json!({ "url": link.url.to_string(), "fault": fault.as_str() }), &[])?;
            Err(own_fault(fault))
        }
    }
}

/// Carries out the check, and writes its steps meanwhile.
async fn told(
    engine: &Engine,
    link: &JobLink,
    spec: &CheckSpec,
    explaining: &mut Explaining<'_>,
) -> Result<Outcome, Failure> {
    let (to, mut steps) = mpsc::channel::<Told>(WAITING);
    let mut check = Box::pin(engine.explain(link, spec, to));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(step) = steps.recv() => explaining.step(&step)?,
            outcome = &mut check => break outcome,
        }
    };
    while let Ok(step) = steps.try_recv() {
        explaining.step(&step)?;
    }
    Ok(outcome)
}

fn judged(link: &JobLink, spec: &CheckSpec, result: &CheckResult, settings: &Settings) -> Value {
    let lang = settings.output.lang;
    json!({
        "url": link.url.to_string(),
        "verdict": result.verdict.map(Verdict::as_str),
        "reason": result.reason,
        "reason_text": result.reason.as_ref().map(|reason| lang.reason_of(reason, result.details.failed)),
        "rule": explained::rule(result, spec, lang),
        "status": result.status,
        "elapsed_ms": result.elapsed_ms,
        "details": result.details,
    })
}

fn status(result: &CheckResult, fail_on: FailOn) -> Status {
    match fail_on {
        FailOn::Down if result.verdict != Some(Verdict::Up) => Status::SomeFailed,
        FailOn::Down | FailOn::Change | FailOn::Never => Status::Passed,
    }
}

fn own_fault(fault: OwnFault) -> Failure {
    let problem = format!("the link could not be judged, and that is not its fault: {}", fault.as_str());
    Failure::infrastructure(problem).advise(write::LOOK_AT_MACHINE)
}
