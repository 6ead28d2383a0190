//! `linkbeat up`: all roles in one process.
//!
//! The roles are those of a fleet. Over the in-process queue they need no server: the database is a file. What a process
//! held when it ended is published anew at its next start.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use linkbeat_broker::{Broker, MemoryBroker, Queue, RabbitBroker, SharedBroker, WatchedBroker};
use linkbeat_dashboard::Facts;
use linkbeat_producer::Outbox;
use linkbeat_recorder::Recorder;
use linkbeat_store::SharedStore;
use linkbeat_worker::Worker;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{dashboard, roles, servers};
use crate::args::{DaemonArgs, DashboardArgs, Flags, GlobalArgs, WorkerDaemonArgs};
use crate::embedded::QUEUE_CAPACITY;
use crate::exit::{Failure, Status};
use crate::settings::{BrokerAddress, Origin, Settings};
use crate::{health, proxies, shutdown};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat links import friends.csv
  linkbeat schedule add friends --every 6h --backlink 'my[.]blog'
  linkbeat up                                    keeps them checked, until Ctrl-C or SIGTERM
  linkbeat up --listen 127.0.0.1:9000            serves the dashboard there instead of 127.0.0.1:8080
  linkbeat up --no-dashboard
  linkbeat up --health-addr 127.0.0.1:9180       serves /live and /ready as well

Without servers it uses the SQLite file of --database-url and a queue of its own. With --broker-url
amqp://… and --database-url postgres://… it is a producer, a worker and a recorder of a fleet.")]
pub(crate) struct UpArgs {
    #[command(flatten)]
    worker: WorkerDaemonArgs,
    #[command(flatten)]
    dashboard: DashboardArgs,
    /// Do not serve the dashboard
    #[arg(long, conflicts_with_all = ["listen", "base_path"])]
    no_dashboard: bool,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// The setting of the dashboard's address, and where its value comes from if nobody sets it.
const LISTEN: &str = "dashboard.listen";
const DEFAULT: &str = "default";
/// The name of this command.
const UP: &str = "up";
/// How long each role may take to stop, besides the checks that a worker finishes.
const STOP: Duration = Duration::from_secs(5);
/// How long results that were found may wait for the recorder at the end.
const STORING: Duration = Duration::from_secs(5);
/// Without a queue that outlives the process, a run that another process filed waits for the reconciler alone.
const RECONCILE_EVERY_SECS: u64 = 2;

/// `linkbeat up`
pub(crate) async fn run(global: &GlobalArgs, args: UpArgs) -> Result<Status, Failure> {
    let flags = Flags {
        worker_daemon: Some(&args.worker),
        dashboard: Some(&args.dashboard),
        daemon: Some(&args.daemon),
        ..Flags::default()
    };
    let mut settings = global.settings(flags, "info")?;
    proxies::of_environment(&mut settings.worker);
    let alone = settings.broker_url == BrokerAddress::Memory;
    if alone {
        on_its_own(&mut settings)?;
    }
    let queues: SharedBroker =
        if alone { MemoryBroker::new(QUEUE_CAPACITY) } else { servers::reconnecting(&settings, UP)? };
    let broker = Arc::new(WatchedBroker::new(queues));
    let celery = servers::of_celery(&settings, UP);
    let worker = Worker::new(&settings.worker, broker.clone())?;
    let window = match args.no_dashboard {
        true => None,
        false => Window::open(&settings, global.origins(flags)?).await?,
    };
    let shutdown = shutdown::on_signal_to_daemon(
        "stopping: checks under way are finished, the rest goes on at the next start",
    );
    let database = Arc::new(health::Database::default());
    let vitals = health::of_role(UP, &broker, roles::worker_stall(&settings.worker));
    let vitals = health::with_database(vitals, Arc::clone(&database));
    let vitals = health::with_celery(vitals, celery.as_ref());
    let vitals = health::with_checks(vitals, "", worker.checks().clone(), worker.health());
    let _health = health::serve(settings.health_addr, vitals)?;
    let Some(store) = store(&settings, &database, &shutdown).await? else { return Ok(Status::Passed) };
    let store = database.store.get_or_init(|| store).clone();
    let all = Roles::start(&settings, broker.clone(), celery.clone(), store.clone(), worker, alone)?;
    let window = window.map(|window| window.serve(&settings, &store, all.outbox.clone(), &shutdown));
    tracing::info!(role = UP, database = %settings.database_url, broker = %settings.broker_url, "started");
    shutdown.cancelled().await;
    let served = match window {
        Some(window) => window.closed().await,
        None => Ok(()),
    };
    all.stop(&*broker).await;
    if let Some(celery) = celery {
        celery.close().await;
    }
    broker.close().await;
    store.close().await;
    tracing::info!(role = UP, "stopped");
    served.map(|()| Status::Passed)
}

/// What is otherwise where nobody else takes from the queue.
fn on_its_own(settings: &mut Settings) -> Result<(), Failure> {
    if settings.celery.is_on() {
        return Err(Failure::usage("celery.queues is set, and tasks of Celery come over RabbitMQ")
            .advise("set --broker-url amqp://…, or take celery.queues back"));
    }
    // Here nobody takes back what is held for long.
    settings.worker.max_hold = None;
    settings.producer.publish_after_secs = settings.producer.publish_after_secs.min(1);
    settings.producer.reconcile_every_secs = settings.producer.reconcile_every_secs.min(RECONCILE_EVERY_SECS);
    Ok(())
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

/// The dashboard, which is to be served beside the roles.
struct Window {
    listener: TcpListener,
    facts: Facts,
}

/// The same while it is served.
struct OpenWindow {
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), Failure>>,
}

impl Window {
    /// Takes its address. Nobody asked for the one that is taken by default: if another process has it, the roles do
    /// without.
    async fn open(settings: &Settings, origins: Vec<Origin>) -> Result<Option<Self>, Failure> {
        let by_default = origins.iter().any(|origin| origin.name == LISTEN && origin.from == DEFAULT);
        let facts = dashboard::facts(settings, origins);
        match dashboard::listen(settings).await {
            Ok(listener) => Ok(Some(Self { listener, facts })),
            Err(failure) if by_default => {
                tracing::warn!(
                    problem = failure.problem,
                    "there is no dashboard; --listen takes another address"
                );
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    fn serve(
        self,
        settings: &Settings,
        store: &SharedStore,
        outbox: Arc<Outbox>,
        shutdown: &CancellationToken,
    ) -> OpenWindow {
        let (settings, store, stop) = (settings.clone(), store.clone(), shutdown.clone());
        let serving = async move {
            // Whoever cannot serve what was asked for says so at once.
            let ended =
                dashboard::serve(&settings, self.facts, (store, Some(outbox)), self.listener, stop.clone());
            let ended = ended.await;
            stop.cancel();
            ended
        };
        OpenWindow { shutdown: shutdown.clone(), serving: tokio::spawn(serving) }
    }
}

impl OpenWindow {
    /// Waits until it is closed, after the shutdown.
    async fn closed(self) -> Result<(), Failure> {
        self.shutdown.cancelled().await;
        match tokio::time::timeout(STOP, self.serving).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("the dashboard did not end within {STOP:?}; giving it up");
                Ok(())
            }
        }
    }
}

/// The roles, each with its own end.
struct Roles {
    outbox: Arc<Outbox>,
    producer: Role,
    worker: Role,
    recorder: Role,
    drain: Duration,
}

struct Role {
    name: &'static str,
    stop: CancellationToken,
    work: JoinHandle<()>,
}

impl Role {
    fn start<F>(name: &'static str, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        Self { name, work: tokio::spawn(work(stop.clone())), stop }
    }

