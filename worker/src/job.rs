//! One job: read, checked, published, settled.
//!
//! Whatever goes back by choice is published again, and then acknowledged. So a job that the broker delivers
//! again was lost with its worker or its session. It may be what killed the worker, so it is set apart:
//! first a few of its kind at a time, then one at a time, and in the end it is parked.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, due, move_to, park};
use linkbeat_shared::wire::{self, JobMessage, ParkingMessage, ResultsMessage, Unreadable};
use linkbeat_shared::{CheckResult, Job, JobId, JobLink, RunId, Timeout, derived_id};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cancelled::Cancelled;
use crate::checks::{Checked, check_all};
use crate::load::Load;
use crate::{Engine, OwnFault};

/// How much longer than a link's deadline the running checks may go on after a shutdown was asked for.
pub const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// How long a job waits after each attempt that failed by a bug of ours; after one more it is given up.
const RETRY_AFTER: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];

/// Losses of a job among a few others, after which it is taken alone: a server that restarts twice in a row
/// should not bring all its jobs there.
const LOSSES_AMONG_OTHERS: u32 = 2;
/// Losses after which a job is given up; the last ones happened while it alone was in hand.
pub const MAX_LOSSES: u32 = 4;

/// What all jobs of a worker share.
#[derive(Debug)]
pub(crate) struct JobRunner {
    pub(crate) engine: Arc<Engine>,
    pub(crate) broker: SharedBroker,
    pub(crate) cancelled: Arc<Cancelled>,
    pub(crate) load: Arc<Load>,
    pub(crate) drain_timeout: Option<Timeout>,
    pub(crate) max_hold: Duration,
    /// The latest run whose timeout was longer than this worker allows.
    pub(crate) cut_short: Mutex<Option<RunId>>,
}

/// What became of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// Its results are confirmed, and it is acknowledged.
    Done,
    /// Its run was cancelled.
    Cancelled,
    /// It lies in the dead-letter queue.
    Parked,
    /// It is on its way to be looked at apart, or later.
    SentOn,
    /// It was given back: the worker stops, the session was lost, or it was held for long enough.
    GivenBack,
    /// It was given back because of this.
    Fault(OwnFault),
}

impl JobRunner {
    /// Works on one delivery of the queue `from` until it is settled. `stop`: finish what is running, within
    /// the drain timeout.
    pub(crate) async fn run(
        self: Arc<Self>,
        from: Queue,
        delivery: Delivery,
        stop: CancellationToken,
    ) -> JobEnd {
        // Where publishing fails the delivery is dropped, and so given back.
        self.handle(from, delivery, &stop).await.unwrap_or(JobEnd::GivenBack)
    }

    async fn handle(
        &self,
        from: Queue,
        delivery: Delivery,
        stop: &CancellationToken,
    ) -> Result<JobEnd, PublishError> {
        if delivery.redelivered {
            return self.set_apart(from, delivery).await;
        }
        let Some(delivery) = due(&*self.broker, delivery).await? else { return Ok(JobEnd::SentOn) };
        let job = match read(&delivery.message) {
            Ok(job) => Arc::new(job),
            Err(error) => return self.park(from, delivery, &error.to_string()).await,
        };
        if self.cancelled.contains(job.run_id) {
            return Ok(acknowledged(delivery, JobEnd::Cancelled).await);
        }
        self.note_timeout(&job);
        let span = tracing::info_span!("job", job.id = %job.id, run.id = %job.run_id);
        // A lost session brings the job back by itself, so work on it stops.
        let session = delivery.session().clone();
        let work = Box::pin(self.work(from, job, delivery, stop)).instrument(span);
        session.run_until_cancelled(work).await.unwrap_or(Ok(JobEnd::GivenBack))
    }

    async fn work(
        &self,
        from: Queue,
        job: Arc<Job>,
        delivery: Delivery,
        stop: &CancellationToken,
    ) -> Result<JobEnd, PublishError> {
        let drain = self
            .drain_timeout
            .map_or_else(|| self.engine.timeout(&job.check).duration() + DRAIN_MARGIN, Timeout::duration);
        let mut checked = self.check(&job, &stop.child_token(), drain).await;
        let rest = checked.rest(&job);
        self.publish(&job, std::mem::take(&mut checked.results), &delivery.message).await?;
        #[cfg(feature = "failpoints")]
        fail::fail_point!("worker.confirmed", |_| std::process::abort());
        if rest.is_empty() {
            return Ok(acknowledged(delivery, JobEnd::Done).await);
        }
        self.give_back(from, &job, rest, delivery, &checked).await
    }

    /// Tells the operator, once for a run, that links may be judged sooner than its owner thinks.
    fn note_timeout(&self, job: &Job) {
        let (asked, allowed) = (job.check.timeout, self.engine.timeout(&job.check));
        let mut cut_short = self.cut_short.lock().unwrap_or_else(PoisonError::into_inner);
        if allowed < asked && cut_short.replace(job.run_id) != Some(job.run_id) {
            let run = job.run_id;
            tracing::warn!(run.id = %run, %asked, %allowed, "the run's timeout is longer than worker.max_timeout");
        }
    }

