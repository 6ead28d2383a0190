//! The command line: one file per subcommand.

mod backup;
mod check;
mod dashboard;
mod dead;
mod demo;
mod doctor;
mod explain;
mod history;
mod link_filter;
mod link_history;
mod link_pause;
mod link_said;
mod links;
mod migrate;
mod parse;
mod password;
mod queues;
mod roles;
mod run;
mod run_repeat;
mod runs;
mod schedule;
mod servers;
mod tokens;
mod up;
mod which_run;
mod workers;
mod write;

use clap::{CommandFactory, Parser, Subcommand};

pub(crate) use self::parse::parse;
use linkbeat_shared::LinkSelection;
use linkbeat_store::SharedStore;

use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::listed::Listed;

/// Watches links: checks them concurrently, hides those that are down or no longer link back, and shows
/// them again when they recover.
#[derive(Debug, Parser)]
#[command(name = "linkbeat", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  linkbeat demo                                  see it work, without internet
  linkbeat check friends.csv                     check a list on this machine
  linkbeat check friends.csv --backlink 'https?://my\\.blog' --white-list 'Old friend'
  linkbeat check --resume                        finish a check that was killed
  linkbeat links list --format json              what is shown and hidden now
  linkbeat schedule add blog --every 6h          check the stored links every six hours
  linkbeat up                                    all roles in one process, with the schedules
  linkbeat run --wait --format json              check on a fleet of workers

Every setting can also stand in linkbeat.toml, or in the variable of its path:
check.timeout is LINKBEAT_CHECK_TIMEOUT.

Exit status: 0 every link passed; 1 some link did not; 2 usage, configuration or input error;
3 broker, database or other infrastructure failure; 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check links on this machine: import INPUT, run, wait, report
    Check(check::CheckArgs),
    /// Check one link and tell each step: addresses, phases, redirects, certificate, backlink, the verdict and its rule
    Explain(explain::ExplainArgs),
    /// See the main job at work on a street of small local sites, without internet
    Demo(demo::DemoArgs),
    /// The stored links
    #[command(subcommand)]
    Links(links::LinksCommand),
    /// How much history is kept, and its removal
    #[command(subcommand)]
    History(history::HistoryCommand),
    /// File a run for the fleet of workers
    Run(run::RunArgs),
    /// Look at runs
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Have links checked again and again
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Look at messages that nobody could handle, put them back, or drop them
    #[command(subcommand)]
    Dead(dead::DeadCommand),
    /// The workers of a fleet
    #[command(subcommand)]
    Workers(workers::WorkersCommand),
    /// Tokens of programs that use the dashboard's API
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    /// Daemon: all roles in one process, with the schedules
    Up(up::UpArgs),
    /// Daemon: turns requests and the ticks of schedules into runs and jobs
    Producer(roles::ProducerArgs),
    /// Daemon: takes jobs and checks their links; start as many as you like, they need no database
    Worker(roles::WorkerRoleArgs),
    /// Daemon: stores results, decides what is shown, closes runs
    Recorder(roles::RecorderArgs),
    /// Daemon: pages, a JSON API and feeds of what is stored, over HTTP
    Dashboard(dashboard::DashboardRoleArgs),
    /// Write a copy of the SQLite database to a file, while everything may go on running
    Backup(backup::BackupArgs),
    /// Create or update the database's tables and, where a broker is named, its queues
    Migrate,
    /// See whether settings, broker, database and this machine are as they should be, and what to do if not
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Carries out a command line.
pub(crate) async fn run(cli: Cli) -> Result<Status, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Check(args) => check::run(&global, args).await,
        Command::Explain(args) => explain::run(&global, args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Links(command) => links::run(&global, command).await,
        Command::History(command) => history::run(&global, command).await,
        Command::Run(args) => run::run(&global, args).await,
        Command::Runs(command) => runs::run(&global, command).await,
        Command::Schedule(command) => schedule::run(&global, command).await,
        Command::Dead(command) => dead::run(&global, command).await,
        Command::Workers(command) => workers::run(&global, command).await,
        Command::Tokens(command) => tokens::run(&global, command).await,
        Command::Up(args) => up::run(&global, args).await,
        Command::Producer(args) => roles::producer(&global, args).await,
        Command::Worker(args) => roles::worker(&global, args).await,
        Command::Recorder(args) => roles::recorder(&global, args).await,
        Command::Dashboard(args) => dashboard::run(&global, args).await,
        Command::Backup(args) => backup::run(&global, args).await,
        Command::Migrate => migrate::run(&global).await,
        Command::Doctor(args) => doctor::run(&global, args).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "linkbeat", &mut std::io::stdout());
            Ok(Status::Passed)
        }
    }
}

/// The links of a list; without one all that are stored.
async fn selected(listed: Option<Listed>, store: &SharedStore) -> Result<LinkSelection, Failure> {
    match listed {
        Some(listed) => listed.meet(store).await.map(LinkSelection::Given),
        None => Ok(LinkSelection::Stored),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