    async fn end(self, limit: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(limit, self.work).await.is_err() {
            tracing::warn!(role = self.name, "did not stop within {limit:?}; giving up what is left");
        }
    }
}

impl Roles {
    fn start(
        settings: &Settings,
        broker: SharedBroker,
        celery: Option<Arc<RabbitBroker>>,
        store: SharedStore,
        worker: Worker,
        alone: bool,
    ) -> Result<Self, Failure> {
        let producer = roles::producer_of(settings, broker.clone(), celery, store.clone())?;
        if alone {
            producer.publish_again();
        }
        let recorder = Recorder::new(settings.recorder.clone(), broker, store);
        let recorder = recorder.keeping(settings.history.rules());
        Ok(Self {
            outbox: producer.outbox(),
            drain: settings.worker.drain_timeout.unwrap_or(settings.worker.max_timeout).duration(),
            producer: Role::start("producer", |stop| async move { producer.run(stop).await }),
            // It ends before its broker is closed.
            worker: Role::start("worker", |stop| async move {
                let _ = worker.run(stop).await;
            }),
            recorder: Role::start("recorder", |stop| async move { recorder.run(stop).await }),
        })
    }

    /// In the way of the data, so that what was found is stored.
    async fn stop(self, broker: &dyn Broker) {
        self.producer.end(STOP).await;
        self.worker.end(self.drain + STOP).await;
        let _ = tokio::time::timeout(STORING, stored(broker)).await;
        self.recorder.end(STOP).await;
    }
}

/// Waits until no result waits for the recorder.
async fn stored(broker: &dyn Broker) {
    while broker.waiting(&Queue::RESULTS).await.is_ok_and(|waiting| waiting > 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