    /// Until the links are checked, or a shutdown was asked for, or the job was held for long enough: many links
    /// of one slow host wait for each other's turns, and RabbitMQ takes back what is held for too long.
    async fn check(&self, job: &Arc<Job>, stop: &CancellationToken, drain: Duration) -> Checked {
        let in_hand = self.load.take(job.links.len());
        let mut checking = pin!(check_all(&self.engine, job, &self.cancelled, in_hand, (stop, drain)));
        match timeout(self.max_hold, &mut checking).await {
            Ok(checked) => checked,
            Err(_) => {
                stop.cancel();
                checking.await
            }
        }
    }

    /// The links that lack a result go back as what is left of the job; or, when that failed too often by a
    /// fault of ours, to the dead-letter queue.
    async fn give_back(
        &self,
        from: Queue,
        job: &Job,
        rest: Vec<JobLink>,
        mut delivery: Delivery,
        checked: &Checked,
    ) -> Result<JobEnd, PublishError> {
        let rest = Job { links: rest, check: job.check.clone(), ..*job };
        delivery.message.body = wire::encode(&JobMessage::from(&rest)).into();
        let (attempt, target, end) = match checked.fault {
            // With such a fault the job may well succeed later, so it goes before a panic.
            Some(fault) => (delivery.message.attempt(), Target::Queue(from), JobEnd::Fault(fault)),
            None if checked.panicked => {
                let attempt = delivery.message.attempt() + 1;
                let Some(pause) = retry_after(attempt) else {
                    delivery.message = delivery.message.with_attempt(attempt);
                    return self.park(from, delivery, "a check panicked, again and again").await;
                };
                (attempt, Target::Delayed(pause), JobEnd::SentOn)
            }
            None => (delivery.message.attempt(), Target::Queue(from), JobEnd::GivenBack),
        };
        let message = delivery.message.clone().with_attempt(attempt);
        // A queue may stay full because all who could empty it wait here. Then the delivery is dropped, and goes
        // back as it came.
        match timeout(self.max_hold, move_to(&*self.broker, delivery, &target, message)).await {
            Ok(moved) => moved.map(|()| end),
            Err(_) => Ok(JobEnd::GivenBack),
        }
    }

    /// Its holder died or lost its session with it in hand.
    async fn set_apart(&self, from: Queue, mut delivery: Delivery) -> Result<JobEnd, PublishError> {
        // From the jobs queue it was lost with many others: that counts nothing yet.
        let losses = delivery.message.losses() + u32::from(from != Queue::JOBS);
        let message = delivery.message.clone().with_losses(losses);
        if losses >= MAX_LOSSES {
            delivery.message = message;
            let cause = format!(
                "its worker died, or lost its connection, again and again: {losses} times apart from most others"
            );
            return self.park(from, delivery, &cause).await;
        }
        let to = if losses < LOSSES_AMONG_OTHERS { Queue::SUSPECTS } else { Queue::ISOLATED };
        tracing::warn!(message.id = %message.id, %from, %to, losses,
            "a job was lost with its worker or its connection; it is set apart");
        move_to(&*self.broker, delivery, &Target::Queue(to), message).await?;
        Ok(JobEnd::SentOn)
    }

    async fn publish(
        &self,
        job: &Job,
        results: Vec<CheckResult>,
        cause: &Message,
    ) -> Result<(), PublishError> {
        if results.is_empty() {
            return Ok(());
        }
        let results = ResultsMessage::new(job.run_id, job.id, results);
        let links = results.results.iter().map(|result| result.link_id);
        let id = derived_id::results_message(job.id, links);
        let message = Message::of(id, &results).traced(cause.headers.trace.as_ref());
        self.broker.publish(&Target::Queue(Queue::RESULTS), message).await
    }

    /// The recorder is told first: a run must not wait for a job that nobody works on.
    async fn park(&self, from: Queue, delivery: Delivery, cause: &str) -> Result<JobEnd, PublishError> {
        // A job's message has its id, so also one that cannot be read can be told.
        let job = JobId(delivery.message.id);
        tracing::error!(job.id = %job, %from, cause, "a job is parked");
        let notice = ParkingMessage::parked(job, cause);
        let trace = delivery.message.headers.trace.as_ref();
        let message = Message::of(notice.notice_id, &notice).traced(trace);
        self.broker.publish(&Target::Queue(Queue::RESULTS), message).await?;
        park(&*self.broker, delivery, &from, cause).await?;
        Ok(JobEnd::Parked)
    }
}

fn read(message: &Message) -> Result<Job, Unreadable> {
    wire::decode::<JobMessage>(&message.body)?.try_into()
}

/// How long a job waits after so many failed attempts; `None`: it is given up.
fn retry_after(attempt: u32) -> Option<Duration> {
    let failed = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let pause = RETRY_AFTER.get(failed).copied();
    #[cfg(feature = "failpoints")]
    fail::fail_point!("worker.impatient", pause.is_some(), |_| Some(Duration::from_secs(1)));
    pause
}

async fn acknowledged(delivery: Delivery, end: JobEnd) -> JobEnd {
    match delivery.ack().await {
        Ok(()) => end,
        Err(_) => JobEnd::GivenBack,
    }
}
