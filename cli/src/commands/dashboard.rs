//! `linkbeat dashboard`

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use clap::{Args, Subcommand};
use linkbeat_dashboard::{BasePath, Dashboard, Facts, Ports, Queues, Setting};
use linkbeat_producer::Outbox;
use linkbeat_store::SharedStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::queues::OwnQueues;
use super::{password, servers};
use crate::args::{DaemonArgs, DashboardArgs, Flags, GlobalArgs};
use crate::desk::OwnDesk;
use crate::exit::{Failure, Status};
use crate::explainer::Explainer;
use crate::settings::{BrokerAddress, Origin, Settings};
use crate::{health, shutdown};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  linkbeat dashboard                                        on http://127.0.0.1:8080/
  linkbeat dashboard --listen 127.0.0.1:9000 --base-path /links    behind a proxy that serves it under /links
  linkbeat dashboard password                               the hash of a password, for the settings file

Where other machines can reach it, it starts only with a password, a token or --open-read:
docs/dashboard.md."
)]
pub(crate) struct DashboardRoleArgs {
    #[command(flatten)]
    dashboard: DashboardArgs,
    #[command(flatten)]
    daemon: DaemonArgs,
    #[command(subcommand)]
    command: Option<DashboardCommand>,
}

#[derive(Debug, Subcommand)]
enum DashboardCommand {
    /// Ask for a password, and print its hash for the setting dashboard.password_hash
    Password,
}

/// The name of this command.
const DASHBOARD: &str = "dashboard";

/// `linkbeat dashboard`
pub(crate) async fn run(global: &GlobalArgs, args: DashboardRoleArgs) -> Result<Status, Failure> {
    if let Some(DashboardCommand::Password) = args.command {
        return password::run();
    }
    let flags = Flags { dashboard: Some(&args.dashboard), daemon: Some(&args.daemon), ..Flags::default() };
    let settings = global.settings(flags, "info")?;
    let shutdown = shutdown::on_signal_to_daemon("stopping");
    let database = Arc::new(health::Database::default());
    let vitals = linkbeat_vitals::Vitals::new(DASHBOARD);
    let _health = health::serve(settings.health_addr, health::with_database(vitals, Arc::clone(&database)))?;
    let Some(store) = store(&settings, &database, &shutdown).await? else { return Ok(Status::Passed) };
    let store = database.store.get_or_init(|| store).clone();
    let outbox = outbox(&settings, &store)?;
    let _publishing = outbox.clone().map(|outbox| {
        let stop = shutdown.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { outbox.run(stop).await }))
    });
    let (listener, facts) = (listen(&settings).await?, facts(&settings, global.origins(flags)?));
    serve(&settings, facts, (store.clone(), outbox), listener, shutdown).await?;
    store.close().await;
    tracing::info!(role = DASHBOARD, "stopped");
    Ok(Status::Passed)
}

/// Takes the address of the dashboard.
pub(super) async fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let address = settings.dashboard.listen;
    TcpListener::bind(address).await.map_err(|error| unserved(address, &error))
}

fn unserved(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot serve dashboard.listen {address}: {error}"))
        .advise("stop what listens there, or choose another address with --listen")
}

/// Serves the dashboard until `shutdown`. An outbox of this process publishes what is filed.
pub(super) async fn serve(
    settings: &Settings,
    facts: Facts,
    (store, outbox): (SharedStore, Option<Arc<Outbox>>),
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let (address, base) = (settings.dashboard.listen, &settings.dashboard.base_path);
    let failed = |error| unserved(address, &error);
    let desk = OwnDesk {
        store: store.clone(),
        outbox,
        options: settings.check.clone(),
        explainer: Explainer::new(settings),
    };
    let ports = Ports { desk: Arc::new(desk), store, facts: Arc::new(facts), queues: queues(settings) };
    let dashboard = Dashboard::new(settings.dashboard.clone(), ports).await?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(role = DASHBOARD, url = %format_args!("http://{address}{}", BasePath::join(base, "/")), "started");
    dashboard.serve(listener, shutdown).await;
    Ok(())
}

/// Where RabbitMQ is named, it is asked for parked messages and workers.
fn queues(settings: &Settings) -> Option<Arc<dyn Queues>> {
    let queues = || -> Arc<dyn Queues> { Arc::new(OwnQueues::new(settings.clone())) };
    (settings.broker_url != BrokerAddress::Memory).then(queues)
}

/// What pages tell of this process.
pub(super) fn facts(settings: &Settings, origins: Vec<Origin>) -> Facts {
    let told = |Origin { name, value, from }| Setting { name, value, origin: from };
    Facts {
        zone: settings.history.time_zone,
        warn_certificate_days: settings.output.warn_certificate_days,
        settings: origins.into_iter().map(told).collect(),
    }
}

/// A SQLite file is made and migrated. PostgreSQL is waited for.
async fn store(
    settings: &Settings,
    database: &health::Database,
    shutdown: &CancellationToken,
) -> Result<Option<SharedStore>, Failure> {
    if settings.database_url.is_sqlite() {
        return servers::store(settings).await.map(Some);
    }
    servers::patient_store(settings, database, shutdown).await
}

/// Where RabbitMQ is named, jobs are published at once. Else `linkbeat up` finds the run within seconds.
fn outbox(settings: &Settings, store: &SharedStore) -> Result<Option<Arc<Outbox>>, Failure> {
    if settings.broker_url == BrokerAddress::Memory {
        return Ok(None);
    }
    let broker = servers::reconnecting(settings, DASHBOARD)?;
    Ok(Some(Arc::new(Outbox::new(broker, store.clone()))))
}
