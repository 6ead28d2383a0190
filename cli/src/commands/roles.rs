//! The roles as daemons: each runs until a signal, and waits out faults of its servers.

use std::time::Duration;

use clap::Args;
use linkbeat_broker::SharedBroker;
use linkbeat_producer::Producer;
use linkbeat_recorder::Recorder;
use linkbeat_store::SharedStore;
use linkbeat_worker::{Health, Worker};
use tokio_util::sync::CancellationToken;

use super::servers;
use crate::args::{DaemonArgs, Flags, GlobalArgs, WorkerDaemonArgs};
use crate::exit::{Failure, Status};
use crate::health::{self, Ready};
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
        Recorder::new(settings.recorder, broker, store).run(shutdown).await;
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
    let broker = servers::reconnecting(&settings, role)?;
    let shutdown = shutdown::on_signal(notice);
    let Some(store) = servers::patient_store(&settings, &shutdown).await? else { return Ok(Status::Passed) };
    let _health = health::serve(settings.health_addr, connected(&broker)).await?;
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
    let broker = servers::reconnecting(&settings, "worker")?;
    let worker =
        Worker::new(&settings.worker, broker.clone()).map_err(|error| Failure::usage(error.to_string()))?;
    let shutdown = shutdown::on_signal("draining: checks under way are finished, the other jobs go back");
    let (connected, condition) = (connected(&broker), worker.health());
    let ready = move || match &*condition.borrow() {
        Health::Paused { fault, .. } => Err(fault.as_str()),
        Health::Starting | Health::Working => connected(),
    };
    let _health = health::serve(settings.health_addr, ready).await?;
    tracing::info!(role = "worker", "started");
    // It ends before its broker is closed.
    let _ = worker.run(shutdown).await;
    broker.close().await;
    tracing::info!(role = "worker", "stopped");
    Ok(Status::Passed)
}

/// Ready while every session that the role wants is open.
fn connected(broker: &SharedBroker) -> impl Fn() -> Ready + Send + Sync + use<> {
    let broker = broker.clone();
    move || if broker.ready() { Ok(()) } else { Err("no session with the broker") }
}
