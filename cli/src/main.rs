//! `linkbeat`: a distributed link checker. One binary, a subcommand per role.

mod args;
mod ask;
mod beat;
mod commands;
mod demo;
mod desk;
mod embedded;
mod exit;
mod explainer;
mod filing;
mod finding;
mod follow;
mod health;
mod input;
mod lang;
mod listed;
mod local_run;
mod logging;
mod minutes;
mod output;
mod plain;
mod progress;
mod proxies;
mod settings;
mod shutdown;

use std::process::ExitCode;

use crate::exit::Failure;

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("crash points are for tests: they are never built into a release");

/// Thousands of checks begin and end every second on all threads, each with many small pieces of memory: the
/// system's allocator takes a fifth of a worker's time for them (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _crash_points = fail::FailScenario::setup();
    let cli = commands::parse();
    if let Some(when) = cli.global.color {
        when.apply();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&Failure::infrastructure(format!("the runtime cannot start: {error}")));
        }
    };
    let code = match runtime.block_on(commands::run(cli)) {
        Ok(status) => status.into(),
        Err(failure) => fail(&failure),
    };
    // What still runs after an orderly end (a blocked look-up, say) must not hold up the exit.
    runtime.shutdown_background();
    logging::finish();
    code
}

/// Prints the failure and gives its exit status.
fn fail(failure: &Failure) -> ExitCode {
    logging::print_failure(failure);
    failure.into()
}
