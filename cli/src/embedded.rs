//! All roles in one process: the fleet's own producer, worker and recorder over the in-process queue.

use std::convert::Infallible;
use std::time::Duration;

use indicatif::ProgressBar;
use linkbeat_broker::{BrokerClosed, MemoryBroker, SharedBroker};
use linkbeat_producer::Outbox;
use linkbeat_recorder::Recorder;
use linkbeat_shared::RunSize;
use linkbeat_store::{Filed, SharedStore};
use linkbeat_vitals::Activity;
use linkbeat_worker::{Health, OwnFault, Worker};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;
use crate::follow;
use crate::proxies;
use crate::settings::Settings;

/// Messages that one in-process queue holds before publishers wait; those under way count, so it must be
/// more than a worker takes at once.
pub(crate) const QUEUE_CAPACITY: usize = 4_096;
/// How long an orderly end may take after an interruption: checks under way are given up, what was found
/// is stored.
pub(crate) const DRAIN: Duration = Duration::from_secs(2);
/// How often the database is asked how far the run is.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// How long results may wait to be stored.
const OUTAGE: Duration = Duration::from_secs(10);
/// How often the bar is moved.
const MOVE_EVERY: Duration = Duration::from_millis(100);

/// How an embedded run ended.
pub(crate) enum Ending {
    /// Every link has its result.
    Finished,
    /// A signal came; the run can be resumed.
    Interrupted,
}

/// Carries a filed run to its end in this process.
pub(crate) async fn carry_out(
    settings: &Settings,
    store: &SharedStore,
    filed: &Filed,
    bar: &ProgressBar,
    interrupt: &CancellationToken,
) -> Result<Ending, Failure> {
    let roles = Roles::start(settings, store, filed)?;
    let outcome = tokio::select! {
        outcome = roles.until_end(store, filed, bar) => outcome.map(|()| Ending::Finished),
        () = interrupt.cancelled() => Ok(Ending::Interrupted),
    };
    roles.stop().await;
    bar.finish_and_clear();
    outcome
}

struct Roles {
    broker: SharedBroker,
    health: tokio::sync::watch::Receiver<Health>,
    checks: Activity,
    /// The proxies in use, as text.
    proxies: String,
    /// Why results cannot be stored.
    outage: watch::Receiver<Option<String>>,
    stop_worker: CancellationToken,
    stop_recorder: CancellationToken,
    worker: JoinHandle<Result<(), BrokerClosed>>,
    recorder: JoinHandle<()>,
}

impl Roles {
    fn start(settings: &Settings, store: &SharedStore, filed: &Filed) -> Result<Self, Failure> {
        let broker: SharedBroker = MemoryBroker::new(QUEUE_CAPACITY);
        let mut worker_settings = settings.worker.clone();
        worker_settings.drain_timeout = DRAIN.try_into().ok();
        // Here nobody takes back what is held for long.
        worker_settings.max_hold = None;
        let worker = Worker::new(&worker_settings, broker.clone())?;
        // In a database that a fleet shares, the ends of its runs are the fleet's to tell.
        let mut recorder =
            Recorder::new(settings.recorder.clone(), broker.clone(), store.clone()).only(filed.run.id);
        // And so is its history to keep. A file has nobody else.
        if settings.database_url.is_sqlite() {
            recorder = recorder.keeping(settings.history.rules());
        }
        let (stop_worker, stop_recorder) = (CancellationToken::new(), CancellationToken::new());
        let (worker_token, recorder_token) = (stop_worker.clone(), stop_recorder.clone());
        Ok(Self {
            broker,
            health: worker.health(),
            checks: worker.checks().clone(),
            proxies: proxies::named(&settings.worker),
            outage: recorder.outage(RunSize::of(filed.run.links)),
            stop_worker,
            stop_recorder,
            worker: tokio::spawn(async move { worker.run(worker_token).await }),
            recorder: tokio::spawn(async move { recorder.run(recorder_token).await }),
        })
    }

