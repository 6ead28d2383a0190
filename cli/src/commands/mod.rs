//! One file per subcommand.

pub(crate) mod check;
pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod links;
mod migrate;
pub(crate) mod roles;
pub(crate) mod run;
pub(crate) mod runs;
mod servers;
mod write;

use clap::CommandFactory;

use crate::args::{Cli, Command};
use crate::exit::{Failure, Status};

/// Carries out a command line.
pub(crate) async fn run(cli: Cli) -> Result<Status, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Check(args) => check::run(&global, args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Links(command) => links::run(&global, command).await,
        Command::Run(args) => run::run(&global, args).await,
        Command::Runs(command) => runs::run(&global, command).await,
        Command::Dead(command) => dead::run(&global, command).await,
        Command::Producer(args) => roles::producer(&global, args).await,
        Command::Worker(args) => roles::worker(&global, args).await,
        Command::Recorder(args) => roles::recorder(&global, args).await,
        Command::Migrate => migrate::run(&global).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "linkbeat", &mut std::io::stdout());
            Ok(Status::Passed)
        }
    }
}
