//! The role `worker`: takes jobs until it is asked to stop, pauses after faults of its own, and drains.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{BrokerClosed, MOST_LANES, Queue, SharedBroker};
use linkbeat_shared::Timeout;
use linkbeat_vitals::Activity;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::executor::{DRAIN_MARGIN, Executor};
use super::health::Health;
use super::intake::Intake;
use super::load::{Load, Share};
use super::outcome::JobEnd;
use super::pause::Pauses;
use super::settlement::Settlement;
use crate::check::Engine;
use crate::limits::Quotas;
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

/// Jobs that even the smallest worker takes at once. Where one job fills it, the next is at hand.
pub(super) const MIN_PREFETCH: u16 = 2;

/// Carries out jobs.
#[derive(Debug)]
pub struct Worker {
    jobs: Arc<Executor>,
    prefetch: u16,
    drain_limit: Duration,
    health: watch::Sender<Health>,
}

/// What one of several namespaces has of the engine.
struct Part {
    of: usize,
    share: Arc<Share>,
    quotas: Quotas,
}

/// Why a stretch of work ended.
enum Ended {
    Shutdown,
    BrokerClosed,
    Fault,
}

impl Worker {
    /// A worker with an engine of its own.
    pub fn new(settings: &WorkerSettings, broker: SharedBroker) -> Result<Self, SetupError> {
        let engine = Engine::new(settings)?;
        let slots = engine.concurrency();
        let part = Part { of: 1, share: Load::alone(slots), quotas: Quotas::alone(slots) };
        Ok(Self::on(Arc::new(engine), part, settings, broker))
    }

    /// Workers that share one engine, and so its slots and all its limits: one for the broker of each namespace.
    pub fn sharing(settings: &WorkerSettings, brokers: Vec<SharedBroker>) -> Result<Vec<Self>, SetupError> {
        let (engine, of) = (Arc::new(Engine::new(settings)?), brokers.len());
        let slots = engine.concurrency();
        let parts = Load::shared(slots, of).into_iter().zip(Quotas::shared(slots, of));
        let parts = parts.map(|(share, quotas)| Part { of, share, quotas });
        let workers = parts.zip(brokers);
        Ok(workers.map(|(part, broker)| Self::on(Arc::clone(&engine), part, settings, broker)).collect())
    }

    fn on(engine: Arc<Engine>, part: Part, settings: &WorkerSettings, broker: SharedBroker) -> Self {
        // Resized by the load, up to a job for each slot.
        let prefetch = engine.concurrency().div_ceil(part.of * usize::from(MOST_LANES));
        let drain =
            settings.drain_timeout.map_or(settings.max_timeout.duration() + DRAIN_MARGIN, |it| it.duration());
        let max_hold = settings.max_hold.map_or(Duration::MAX, Timeout::duration);
        let settlement = Settlement { broker: Arc::clone(&broker), patience: max_hold };
        Self {
            jobs: Arc::new(Executor {
                engine,
                broker,
                settlement,
                cancelled: Arc::default(),
                wishes: Arc::default(),
                share: part.share,
                quotas: part.quotas,
                drain_timeout: settings.drain_timeout,
                cut_short: Mutex::default(),
                max_hold,
            }),
            prefetch: u16::try_from(prefetch).unwrap_or(u16::MAX).max(MIN_PREFETCH),
            // Jobs cut themselves short; what remains is publishing, which waits while the broker is away.
            drain_limit: drain + DRAIN_MARGIN,
            health: watch::Sender::new(Health::Starting),
        }
    }

    /// How it is doing, now and with every change.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Counts its checks.
    pub fn checks(&self) -> &Activity {
        self.jobs.engine.checks()
    }

    /// Takes jobs until `shutdown` is cancelled. Then running checks may finish within the drain timeout. The
    /// worker publishes what they found, and gives back the links that have no result.
    /// [`BrokerClosed`]: the broker was closed before the shutdown.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), BrokerClosed> {
        let mut pauses = Pauses::new();
        // While the broker is away this returns after some seconds, and learns of cancelled runs later.
        let listening = self.jobs.cancelled.listen(&self.jobs.broker);
        let Some(listening) = shutdown.run_until_cancelled(listening).await else { return Ok(()) };
        let _listening = listening?;
        loop {
            let opening = Intake::open(&self.jobs.broker, self.prefetch);
            let Some(intake) = shutdown.run_until_cancelled(opening).await else { return Ok(()) };
            match self.work(intake?, &shutdown, &mut pauses).await {
                Ended::Shutdown => return Ok(()),
                Ended::BrokerClosed => return Err(BrokerClosed),
                Ended::Fault => {
                    let pause = pauses.next();
                    tracing::warn!(pause.ms = pause.as_millis(), "taking no jobs for a while");
                    shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
            }
        }
    }