    async fn until_end(&self, store: &SharedStore, filed: &Filed, bar: &ProgressBar) -> Result<(), Failure> {
        let outbox = Outbox::new(self.broker.clone(), store.clone());
        // A run that is resumed: its jobs were published to a queue that died with its process.
        if filed.existed {
            outbox.add_again(filed.run.id);
        } else {
            outbox.add(filed);
        }
        tokio::select! {
            never = self.move_along(filed, bar) => match never {},
            ended = follow::until_end(store, filed.run.id, bar, LOOK_EVERY) => ended,
            error = outbox.serve(filed.run.id) => Err(error.into()),
            fault = own_fault(self.health.clone()) => Err(unable(fault, &self.proxies)),
            problem = lasting(self.outage.clone()) => Err(unstored(&problem)),
        }
    }

    /// Moves the bar with each check. The database learns of the checks of a job together.
    async fn move_along(&self, filed: &Filed, bar: &ProgressBar) -> Infallible {
        loop {
            tokio::time::sleep(MOVE_EVERY).await;
            let done = filed.run.done + self.checks.tally().succeeded;
            bar.set_position(done.clamp(bar.position(), bar.position().max(filed.run.links)));
        }
    }

    /// First the worker, so that what it found reaches the recorder; then the recorder.
    async fn stop(self) {
        self.stop_worker.cancel();
        let _ = tokio::time::timeout(DRAIN * 2, self.worker).await;
        self.stop_recorder.cancel();
        let _ = tokio::time::timeout(DRAIN, self.recorder).await;
        self.broker.close().await;
    }
}

/// Ends when the worker finds that it cannot judge links, through no fault of theirs.
async fn own_fault(mut health: tokio::sync::watch::Receiver<Health>) -> OwnFault {
    let paused = health.wait_for(|health| matches!(health, Health::Paused { .. })).await;
    match paused.as_deref() {
        Ok(Health::Paused { fault, .. }) => *fault,
        // The worker has ended, and how is told elsewhere.
        _ => std::future::pending().await,
    }
}

/// Ends when results cannot be stored for so long that a person had better know.
async fn lasting(mut outage: watch::Receiver<Option<String>>) -> String {
    loop {
        let Ok(problem) = outage.wait_for(Option::is_some).await.map(|problem| problem.clone()) else {
            // The recorder has ended, and how is told elsewhere.
            return std::future::pending().await;
        };
        if timeout(OUTAGE, outage.wait_for(Option::is_none)).await.is_err() {
            return problem.unwrap_or_default();
        }
    }
}

fn unstored(problem: &str) -> Failure {
    Failure::infrastructure(format!("results cannot be stored: {problem}"))
        .advise("see that the disk has room and works, then finish the run with `linkbeat check --resume`")
}

fn unable(fault: OwnFault, proxies: &str) -> Failure {
    let problem = match fault {
        OwnFault::Offline => "nothing can be resolved or reached: this machine seems to be offline".to_owned(),
        OwnFault::Intercepted => {
            "names lead to addresses that are not public, so something on this machine or network seems to answer in \
             the sites' place, such as a VPN with fake IPs: name its proxy with --proxy, or open its addresses with \
             --allow-network (such as 198.18.0.0/15)"
                .to_owned()
        }
        OwnFault::Proxy => {
            format!("the proxy {proxies} does not let linkbeat through to the sites: correct it, or --proxy")
        }
        OwnFault::Resources => {
            "this machine is out of file descriptors, ports or memory: lower --concurrency, or raise the limit of open \
             files (`ulimit -n`) or --memory"
                .to_owned()
        }
        OwnFault::Stalled => {
            "linkbeat was stopped, or got too little of the processor, again and again: lower --concurrency or relieve \
             this machine"
                .to_owned()
        }
    };
    Failure::infrastructure(format!(
        "{problem}. No link was hidden for it; `linkbeat check --resume` goes on with the run"
    ))
}
