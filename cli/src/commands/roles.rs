//! The roles as daemons: each runs until a signal, and waits out faults of its servers.

use std::time::Duration;

use clap::Args;
use linkbeat_broker::SharedBroker;
use linkbeat_producer::Producer;
use linkbeat_recorder::Recorder;
use linkbeat_worker::{Health, Worker};

use super::servers;
use crate::args::{DaemonArgs, Flags, GlobalArgs, WorkerArgs};
use crate::exit::{Failure, Status};
use crate::health::{self, Ready};
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
    worker: WorkerArgs,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// How long a producer or recorder may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// `linkbeat producer`
pub(crate) async fn producer(global: &GlobalArgs, args: ProducerArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { daemon: Some(&args.daemon), ..Flags::default() }, "info")?;
    let broker = servers::reconnecting(&settings, "producer")?;
    let shutdown = shutdown::on_signal("stopping, within 10 s: the request at hand goes back to the queue");
    let Some(store) = servers::patient_store(&settings, &shutdown).await? else { return Ok(Status::Passed) };
    let _health = health::serve(settings.health_addr, connected(&broker)).await?;
    tracing::info!("producer started");
    let producer = Producer::new(settings.producer, broker.clone(), store.clone());
    shutdown::within(STOP, shutdown.clone(), async {
        producer.run(shutdown).await;
        broker.close().await;
        store.close().await;
    })
    .await;
    tracing::info!("producer stopped");
    Ok(Status::Passed)
}

/// `linkbeat worker`
pub(crate) async fn worker(global: &GlobalArgs, args: WorkerRoleArgs) -> Result<Status, Failure> {
    let settings = global.settings(
        Flags { worker: Some(&args.worker), daemon: Some(&args.daemon), ..Flags::default() },
        "info",
    )?;
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
    tracing::info!("worker started");
    // It ends before its broker is closed.
    let _ = worker.run(shutdown).await;
    broker.close().await;
    tracing::info!("worker stopped");
    Ok(Status::Passed)
}

/// `linkbeat recorder`
pub(crate) async fn recorder(global: &GlobalArgs, args: RecorderArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { daemon: Some(&args.daemon), ..Flags::default() }, "info")?;
    let broker = servers::reconnecting(&settings, "recorder")?;
    let shutdown = shutdown::on_signal("stopping, within 10 s: the batch at hand is stored first");
    let Some(store) = servers::patient_store(&settings, &shutdown).await? else { return Ok(Status::Passed) };
    let _health = health::serve(settings.health_addr, connected(&broker)).await?;
    tracing::info!("recorder started");
    let recorder = Recorder::new(settings.recorder, broker.clone(), store.clone());
    shutdown::within(STOP, shutdown.clone(), async {
        recorder.run(shutdown).await;
        broker.close().await;
        store.close().await;
    })
    .await;
    tracing::info!("recorder stopped");
    Ok(Status::Passed)
}

/// Ready while every session that the role wants is open.
fn connected(broker: &SharedBroker) -> impl Fn() -> Ready + Send + Sync + use<> {
    let broker = broker.clone();
    move || if broker.ready() { Ok(()) } else { Err("no session with the broker") }
}