    /// Works until a shutdown or a fault of its own. Jobs that were not begun go back to the broker for other
    /// workers.
    async fn work(&self, mut intake: Intake, shutdown: &CancellationToken, pauses: &mut Pauses) -> Ended {
        let stop = shutdown.child_token();
        let mut running = JoinSet::new();
        let mut more = self.jobs.share.more();
        let ready = self.jobs.quotas.ready();
        let mut fewer = ready.fewer();
        let ended = loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ended::Shutdown,
                Some(end) = running.join_next() => {
                    if self.pauses_after(end, pauses) {
                        break Ended::Fault;
                    }
                }
                Ok(()) = more.changed() => {}
                Ok(()) = fewer.changed() => {}
                next = intake.next(ready.has_room()) => match next {
                    Some((from, delivery)) => {
                        let in_line = (from == Queue::JOBS_LARGE).then(|| ready.job());
                        running.spawn(Arc::clone(&self.jobs).run(from, delivery, (in_line, stop.clone())));
                    }
                    None => break Ended::BrokerClosed,
                },
            }
            intake.resize(&self.jobs.share);
        };
        stop.cancel();
        let drain = async {
            intake.stop().await;
            while running.join_next().await.is_some() {}
        };
        if timeout(self.drain_limit, drain).await.is_err() {
            tracing::warn!(jobs = running.len(), "jobs are given back unfinished");
        }
        ended
    }

    /// Sets the health by the end of one job. `true`: the worker must pause.
    fn pauses_after(&self, end: Result<JobEnd, JoinError>, pauses: &mut Pauses) -> bool {
        match end {
            Ok(JobEnd::Done) => {
                pauses.reset();
                self.set_health(Health::Working);
                false
            }
            Ok(JobEnd::Fault(fault)) => {
                tracing::warn!(fault = fault.as_str(), "links could not be judged; their job goes back");
                let since = match *self.health.borrow() {
                    Health::Paused { since, .. } => since,
                    Health::Starting | Health::Working => Utc::now(),
                };
                self.set_health(Health::Paused { fault, since });
                true
            }
            Ok(JobEnd::Elsewhere) => false,
            Err(error) => {
                tracing::error!(%error, "a job panicked; it goes back");
                false
            }
        }
    }

    fn set_health(&self, health: Health) {
        self.health.send_if_modified(|current| std::mem::replace(current, health) != health);
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_broker::{Broker, MemoryBroker, Message, Target};
    use linkbeat_shared::wire::{JobMessage, ResultsMessage, decode};
    use linkbeat_shared::{CheckSpec, Job, JobId, JobLink, LinkId, LinkUrl, RunId, RunSize};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Sends a job of one link, of which nobody listens at the address.
    async fn send(broker: &MemoryBroker, size: RunSize) -> JobId {
        let url = LinkUrl::parse("http://127.0.0.1:9/").unwrap();
        let links = vec![JobLink { id: LinkId::new(), url, page_url: None, backlink: false }];
        let job = Job { id: JobId::new(), run_id: RunId::new(), check: CheckSpec::default(), links };
        let message = Message::of(job.id.0, &JobMessage::from(&job)).of_run(size);
        broker.publish(&Target::Queue(Queue::of_jobs(size)), message).await.unwrap();
        job.id
    }

    #[tokio::test]
    async fn where_many_checks_could_begin_only_small_runs_are_begun() {
        let broker = MemoryBroker::new(100);
        let allow_network = vec!["127.0.0.0/8".parse().unwrap()];
        let settings = WorkerSettings { allow_network, ..WorkerSettings::default() };
        let worker = Worker::new(&settings, broker.clone()).unwrap();
        let (ready, mut line) = (Arc::clone(worker.jobs.quotas.ready()), Vec::new());
        while ready.has_room() {
            line.extend(worker.jobs.quotas.of_run(RunSize::Large).in_line());
        }
        let stop = CancellationToken::new();
        let token = stop.clone();
        let working = tokio::spawn(async move { worker.run(token).await });
        let large = send(&broker, RunSize::Large).await;
        let small = send(&broker, RunSize::Small).await;
        let mut results = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
        let mut of_large = broker.subscribe(&Queue::RESULTS_LARGE, 1).await.unwrap();
        let first = tokio::select! {
            first = results.next() => first,
            first = of_large.next() => first,
            () = tokio::time::sleep(PATIENCE) => None,
        };
        assert_eq!(decode::<ResultsMessage>(&first.unwrap().message.body).unwrap().job_id, small.0);
        assert!(
            timeout(Duration::from_millis(200), of_large.next()).await.is_err(),
            "the line is as long as before"
        );
        drop(line);
        let second = timeout(PATIENCE, of_large.next()).await.expect("begun in time").unwrap();
        assert_eq!(decode::<ResultsMessage>(&second.message.body).unwrap().job_id, large.0);
        stop.cancel();
        working.await.unwrap().unwrap();
    }
}
