//! The roles as daemons. Each runs until a signal, and waits while its servers are away.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use futures::future::join_all;
use linkbeat_broker::{Broker, RabbitBroker, SharedBroker, WatchedBroker};
use linkbeat_producer::{Producer, RequestCounts};
use linkbeat_recorder::Recorder;
use linkbeat_shared::Timeout;
use linkbeat_shared::wire::WorkerMessage;
use linkbeat_store::SharedStore;
use linkbeat_vitals::Vitals;
use linkbeat_worker::{Worker, WorkerSettings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::servers;
use crate::args::{DaemonArgs, Flags, GlobalArgs, WorkerDaemonArgs};
use crate::exit::{Failure, Status};
use crate::settings::Settings;
use crate::{beat, health, minutes, proxies, shutdown};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  linkbeat producer --broker-url amqp://localhost --database-url postgres://localhost/linkbeat
  LINKBEAT_CELERY_QUEUES=linkbeat.celery linkbeat producer    take the tasks of Celery clients, too

It also files the runs of schedules: see `linkbeat schedule`. docs/TRIGGERS.md tells how other apps have
links checked.")]
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

/// A role may hold messages, wait for no server, and do nothing for this long. Then `/live` fails.
const STALL: Duration = Duration::from_secs(120);
/// The role that takes requests.
const PRODUCER: &str = "producer";
/// How long a producer or recorder may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// `linkbeat producer`
pub(crate) async fn producer(global: &GlobalArgs, args: ProducerArgs) -> Result<Status, Failure> {
    let notice = "stopping, within 10 s: the request at hand goes back to the queue";
    with_database(global, &args.daemon, PRODUCER, notice, async |settings, servers, shutdown| {
        let Servers { broker, celery, store, requests } = servers;
        Box::pin(producer_of(&settings, broker, celery, store)?.counting(requests).run(shutdown)).await;
        Ok(())
    })
    .await
}

/// A producer with these settings. `celery` is the RabbitMQ of Celery clients, if their tasks are taken.
pub(super) fn producer_of(
    settings: &Settings,
    broker: SharedBroker,
    celery: Option<Arc<RabbitBroker>>,
    store: SharedStore,
) -> Result<Producer, Failure> {
    let producer = Producer::new(settings.producer.clone(), broker, store);
    let Some(celery) = celery else { return Ok(producer) };
    let mut of_celery = settings.celery.clone();
    of_celery.database_url.get_or_insert_with(|| settings.database_url.clone());
    Ok(producer.with_celery(of_celery, settings.producer.clone(), celery)?)
}

/// `linkbeat recorder`
pub(crate) async fn recorder(global: &GlobalArgs, args: RecorderArgs) -> Result<Status, Failure> {
    let notice = "stopping, within 10 s: the batch at hand is stored first";
    with_database(global, &args.daemon, "recorder", notice, async |settings, servers, shutdown| {
        let recorder = Recorder::new(settings.recorder, servers.broker, servers.store);
        Box::pin(recorder.keeping(settings.history.rules()).run(shutdown)).await;
        Ok(())
    })
    .await
}

/// What such a role works on.
struct Servers {
    broker: SharedBroker,
    /// The RabbitMQ of Celery clients, for a producer that takes their tasks.
    celery: Option<Arc<RabbitBroker>>,
    store: SharedStore,
    requests: RequestCounts,
}

/// A role that needs the database as well as the broker.
async fn with_database(
    global: &GlobalArgs,
    args: &DaemonArgs,
    role: &'static str,
    notice: &'static str,
    run: impl AsyncFnOnce(Settings, Servers, CancellationToken) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    let settings = global.settings(Flags { daemon: Some(args), ..Flags::default() }, "info")?;
    let broker = Arc::new(WatchedBroker::new(servers::reconnecting(&settings, role)?));
    let shutdown = shutdown::on_signal_to_daemon(notice);
    let database = Arc::new(health::Database::default());
    let celery = servers::of_celery(&settings, role).filter(|_| role == PRODUCER);
    let vitals = health::with_database(health::of_role(role, &broker, STALL), Arc::clone(&database));
    let mut vitals = health::with_celery(vitals, celery.as_ref());
    let requests = RequestCounts::default();
    if role == PRODUCER {
        vitals = health::with_requests(vitals, requests.clone());
    }
    let _health = health::serve(settings.health_addr, vitals)?;
    let Some(store) = servers::patient_store(&settings, &database, &shutdown).await? else {
        return Ok(Status::Passed);
    };
    let store = database.store.get_or_init(|| store).clone();
    tracing::info!(role, "started");
    let minutes = minutes::of_work(role, "messages", broker.in_hand().clone());
    let _minutes = AbortOnDropHandle::new(tokio::spawn(minutes));
    let mut outcome = Ok(());
    shutdown::within(STOP, shutdown.clone(), async {
        let servers =
            Servers { broker: broker.clone(), celery: celery.clone(), store: store.clone(), requests };
        outcome = run(settings, servers, shutdown).await;
        if let Some(celery) = celery {
            celery.close().await;
        }
        broker.close().await;
        store.close().await;
    })
    .await;
    outcome?;
    tracing::info!(role, "stopped");
    Ok(Status::Passed)
}

/// `linkbeat worker`
pub(crate) async fn worker(global: &GlobalArgs, args: WorkerRoleArgs) -> Result<Status, Failure> {
    let flags = Flags { worker_daemon: Some(&args.worker), daemon: Some(&args.daemon), ..Flags::default() };
    let mut settings = global.settings(flags, "info")?;
    proxies::of_environment(&mut settings.worker);
    let name = beat::name_of(&settings.worker);
    let mut brokers = Vec::new();
    for namespace in settings.namespace.all() {
        let connection = format!("worker {name}");
        brokers.push(Arc::new(WatchedBroker::new(servers::reconnecting_in(
            namespace,
            &settings,
            &connection,
        )?)));
    }
    let shared: Vec<SharedBroker> = brokers.iter().map(|broker| broker.clone() as SharedBroker).collect();
    let workers = Worker::sharing(&settings.worker, shared)?;
    let shutdown =
        shutdown::on_signal_to_daemon("draining: checks under way are finished, the other jobs go back");
    let vitals = worker_vitals(&settings, &brokers, &workers).named(&name);
    let _health = health::serve(settings.health_addr, vitals)?;
    tracing::info!(role = "worker", worker.name = %name, namespaces = %settings.namespace, "started");
    let _beating: Vec<_> = brokers
        .iter()
        .zip(&workers)
        .map(|(broker, worker)| beats(&settings, &name, broker, worker))
        .collect();
    // They share an engine, and so its counts.
    let minutes = workers.first().map(|worker| minutes::of_work("worker", "checks", worker.checks().clone()));
    let _minutes = minutes.map(|minutes| AbortOnDropHandle::new(tokio::spawn(minutes)));
    // They end before their brokers are closed.
    join_all(workers.iter().map(|worker| worker.run(shutdown.clone()))).await;
    join_all(brokers.iter().map(|broker| broker.close())).await;
    tracing::info!(role = "worker", "stopped");
    Ok(Status::Passed)
}

/// Says in a namespace that this worker lives, until it is dropped.
fn beats(
    settings: &Settings,
    name: &str,
    broker: &Arc<WatchedBroker>,
    worker: &Worker,
) -> AbortOnDropHandle<()> {
    let beat = WorkerMessage::started(name.to_owned(), settings.worker.concurrency as u64, Utc::now());
    let beating = beat::of_worker(broker.clone(), beat, worker.checks().clone(), worker.health());
    AbortOnDropHandle::new(tokio::spawn(beating))
}

/// Each namespace has its parts. Where there are several, their names say whose they are.
fn worker_vitals(settings: &Settings, brokers: &[Arc<WatchedBroker>], workers: &[Worker]) -> Vitals {
    let stall = worker_stall(&settings.worker);
    let several = workers.len() > 1;
    let parts = settings.namespace.all().zip(brokers).zip(workers);
    parts.fold(Vitals::new("worker"), |vitals, ((namespace, broker), worker)| {
        let suffix = if several { format!(" {namespace}") } else { String::new() };
        let vitals = health::with_broker(vitals, &suffix, broker, stall);
        health::with_checks(vitals, &suffix, worker.checks().clone(), worker.health())
    })
}

/// At least one check ends within its deadline, once its host's turn has come.
pub(super) fn worker_stall(settings: &WorkerSettings) -> Duration {
    let turn = settings.min_interval.map(Timeout::duration).unwrap_or_default();
    settings.max_timeout.duration() + turn + STALL
}
