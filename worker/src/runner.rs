//! The role `worker`: takes jobs until told to stop, pauses after own faults, drains.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{BrokerClosed, MOST_LANES, SharedBroker};
use linkbeat_shared::Timeout;
use linkbeat_vitals::Activity;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::intake::Intake;
use crate::job::{DRAIN_MARGIN, JobEnd, JobRunner};
use crate::load::Load;
use crate::pause::Pauses;
use crate::{Engine, Health, SetupError, WorkerSettings};

/// Jobs taken by the smallest worker, even where one would fill it, so that the next is at hand.
const MIN_PREFETCH: usize = 2;

/// Carries out jobs.
#[derive(Debug)]
pub struct Worker {
    jobs: Arc<JobRunner>,
    prefetch: u16,
    drain_limit: Duration,
    health: watch::Sender<Health>,
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
        let engine = Arc::new(Engine::new(settings)?);
        // Resized by the load, up to a job for each slot.
        let prefetch = engine.concurrency().div_ceil(MOST_LANES.into()).max(MIN_PREFETCH);
        let load = Load::new(engine.concurrency());
        let drain =
            settings.drain_timeout.map_or(settings.max_timeout.duration() + DRAIN_MARGIN, |it| it.duration());
        Ok(Self {
            jobs: Arc::new(JobRunner {
                engine,
                broker,
                cancelled: Arc::default(),
                load,
                drain_timeout: settings.drain_timeout,
                cut_short: Mutex::default(),
                max_hold: settings.max_hold.map_or(Duration::MAX, Timeout::duration),
            }),
            prefetch: u16::try_from(prefetch).unwrap_or(u16::MAX),
            // Jobs cut themselves short; what remains is publishing, which waits while the broker is away.
            drain_limit: drain + DRAIN_MARGIN,
            health: watch::Sender::new(Health::Starting),
        })
    }

    /// How it is doing, now and with every change.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Counts its checks.
    pub fn checks(&self) -> &Activity {
        self.jobs.engine.checks()
    }

    /// Takes jobs until `shutdown`, then finishes what is running within the drain timeout: finished
    /// results of a job are published, unfinished jobs go back. [`BrokerClosed`]: the broker was closed
    /// before the shutdown.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), BrokerClosed> {
        let mut pauses = Pauses::new();
        // Where the broker is away this goes on after some seconds, and hears of what was cancelled later.
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

    /// One stretch of work; over with a shutdown or an own fault. Jobs not begun go back to the broker, so
    /// that other workers can have them.
    async fn work(&self, mut intake: Intake, shutdown: &CancellationToken, pauses: &mut Pauses) -> Ended {
        let stop = shutdown.child_token();
        let mut running = JoinSet::new();
        let ended = loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ended::Shutdown,
                Some(end) = running.join_next() => {
                    if self.note(end, pauses) {
                        break Ended::Fault;
                    }
                }
                () = self.jobs.load.more() => {}
                next = intake.next() => match next {
                    Some((from, delivery)) => {
                        running.spawn(Arc::clone(&self.jobs).run(from, delivery, stop.clone()));
                    }
                    None => break Ended::BrokerClosed,
                },
            }
            intake.resize(self.jobs.load.wanted());
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

    /// Takes one job's end into account. `true`: no further jobs for now.
    fn note(&self, end: Result<JobEnd, JoinError>, pauses: &mut Pauses) -> bool {
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
            Ok(JobEnd::Cancelled | JobEnd::Parked | JobEnd::SentOn | JobEnd::GivenBack) => false,
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
