//! `linkbeat doctor`: is everything there that linkbeat needs, and if not, what to do?
//!
//! It changes nothing. Checks that do not depend on each other run at the same time. Each has a deadline of a few
//! seconds.

mod broker;
mod celery;
mod database;
mod history;
mod machine;
mod needs;

use clap::{Args, ValueEnum};

use super::write;
use crate::args::{Flags, GlobalArgs, WorkerArgs};
use crate::exit::{Failure, Fault, Status};
use crate::finding::{Finding, State};
use crate::output::ListFormat;
use crate::settings::Settings;

/// Looks at settings, broker, database and this machine, and says what is wrong and what to do about it.
/// Nothing is made or changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat doctor                        is everything there?
  linkbeat doctor --role worker          only what a worker needs, which is no database
  linkbeat doctor --settings             every setting, and where its value comes from

Exit status: 0 all is well, or there are only warnings; 2 a setting is wrong; 3 a server or this machine is.")]
pub(crate) struct DoctorArgs {
    /// Look only at what this role needs
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// List all settings, those that have their default as well
    #[arg(long)]
    settings: bool,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// Whom the checks are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Turns requests into jobs
    Producer,
    /// Checks links
    Worker,
    /// Stores results
    Recorder,
}

impl Role {
    const ALL: [Self; 3] = [Self::Producer, Self::Worker, Self::Recorder];

    fn as_str(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Worker => "worker",
            Self::Recorder => "recorder",
        }
    }
}

/// Whom the checks are for: one role, or all of them.
#[derive(Debug, Clone, Copy)]
struct Roles(Option<Role>);

impl Roles {
    fn each(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.0.is_none_or(|only| only == *role))
    }

    fn include(self, role: Role) -> bool {
        self.each().any(|each| each == role)
    }

    fn need_database(self) -> bool {
        self.0 != Some(Role::Worker)
    }
}

/// `linkbeat doctor`
pub(crate) async fn run(global: &GlobalArgs, args: DoctorArgs) -> Result<Status, Failure> {
    let flags = Flags { worker: Some(&args.worker), ..Flags::default() };
    let (findings, mut origins) = match (global.settings(flags, "error"), global.origins(flags)) {
        (Ok(settings), Ok(origins)) => (examine(&settings, Roles(args.role)).await, origins),
        // Without settings nothing else can be checked.
        (Err(failure), _) | (_, Err(failure)) => (vec![bad_setting(failure)], Vec::new()),
    };
    if args.format == ListFormat::Table && !args.settings {
        origins.retain(|origin| !origin.is_default());
    }
    write::findings(&findings, &origins, args.format)?;
    end(&findings)
}

/// A setting that cannot be read counts as a finding about what it is for.
fn bad_setting(failure: Failure) -> Finding {
    let check = match failure.setting.as_deref() {
        Some("database_url") => "database",
        Some(setting) if setting.starts_with("broker_") => "broker",
        _ => "settings",
    };
    Finding::failure(check, failure)
}

/// Runs all checks that these roles need.
async fn examine(settings: &Settings, roles: Roles) -> Vec<Finding> {
    let database =
        async { if roles.need_database() { database::examine(settings, roles).await } else { Vec::new() } };
    let machine =
        async { if roles.include(Role::Worker) { machine::examine(settings).await } else { Vec::new() } };
    let celery =
        async { if roles.include(Role::Producer) { celery::examine(settings).await } else { Vec::new() } };
    let (broker, celery, database, machine) =
        tokio::join!(broker::examine(settings, roles), celery, database, machine);
    [broker, celery, database, machine].concat()
}

fn end(findings: &[Finding]) -> Result<Status, Failure> {
    let problems = |fault| findings.iter().filter(|finding| finding.state == State::Problem(fault)).count();
    match (problems(Fault::Usage), problems(Fault::Infrastructure)) {
        (0, 0) => Ok(Status::Passed),
        (0, problems) => Err(Failure::infrastructure(format!("{} found", counted(problems)))),
        (wrong, others) => Err(Failure::usage(format!("{} found", counted(wrong + others)))),
    }
}

fn counted(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}
