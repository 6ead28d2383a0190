//! The one place from which jobs are published.
//!
//! The jobs table is the outbox: a job is committed there first, and marked once the broker has it. [`Outbox`]
//! publishes jobs that are not marked yet, page by page and in turns, so that no run waits for all of another. While enough
//! wait in the queue it leaves them in the database ([`Window`]). Jobs that this process filed join at once. Jobs that
//! others filed or lost join when somebody finds them in the database.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use linkbeat_broker::{Message, PublishError, Queue, SharedBroker, Target};
use linkbeat_shared::wire::{EventMessage, RUN_STARTED};
use linkbeat_shared::{JobId, Request, RunId, RunSize, derived_id};
use linkbeat_store::{
    Account, Filed, FiledTask, JobKind, NewTask, OpenJobs, ProducerStore, StoreError, StoredJob, Unpublished,
    UnpublishedRun,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ProducerError;
use crate::file::{file_keeping, file_task};
use crate::line::{Beginning, Lane, Lines, Waiting};
use crate::window::{WORTH_IT, Window};

/// Jobs that are read from the database, and published, in one turn at most.
const PAGE: u64 = 500;
/// Jobs on their way to the broker at once.
const IN_FLIGHT: usize = 64;
/// With so many messages waiting, nothing that was found by a look is added to them.
pub(crate) const ENOUGH_WAITING: u64 = 10_000;
/// How long a fault of the database is waited out before the next try: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long publishing goes on after a shutdown was asked for, if something waits.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a large run is left to the producer that published some of it.
const LEASE: Duration = Duration::from_secs(20);
/// Names of such leases, so that the table stays small. Two runs that share a name are rare, and wait for each other.
const LEASES: u128 = 4_096;
/// How often [`Outbox::serve`] looks for links of its run that are to be checked again.
const RECHECKS_EVERY: Duration = Duration::from_millis(500);

/// Publishes the jobs of runs. Several may do so on one database, in as many processes: a job that is published twice
/// is harmless, as the store keeps one result per run and link.
#[derive(Debug)]
pub struct Outbox {
    pub(crate) broker: SharedBroker,
    pub(crate) store: Arc<dyn ProducerStore>,
    lines: Mutex<Lines>,
    /// Changes whenever a line does.
    changes: watch::Sender<()>,
    /// Names this outbox where producers must not do the same twice.
    holder: Uuid,
}

impl Outbox {
    /// An outbox on these servers. Nothing is published before one of [`Outbox::run`], [`Outbox::serve`] and
    /// [`Outbox::drain`] is called.
    pub fn new(broker: SharedBroker, store: Arc<dyn ProducerStore>) -> Self {
        let (lines, changes) = (Mutex::default(), watch::Sender::new(()));
        Self { broker, store, lines, changes, holder: Uuid::now_v7() }
    }

    /// Files a request as a run with all its jobs, in one transaction. Its jobs are published soon after.
    ///
    /// The same request id again gives the run that exists; what was never published of it is published now.
    pub async fn file(&self, request: Request) -> Result<Filed, StoreError> {
        self.file_for(request, None).await
    }

    /// The same for an app, within its limits.
    pub(crate) async fn file_for(
        &self,
        request: Request,
        account: Option<&Account>,
    ) -> Result<Filed, StoreError> {
        let (filed, jobs) = file_keeping(&self.store, request, account).await?;
        self.add_filed(&filed, jobs).await?;
        Ok(filed)
    }

    /// The same together with a Celery client's task, which is kept in the same transaction. Of a task that is known nothing
    /// is filed.
    pub(crate) async fn file_task(
        &self,
        task: NewTask,
        request: Request,
        account: Option<&Account>,
    ) -> Result<FiledTask, StoreError> {
        let (filed, jobs) = file_task(&self.store, task, request, account).await?;
        if let FiledTask::New(filed) = &filed {
            self.add_filed(filed, jobs).await?;
        }
        Ok(filed)
    }

    async fn add_filed(&self, filed: &Filed, jobs: Vec<StoredJob>) -> Result<(), StoreError> {
        if !filed.existed {
            self.add_new(filed, jobs);
            return Ok(());
        }
        for run in self.store.unpublished_runs(Unpublished::OfRun(filed.run.id), 1).await? {
            let waiting = Waiting::of_run(run.id, run.size);
            self.join(Waiting { begins: beginning(run), ..waiting });
        }
        Ok(())
    }

    /// Has the jobs of a run published that was just filed.
    pub fn add(&self, filed: &Filed) {
        self.add_new(filed, Vec::new());
    }

    /// Has all open jobs of a run published, also those that were before: for a process whose own queue ended with it.
    pub fn add_again(&self, run: RunId) {
        self.join(Waiting::again(OpenJobs::OfRun(run)));
    }

    pub(crate) fn add_new(&self, filed: &Filed, in_memory: Vec<StoredJob>) {
        #[cfg(feature = "failpoints")]
        fail::fail_point!("producer.committed", |_| std::process::abort());
        let run = &filed.run;
        let begins = Some(Beginning {
            run: run.id,
            request: run.request_id,
            created_at: run.created_at,
            trace: run.trace.clone(),
        });
        self.join(Waiting { begins, in_memory, ..Waiting::of_run(run.id, RunSize::of(run.links)) });
    }

    /// Publishes until `shutdown`, and for two seconds more if something waits then. Faults of the servers are waited
    /// out. Jobs that can never be published are logged and left.
    pub async fn run(&self, shutdown: CancellationToken) {
        let publishing = async {
            futures::future::join_all(Lane::ALL.map(|lane| Box::pin(self.publish(lane)))).await;
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
        let publishing = Lane::ALL.map(|lane| Box::pin(self.publish_or_fail(lane)));
        let mut publishing = futures::future::select_all(publishing);
        loop {
            tokio::select! {
                (error, ..) = &mut publishing => return error,
                _ = looks.tick() => self.join(Waiting::again(OpenJobs::RechecksOfRun(run))),
            }
        }
    }

    /// Publishes what was added, and returns. Ends early with the first fault.
    pub async fn drain(&self) -> Result<(), ProducerError> {
        for lane in Lane::ALL {
            while let Some(waiting) = self.take(lane) {
                self.turn(waiting, PAGE).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn join(&self, waiting: Waiting) {
        self.lines().join(waiting);
        self.changes.send_replace(());
    }

    /// Messages between producer and recorder that nobody has taken yet.
    pub(crate) async fn backlog(&self) -> Result<u64, ProducerError> {
        let mut waiting = 0;
        for queue in
            Queue::ALL.into_iter().filter(Queue::holds_jobs).chain([Queue::RESULTS, Queue::RESULTS_LARGE])
        {
            waiting += self.broker.waiting(&queue).await.map_err(PublishError::from)?;
        }
        Ok(waiting)
    }

    /// Whether small runs wait for room in their queue, and not for a producer.
    pub(crate) async fn small_runs_wait(&self) -> Result<bool, ProducerError> {
        Ok(Window::is_full(self.broker.waiting(&Queue::JOBS).await.map_err(PublishError::from)?))
    }

    async fn publish_or_fail(&self, lane: Lane) -> ProducerError {
        let mut window = Window::of(lane);
        loop {
            if let Err(error) = self.only_turn(lane, window.as_mut()).await {
                return error;
            }
        }
    }

    /// Waits until something waits and there is room, and publishes a page. A fault ends it, except of a look for rechecks
    /// where time may heal it.
    async fn only_turn(&self, lane: Lane, window: Option<&mut Window>) -> Result<(), ProducerError> {
        self.somebody_waits(lane).await;
        let Some(window) = window else { return self.look_or_fail(lane).await };
        let room = window.room(&self.broker).await?;
        let Some(waiting) = self.take(lane) else { return Ok(()) };
        window.take(self.turn(waiting, room.min(PAGE)).await?);
        Ok(())
    }

    async fn look_or_fail(&self, lane: Lane) -> Result<(), ProducerError> {
        let Some(waiting) = self.take(lane) else { return Ok(()) };
        let rechecks = matches!(waiting.jobs, OpenJobs::RechecksOfRun(_));
        match self.turn(waiting, PAGE).await {
            Err(error) if rechecks && error.is_transient() => {
                tracing::warn!(%error, "links could not be looked up that are to be checked again; trying again");
                tokio::time::sleep(RECHECKS_EVERY).await;
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// Publishes turn after turn until the broker is closed.
    async fn publish(&self, lane: Lane) {
        let mut window = Window::of(lane);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.next_turn(lane, window.as_mut()).await {
                Ok(()) if pause > FIRST_PAUSE => {
                    tracing::info!("jobs are published again");
                    pause = FIRST_PAUSE;
                }
                Ok(()) => {}
                Err(ProducerError::Publish(PublishError::Closed(_))) => return,
                Err(error) if error.is_transient() => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!(%error, "jobs cannot be published; trying again until they are");
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    tracing::error!(%error, "some jobs cannot be published; they are tried again later");
                }
            }
        }
    }

    /// Waits until somebody waits and there is room. Whoever is next then has the turn, also who came last.
    async fn next_turn(&self, lane: Lane, window: Option<&mut Window>) -> Result<(), ProducerError> {
        self.somebody_waits(lane).await;
        let Some(window) = window else {
            let Some(waiting) = self.take(lane) else { return Ok(()) };
            return self.turn(waiting, PAGE).await.map(drop);
        };
        let room = window.room(&self.broker).await?;
        let is_old = window.is_old();
        let shared = self.lines().of(lane).is_shared();
        let Some(waiting) = self.take(lane) else { return Ok(()) };
        // Many short turns, where several wait. The first one is short, too, so that a run begins soon.
        let most = if shared || waiting.after.is_none() { WORTH_IT } else { room.min(PAGE) };
        match self.may_publish(&waiting).await {
            Ok(true) if is_old => {
                // Nobody waits for the look.
                let turn = self.turn(waiting, most.min(WORTH_IT));
                let (published, looked) = tokio::join!(turn, window.look_again(&self.broker));
                window.take(published?);
                looked?;
            }
            Ok(true) => window.take(self.turn(waiting, most).await?),
            // Should that producer stop, the reconciler finds the run.
            Ok(false) => self.leave(lane),
            Err(error) => {
                self.lines().of(lane).again(waiting);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// One producer at a time publishes a large run. Two that did so at once would publish the same jobs.
    async fn may_publish(&self, waiting: &Waiting) -> Result<bool, StoreError> {
        let (Lane::Runs(RunSize::Large), OpenJobs::UnpublishedOfRun(run)) = (waiting.lane, waiting.jobs)
        else {
            return Ok(true);
        };
        let name = format!("large run {}", run.0.as_u128() % LEASES);
        self.store.lease(&name, self.holder, LEASE).await
    }

    fn leave(&self, lane: Lane) {
        self.lines().of(lane).leave();
        self.changes.send_replace(());
    }

    /// Publishes one page of at most so many jobs, and says how many there were. Who is not done, or failed for a while,
    /// waits for another turn.
    async fn turn(&self, mut waiting: Waiting, most: u64) -> Result<u64, ProducerError> {
        let (lane, before) = (waiting.lane, waiting.published);
        let outcome = self.publish_page(&mut waiting, most).await;
        let published = waiting.published - before;
        match &outcome {
            Ok(true) => self.lines().of(lane).again(waiting),
            Err(error) if error.is_transient() => self.lines().of(lane).again(waiting),
            Ok(false) | Err(_) => {
                self.lines().of(lane).leave();
                if let Some(name) = waiting.found.filter(|_| waiting.published > 0) {
                    tracing::warn!(jobs = waiting.published, "published {name}");
                }
            }
        }
        self.changes.send_replace(());
        outcome.map(|_| published)
    }

    /// Publishes the next page, and then marks its jobs; whether there may be more.
    async fn publish_page(&self, waiting: &mut Waiting, most: u64) -> Result<bool, ProducerError> {
        let gives_way = waiting.found.is_some() && waiting.after.is_some();
        if gives_way && self.backlog().await? >= ENOUGH_WAITING {
            return Ok(false);
        }
        let mut jobs = std::mem::take(&mut waiting.in_memory);
        let in_memory = !jobs.is_empty();
        if !in_memory {
            let limit = u32::try_from(most).unwrap_or(u32::MAX);
            jobs = self.store.open_jobs(waiting.jobs, waiting.after, limit).await?;
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
        // Those in memory are all there are.
        Ok(!in_memory && ids.len() as u64 >= most && waiting.published < waiting.limit)
    }

    async fn publish_jobs(&self, jobs: Vec<StoredJob>) -> Result<(), PublishError> {
        let published = stream::iter(jobs).map(|job| self.publish_job(job)).buffer_unordered(IN_FLIGHT);
        published.try_collect().await
    }

    async fn publish_job(&self, job: StoredJob) -> Result<(), PublishError> {
        let target = match job.kind {
            JobKind::Recheck if !job.due_in.is_zero() => Target::Delayed(job.due_in),
            JobKind::Check | JobKind::Recheck => Target::Queue(Queue::of_jobs(job.run_size)),
            JobKind::Known => Target::Queue(Queue::of_results(job.run_size)),
        };
        let message = Message::new(job.id.0, job.body).traced(job.trace.as_ref()).of_run(job.run_size);
        self.broker.publish(&target, message).await?;
        #[cfg(feature = "failpoints")]
        fail::fail_point!("producer.published", |_| std::process::abort());
        Ok(())
    }

    /// Tells whoever listens that a run was filed. The message id is the run's, so that a repeat is known as one.
    async fn announce_begin(&self, begins: Option<&Beginning>) -> Result<(), PublishError> {
        let Some(Beginning { run, request, created_at, trace }) = begins else { return Ok(()) };
        let event = EventMessage::run_started(*run, *request, *created_at);
        let message = Message::of(derived_id::run_started_event(*run), &event).traced(trace.as_ref());
        self.broker.publish(&Target::Event(RUN_STARTED.into()), message).await
    }

    async fn somebody_waits(&self, lane: Lane) {
        let mut changes = self.changes.subscribe();
        while !self.lines().of(lane).has_waiting() {
            // It lives as long as its sender, which is ours.
            let _ = changes.changed().await;
        }
    }

    fn take(&self, lane: Lane) -> Option<Waiting> {
        self.lines().of(lane).next()
    }

    async fn emptied(&self) {
        let mut changes = self.changes.subscribe();
        while !self.lines().are_empty() {
            let _ = changes.changed().await;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a run, unless it was announced with a job that is published already.
pub(crate) fn beginning(run: UnpublishedRun) -> Option<Beginning> {
    let UnpublishedRun { id, request_id, created_at, begun, trace, .. } = run;
    (!begun).then_some(Beginning { run: id, request: request_id, created_at, trace })
}
