//! Carries out one job, as a pipe of steps: read, check and publish the results, settle the message.
//!
//! Each step gives a value to the next. What the whole comes to is one [`JobOutcome`].

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, due, move_to};
use linkbeat_shared::wire::{self, JobMessage, Unreadable};
use linkbeat_shared::{Job, RunId, RunSize, Timeout};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::cancelled::Cancelled;
use super::checks::{May, check_all};
use super::common::Wishes;
use super::load::Share;
use super::outcome::{JobEnd, JobOutcome};
use super::results::Publishing;
use super::settlement::Settlement;
use crate::check::Engine;
use crate::limits::{InLine, Quotas};

/// How much longer than a link's deadline the running checks may go on after a shutdown was asked for.
pub(super) const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// What all jobs of a worker share.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) engine: Arc<Engine>,
    pub(crate) broker: SharedBroker,
    pub(crate) settlement: Settlement,
    pub(crate) cancelled: Arc<Cancelled>,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) share: Arc<Share>,
    pub(crate) quotas: Quotas,
    pub(crate) drain_timeout: Option<Timeout>,
    pub(crate) max_hold: Duration,
    /// The latest run that asked for a longer timeout than this worker allows.
    pub(crate) cut_short: Mutex<Option<RunId>>,
}

impl Executor {
    /// Works on one delivery of the queue `from` until it is settled. It is `in_line` until its checks are. When `stop` is
    /// cancelled, the running checks may finish within the drain timeout.
    pub(crate) async fn run(
        self: Arc<Self>,
        from: Queue,
        delivery: Delivery,
        (in_line, stop): (Option<InLine>, CancellationToken),
    ) -> JobEnd {
        // When the session is lost, the broker has the job back, so work on it stops.
        let session = delivery.session().clone();
        let work = Box::pin(self.execute(from, delivery, (in_line, &stop)));
        match session.run_until_cancelled(work).await {
            Some(Ok(end)) => end,
            // The delivery was dropped, and so it is given back.
            Some(Err(_)) | None => JobEnd::Elsewhere,
        }
    }

    async fn execute(
        &self,
        from: Queue,
        delivery: Delivery,
        (in_line, stop): (Option<InLine>, &CancellationToken),
    ) -> Result<JobEnd, PublishError> {
        if delivery.redelivered {
            return self.settlement.settle(from, delivery, JobOutcome::Lost).await;
        }
        let Some(delivery) = due(&*self.broker, delivery).await? else { return Ok(JobEnd::Elsewhere) };
        let size = delivery.message.headers.run_size;
        if from == Queue::JOBS && size == RunSize::Large {
            // It comes from a delay.
            let message = delivery.message.clone();
            move_to(&*self.broker, delivery, &Target::Queue(Queue::JOBS_LARGE), message).await?;
            return Ok(JobEnd::Elsewhere);
        }
        let outcome = match read(&delivery.message) {
            Ok(job) => {
                let span = tracing::info_span!("job", job.id = %job.id, run.id = %job.run_id);
                self.carry_out(Arc::new(job), &delivery.message, (in_line, stop)).instrument(span).await?
            }
            Err(error) => JobOutcome::Unreadable(error.to_string()),
        };
        self.settlement.settle(from, delivery, outcome).await
    }

    /// Checks the links and publishes their results, in parts where some links are slow.
    async fn carry_out(
        &self,
        job: Arc<Job>,
        message: &Message,
        (in_line, stop): (Option<InLine>, &CancellationToken),
    ) -> Result<JobOutcome, PublishError> {
        if self.cancelled.contains(job.run_id) {
            return Ok(JobOutcome::Cancelled);
        }
        self.warn_of_shorter_timeout(&job);
        let size = message.headers.run_size;
        let mut results = Publishing::of(&*self.broker, &job, message);
        let outcome = self.check(&job, size, &mut results, (in_line, &stop.child_token())).await?;
        results.finish().await?;
        #[cfg(feature = "failpoints")]
        fail::fail_point!("worker.confirmed", |_| std::process::abort());
        Ok(outcome)
    }

    /// Warns, once for a run, that its links get less time than the run asks for.
    fn warn_of_shorter_timeout(&self, job: &Job) {
        let (asked, allowed) = (job.check.timeout, self.engine.timeout(&job.check));
        let mut cut_short = self.cut_short.lock().unwrap_or_else(PoisonError::into_inner);
        if allowed < asked && cut_short.replace(job.run_id) != Some(job.run_id) {
            let run = job.run_id;
            tracing::warn!(run.id = %run, %asked, %allowed, "the run's timeout is longer than worker.max_timeout");
        }
    }

    /// Checks until all links are done, `stop` is cancelled, or the job was held for long enough. Many links of
    /// one slow host wait for each other's turns, and RabbitMQ takes back what is held for too long.
    async fn check(
        &self,
        job: &Arc<Job>,
        size: RunSize,
        results: &mut Publishing<'_>,
        (in_line, stop): (Option<InLine>, &CancellationToken),
    ) -> Result<JobOutcome, PublishError> {
        let drain = self
            .drain_timeout
            .map_or_else(|| self.engine.timeout(&job.check).duration() + DRAIN_MARGIN, Timeout::duration);
        let in_hand = self.share.take(size, job.links.len());
        // Its checks are in the line themselves from now on.
        drop(in_line);
        let may = May { cancelled: &self.cancelled, wishes: &self.wishes, quota: self.quotas.of_run(size) };
        let mut checking = pin!(check_all(&self.engine, job, may, (in_hand, results), (stop, drain)));
        match timeout(self.max_hold, &mut checking).await {
            Ok(outcome) => outcome,
            Err(_) => {
                stop.cancel();
                checking.await
            }
        }
    }
}

fn read(message: &Message) -> Result<Job, Unreadable> {
    wire::decode::<JobMessage>(&message.body)?.try_into()
}
