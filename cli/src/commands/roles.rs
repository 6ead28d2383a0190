//! The roles as daemons: each runs until a signal, and waits out faults of its servers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;
use linkbeat_broker::{Broker, SharedBroker, WatchedBroker};
use linkbeat_producer::Producer;
use linkbeat_recorder::Recorder;
use linkbeat_shared::Timeout;
use linkbeat_store::SharedStore;
use linkbeat_worker::{Worker, WorkerSettings};
use tokio_util::sync::CancellationToken;

use super::servers;
use crate::args::{DaemonArgs, Flags, GlobalArgs, WorkerDaemonArgs};
use crate::exit::{Failure, Status};
use crate::health::{self, Checking, Vitals};
use crate::settings::Settings;
use crate::shutdown;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  linkbeat producer --broker-url amqp://localhost --database-url postgres://localhost/linkbeat")]
pub(crate) struct ProducerArgs {
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  linkbeat recorder --broker-url amqp://localhost --database-url postgres://localhost/linkbeat")]
pub(crate) struct RecorderArgs {
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  linkbeat worker --broker-url amqp://localhost --concurrency 2000")]
pub(crate) struct WorkerRoleArgs {
    #[command(flatten)]
    worker: WorkerDaemonArgs,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// How long a role may hold messages, wait for no server, and do nothing, before `/live` fails.
const STALL: Duration = Duration::from_secs(120);
/// How long a producer or recorder may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// `linkbeat producer`
pub(crate) async fn producer(global: &GlobalArgs, args: ProducerArgs) -> Result<Status, Failure> {
    let notice = "stopping, within 10 s: the request at hand goes back to the queue";
    with_database(global, &args.daemon, "producer", notice, async |settings, broker, store, shutdown| {
        Producer::new(settings.producer, broker, store).run(shutdown).await;
    })
    .await
}

/// `linkbeat recorder`
pub(crate) async fn recorder(global: &GlobalArgs, args: RecorderArgs) -> Result<Status, Failure> {
    let notice = "stopping, within 10 s: the batch at hand is stored first";
    with_database(global, &args.daemon, "recorder", notice, async |settings, broker, store, shutdown| {
        Box::pin(Recorder::new(settings.recorder, broker, store).run(shutdown)).await;
    })
    .await
}

/// A role that needs the database as well as the broker.
async fn with_database(
    global: &GlobalArgs,
    args: &DaemonArgs,
    role: &'static str,
    notice: &'static str,
    run: impl AsyncFnOnce(Settings, SharedBroker, SharedStore, CancellationToken),
) -> Result<Status, Failure> {
    let settings = global.settings(Flags { daemon: Some(args), ..Flags::default() }, "info")?;
    let broker = Arc::new(WatchedBroker::new(servers::reconnecting(&settings, role)?));
    let shutdown = shutdown::on_signal_to_daemon(notice);
    let database = Arc::new(OnceLock::new());
    let vitals = Vitals::new(role, broker.clone(), Some(database.clone()), None, STALL);
    let _health = health::serve(settings.health_addr, vitals)?;
    let Some(store) = servers::patient_store(&settings, &shutdown).await? else { return Ok(Status::Passed) };
    let store = database.get_or_init(|| store).clone();
    tracing::info!(role, "started");
    shutdown::within(STOP, shutdown.clone(), async {
        run(settings, broker.clone(), store.clone(), shutdown).await;
        broker.close().await;
        store.close().await;
    })
    .await;
    tracing::info!(role, "stopped");
    Ok(Status::Passed)
}

/// `linkbeat worker`
pub(crate) async fn worker(global: &GlobalArgs, args: WorkerRoleArgs) -> Result<Status, Failure> {
    let flags = Flags { worker_daemon: Some(&args.worker), daemon: Some(&args.daemon), ..Flags::default() };
    let settings = global.settings(flags, "info")?;
    let broker = Arc::new(WatchedBroker::new(servers::reconnecting(&settings, "worker")?));
    let worker =
        Worker::new(&settings.worker, broker.clone()).map_err(|error| Failure::usage(error.to_string()))?;
    let shutdown =
        shutdown::on_signal_to_daemon("draining: checks under way are finished, the other jobs go back");
    let checking = Checking { checks: worker.checks().clone(), health: worker.health() };
    let vitals = Vitals::new("worker", broker.clone(), None, Some(checking), worker_stall(&settings.worker));
    let _health = health::serve(settings.health_addr, vitals)?;
    tracing::info!(role = "worker", "started");
    // It ends before its broker is closed.
    let _ = worker.run(shutdown).await;
    broker.close().await;
    tracing::info!(role = "worker", "stopped");
    Ok(Status::Passed)
}

/// Some check ends within its deadline, once its host's turn has come.
fn worker_stall(settings: &WorkerSettings) -> Duration {
    let turn = settings.min_interval.map(Timeout::duration).unwrap_or_default();
    settings.max_timeout.duration() + turn + STALL
}
