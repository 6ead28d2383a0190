//! What happens to a job's message once its outcome is known.
//!
//! A message that goes back is published again and then acknowledged. So a message that the broker delivers
//! a second time was lost with its worker or its session, and may be what killed the worker. Such a message is
//! set apart: first among a few of its kind, then alone. After [`MAX_LOSSES`] it is parked.

use std::time::Duration;

use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, move_to, park};
use linkbeat_shared::wire::{self, JobMessage, ParkingMessage};
use linkbeat_shared::{Job, JobId};
use tokio::time::timeout;

use super::outcome::{JobEnd, JobOutcome, Unfinished};
use crate::fault::OwnFault;

/// How long a job waits after each attempt in which a check panicked. After one more attempt it is parked.
const RETRY_AFTER: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];

/// Losses among a few others after which a job is taken alone. A server that restarts twice in a row should
/// not bring all its jobs there.
const LOSSES_AMONG_OTHERS: u32 = 2;
/// Losses after which a job is parked. The last ones happened while the worker held it alone.
pub const MAX_LOSSES: u32 = 4;

/// Faults of our own after which a job waits for [`AFTER_FAULTS`] each time.
const FAULTS_AT_ONCE: u32 = 20;
/// How long such a job waits.
const AFTER_FAULTS: Duration = Duration::from_secs(600);
/// Faults of our own after which a job is parked: about a day.
pub const MAX_FAULTS: u32 = 160;

/// Settles messages of jobs.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) broker: SharedBroker,
    /// How long a full queue is waited for.
    pub(crate) patience: Duration,
}

impl Settlement {
    /// Does with a delivery of the queue `from` what its outcome asks for. [`PublishError`]: the message could
    /// not be moved. The delivery is dropped, and so the broker has it back.
    pub(crate) async fn settle(
        &self,
        from: Queue,
        delivery: Delivery,
        outcome: JobOutcome,
    ) -> Result<JobEnd, PublishError> {
        match outcome {
            JobOutcome::Done => Ok(acknowledge(delivery, JobEnd::Done).await),
            JobOutcome::Cancelled => Ok(acknowledge(delivery, JobEnd::Elsewhere).await),
            JobOutcome::Unfinished { rest, why } => self.give_back(from, delivery, &rest, why).await,
            JobOutcome::Unreadable(cause) => self.park(from, delivery, &cause).await,
            JobOutcome::Lost => self.set_apart(from, delivery).await,
        }
    }

    /// The links that lack a result go back as a smaller job.
    async fn give_back(
        &self,
        from: Queue,
        mut delivery: Delivery,
        rest: &Job,
        why: Unfinished,
    ) -> Result<JobEnd, PublishError> {
        delivery.message.body = wire::encode(&JobMessage::from(rest)).into();
        match why {
            Unfinished::Stopped => {
                let message = delivery.message.clone();
                self.move_patiently(delivery, Target::Queue(from), message, JobEnd::Elsewhere).await
            }
            Unfinished::Fault(fault) => self.after_fault(from, delivery, fault).await,
            Unfinished::Panicked => self.try_later(from, delivery).await,
        }
    }

    /// To the queue it came from; when that did not help often, after a while; and in the end to the dead-letter
    /// queue. A machine may be offline for a night, but nothing goes round for ever.
    async fn after_fault(
        &self,
        from: Queue,
        mut delivery: Delivery,
        fault: OwnFault,
    ) -> Result<JobEnd, PublishError> {
        let faults = delivery.message.faults() + 1;
        let message = delivery.message.clone().with_faults(faults);
        if faults >= MAX_FAULTS {
            delivery.message = message;
            let cause = format!("its links could not be judged, {faults} times: {}", fault.as_str());
            self.park(from, delivery, &cause).await?;
            return Ok(JobEnd::Fault(fault));
        }
        let target =
            if faults < FAULTS_AT_ONCE { Target::Queue(from) } else { Target::Delayed(AFTER_FAULTS) };
        self.move_patiently(delivery, target, message, JobEnd::Fault(fault)).await
    }

    /// To the delay queues; after too many attempts to the dead-letter queue.
    async fn try_later(&self, from: Queue, mut delivery: Delivery) -> Result<JobEnd, PublishError> {
        let attempt = delivery.message.attempt() + 1;
        let message = delivery.message.clone().with_attempt(attempt);
        match retry_after(attempt) {
            Some(pause) => {
                self.move_patiently(delivery, Target::Delayed(pause), message, JobEnd::Elsewhere).await
            }
            None => {
                delivery.message = message;
                self.park(from, delivery, "a check panicked, again and again").await
            }
        }
    }

    /// A queue may stay full because all who could empty it wait here. Then the delivery is dropped, and goes
    /// back as it came.
    async fn move_patiently(
        &self,
        delivery: Delivery,
        target: Target,
        message: Message,
        end: JobEnd,
    ) -> Result<JobEnd, PublishError> {
        match timeout(self.patience, move_to(&*self.broker, delivery, &target, message)).await {
            Ok(moved) => moved.map(|()| end),
            Err(_) => Ok(JobEnd::Elsewhere),
        }
    }

    async fn set_apart(&self, from: Queue, mut delivery: Delivery) -> Result<JobEnd, PublishError> {
        // It was lost together with many others, unless it was set apart. So that loss says nothing about it yet.
        let apart = [Queue::SUSPECTS, Queue::ISOLATED].contains(&from);
        let losses = delivery.message.losses() + u32::from(apart);
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
        Ok(JobEnd::Elsewhere)
    }

    /// The recorder hears of it first: a run must not wait for a job that nobody works on.
    async fn park(&self, from: Queue, delivery: Delivery, cause: &str) -> Result<JobEnd, PublishError> {
        // A job's message has the job's id, so this works for a message that cannot be read, too.
        let job = JobId(delivery.message.id);
        tracing::error!(job.id = %job, %from, cause, "a job is parked");
        let notice = ParkingMessage::parked(job, cause);
        let trace = delivery.message.headers.trace.as_ref();
        let message = Message::of(notice.notice_id, &notice).traced(trace);
        self.broker.publish(&Target::Queue(Queue::RESULTS), message).await?;
        park(&*self.broker, delivery, &from, cause).await?;
        Ok(JobEnd::Elsewhere)
    }
}

/// How long a job waits after so many failed attempts; `None`: it is given up.
fn retry_after(attempt: u32) -> Option<Duration> {
    let failed = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let pause = RETRY_AFTER.get(failed).copied();
    #[cfg(feature = "failpoints")]
    fail::fail_point!("worker.impatient", pause.is_some(), |_| Some(Duration::from_secs(1)));
    pause
}

async fn acknowledge(delivery: Delivery, end: JobEnd) -> JobEnd {
    match delivery.ack().await {
        Ok(()) => end,
        Err(_) => JobEnd::Elsewhere,
    }
}
