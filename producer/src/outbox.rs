//! The one place from which jobs are published.
//!
//! The jobs table is the outbox: a job is committed there first, and marked once the broker has it. [`Outbox`]
//! publishes jobs that are not marked yet, page by page and in turns, so that no run waits for all of another. Jobs
//! that this process filed join at once. Jobs that others filed or lost join when somebody finds them in the database.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use linkbeat_broker::{Message, PublishError, Queue, SharedBroker, Target};
use linkbeat_shared::wire::{EventMessage, RUN_STARTED};
use linkbeat_shared::{JobId, Request, RunId, derived_id};
use linkbeat_store::{
    Filed, JobKind, OpenJobs, ProducerStore, StoreError, StoredJob, Unpublished, UnpublishedRun,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ProducerError;
use crate::file::file_keeping;
use crate::line::{Beginning, Line, Waiting};

/// Jobs that are read from the database, and published, in one turn.
const PAGE: usize = 500;
/// Jobs on their way to the broker at once.
const IN_FLIGHT: usize = 64;
/// With so many messages waiting, nothing that was found by a look is added to them.
pub(crate) const ENOUGH_WAITING: u64 = 10_000;
/// How long a fault of the database is waited out before the next try: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long publishing goes on after a shutdown was asked for, if something waits.
const DRAIN: Duration = Duration::from_secs(2);
/// How often [`Outbox::serve`] looks for links of its run that are to be checked again.
const RECHECKS_EVERY: Duration = Duration::from_millis(500);

/// Publishes the jobs of runs. Several may do so on one database, in as many processes: a job that is published twice
/// is harmless, as the store keeps one result per run and link.
#[derive(Debug)]
pub struct Outbox {
    pub(crate) broker: SharedBroker,
    pub(crate) store: Arc<dyn ProducerStore>,
    line: Mutex<Line>,
    /// Changes whenever the line does.
    changes: watch::Sender<()>,
}

impl Outbox {
    /// An outbox on these servers. Nothing is published before one of [`Outbox::run`], [`Outbox::serve`] and
    /// [`Outbox::drain`] is called.
    pub fn new(broker: SharedBroker, store: Arc<dyn ProducerStore>) -> Self {
        Self { broker, store, line: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Files a request as a run with all its jobs, in one transaction. Its jobs are published soon after.
    ///
    /// The same request id again gives the run that exists; what was never published of it is published now.
    pub async fn file(&self, request: Request) -> Result<Filed, StoreError> {
        let (filed, jobs) = file_keeping(&self.store, request).await?;
        if filed.existed {
            for run in self.store.unpublished_runs(Unpublished::OfRun(filed.run.id), 1).await? {
                let jobs = OpenJobs::UnpublishedOfRun(run.id);
                self.join(Waiting { begins: beginning(run), ..Waiting::new(jobs) });
            }
        } else {
            self.add_new(&filed, jobs);
        }
        Ok(filed)
    }

    /// Has the jobs of a run published that was just filed.
    pub fn add(&self, filed: &Filed) {
        self.add_new(filed, Vec::new());
    }

    /// Has all open jobs of a run published, also those that were before: for a process whose own queue ended with it.
    pub fn add_again(&self, run: RunId) {
        self.join(Waiting::new(OpenJobs::OfRun(run)));
    }

    fn add_new(&self, filed: &Filed, in_memory: Vec<StoredJob>) {
        #[cfg(feature = "failpoints")]
        fail::fail_point!("producer.committed", |_| std::process::abort());
        let run = &filed.run;
        let begins = Some(Beginning { run: run.id, created_at: run.created_at, trace: run.trace.clone() });
        self.join(Waiting { begins, in_memory, ..Waiting::new(OpenJobs::UnpublishedOfRun(run.id)) });
    }

    /// Publishes until `shutdown`, and for two seconds more if something waits then. Faults of the servers are waited
    /// out. Jobs that can never be published are logged and left.
    pub async fn run(&self, shutdown: CancellationToken) {
        let publishing = async {
            loop {
                match self.publish().await {
                    ProducerError::Publish(PublishError::Closed(_)) => return,
                    error => {
                        tracing::error!(%error, "some jobs cannot be published; they are tried again later");
                    }
                }
            }
        };
        let ending = async {
            shutdown.cancelled().await;
            let _ = tokio::time::timeout(DRAIN, self.emptied()).await;
        };
        tokio::select! {
            () = publishing => {}
            () = ending => {}
        }
    }

    /// Publishes what was added, and the rechecks of this run as they come: for a process that carries out one run.
    ///
    /// Ends with the first fault, except that a look for rechecks is repeated where time may heal it.
    pub async fn serve(&self, run: RunId) -> ProducerError {
        let mut looks = tokio::time::interval(RECHECKS_EVERY);
        let mut publishing = std::pin::pin!(self.publish_or_fail());
        loop {
            tokio::select! {
                error = &mut publishing => return error,
                _ = looks.tick() => self.join(Waiting::new(OpenJobs::RechecksOfRun(run))),
            }
        }
    }

    /// Publishes what was added, and returns. Ends early with the first fault.
    pub async fn drain(&self) -> Result<(), ProducerError> {
        while let Some(waiting) = self.take() {
            self.turn(waiting).await?;
        }
        Ok(())
    }

    pub(crate) fn join(&self, waiting: Waiting) {
        self.line().join(waiting);
        self.changes.send_replace(());
    }

    /// Messages between producer and recorder that nobody has taken yet.
    pub(crate) async fn backlog(&self) -> Result<u64, ProducerError> {
        let mut waiting = 0;
        for queue in [Queue::JOBS, Queue::SUSPECTS, Queue::ISOLATED, Queue::RESULTS] {
            waiting += self.broker.waiting(&queue).await.map_err(PublishError::from)?;
        }
        Ok(waiting)
    }

    async fn publish_or_fail(&self) -> ProducerError {
        loop {
            let waiting = self.next().await;
            let rechecks = matches!(waiting.jobs, OpenJobs::RechecksOfRun(_));
            match self.turn(waiting).await {
                Ok(()) => {}
                Err(error) if rechecks && error.is_transient() => {
                    tracing::warn!(%error, "links could not be looked up that are to be checked again; trying again");
                    tokio::time::sleep(RECHECKS_EVERY).await;
                }
                Err(error) => return error,
            }
        }
    }

    /// Publishes turn after turn. Ends with what time does not heal.
    async fn publish(&self) -> ProducerError {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.turn(self.next().await).await {
                Ok(()) if pause > FIRST_PAUSE => {
                    tracing::info!("jobs are published again");
                    pause = FIRST_PAUSE;
                }
                Ok(()) => {}
                Err(error) if error.is_transient() => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!(%error, "jobs cannot be published; trying again until they are");
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return error,
            }
        }
    }

    /// Publishes one page. Who is not done, or failed for a while, waits for another turn.
    async fn turn(&self, mut waiting: Waiting) -> Result<(), ProducerError> {
        let published = self.publish_page(&mut waiting).await;
        match &published {
            Ok(true) => self.line().again(waiting),
            Err(error) if error.is_transient() => self.line().again(waiting),
            Ok(false) | Err(_) => {
                self.line().leave();
                if let Some(name) = waiting.found.filter(|_| waiting.published > 0) {
                    tracing::warn!(jobs = waiting.published, "published {name}");
                }
            }
        }
        self.changes.send_replace(());
        published.map(drop)
    }

    /// Publishes the next page, and then marks its jobs; whether there may be more.
    async fn publish_page(&self, waiting: &mut Waiting) -> Result<bool, ProducerError> {
        let gives_way = waiting.found.is_some() && waiting.after.is_some();
        if gives_way && self.backlog().await? >= ENOUGH_WAITING {
            return Ok(false);
        }
        let mut jobs = std::mem::take(&mut waiting.in_memory);
        if jobs.is_empty() {
            jobs = self.store.open_jobs(waiting.jobs, waiting.after, PAGE as u32).await?;
        }
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        // A crash before they are marked repeats both.
        tokio::try_join!(self.announce_begin(waiting.begins.as_ref()), self.publish_jobs(jobs))?;
        if !ids.is_empty() {
            self.store.mark_published(&ids).await?;
        }
        waiting.begins = None;
        waiting.after = ids.last().copied().or(waiting.after);
        waiting.published += ids.len() as u64;
        Ok(ids.len() >= PAGE && waiting.published < waiting.limit)
    }

    async fn publish_jobs(&self, jobs: Vec<StoredJob>) -> Result<(), PublishError> {
        let published = stream::iter(jobs).map(|job| self.publish_job(job)).buffer_unordered(IN_FLIGHT);
        published.try_collect().await
    }

    async fn publish_job(&self, job: StoredJob) -> Result<(), PublishError> {
        let target = match job.kind {
            JobKind::Recheck if !job.due_in.is_zero() => Target::Delayed(job.due_in),
            JobKind::Check | JobKind::Recheck => Target::Queue(Queue::JOBS),
            JobKind::WhiteListed => Target::Queue(Queue::RESULTS),
        };
        let message = Message::new(job.id.0, job.body).traced(job.trace.as_ref());
        self.broker.publish(&target, message).await?;
        #[cfg(feature = "failpoints")]
        fail::fail_point!("producer.published", |_| std::process::abort());
        Ok(())
    }

    /// Tells whoever listens that a run was filed. The message id is the run's, so that a repeat is known as one.
    async fn announce_begin(&self, begins: Option<&Beginning>) -> Result<(), PublishError> {
        let Some(Beginning { run, created_at, trace }) = begins else { return Ok(()) };
        let event = EventMessage::run_started(*run, *created_at);
        let message = Message::of(derived_id::run_started_event(*run), &event).traced(trace.as_ref());
        self.broker.publish(&Target::Event(RUN_STARTED.into()), message).await
    }

    async fn next(&self) -> Waiting {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            // It lives as long as its sender, which is ours.
            let _ = changes.changed().await;
        }
    }

    fn take(&self) -> Option<Waiting> {
        self.line().next()
    }

    async fn emptied(&self) {
        let mut changes = self.changes.subscribe();
        while !self.line().is_empty() {
            let _ = changes.changed().await;
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a run, unless it was announced with a job that is published already.
pub(crate) fn beginning(run: UnpublishedRun) -> Option<Beginning> {
    let UnpublishedRun { id, created_at, begun, trace } = run;
    (!begun).then_some(Beginning { run: id, created_at, trace })
}
