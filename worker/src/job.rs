//! One job: read, checked, published, settled.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, park};
use linkbeat_shared::wire::{self, JobMessage, ResultsMessage, Unreadable};
use linkbeat_shared::{CheckResult, CheckSpec, Job, JobLink, Timeout};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{Engine, Outcome, OwnFault};

/// How much longer than a link's deadline the running checks may go on after a shutdown was asked for.
pub const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// Headers that travel from a job to its results (W3C Trace Context).
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// What all jobs of a worker share.
#[derive(Debug)]
pub(crate) struct JobRunner {
    pub(crate) engine: Arc<Engine>,
    pub(crate) broker: SharedBroker,
    pub(crate) drain_timeout: Option<Timeout>,
}

/// What became of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// Its results are confirmed, and it is acknowledged.
    Done,
    /// It lies in the dead-letter queue.
    Parked,
    /// It was given back: the worker stops, or the session was lost.
    GivenBack,
    /// It was given back because of this.
    Fault(OwnFault),
}

/// What became of a job's checks.
#[derive(Debug, Default)]
struct Checked {
    results: Vec<CheckResult>,
    fault: Option<OwnFault>,
    cut_short: bool,
}

impl JobRunner {
    /// Works on one delivery until it is settled. `stop`: finish what is running, within the drain timeout.
    pub(crate) async fn run(self: Arc<Self>, delivery: Delivery, stop: CancellationToken) -> JobEnd {
        match read(&delivery.message) {
            Ok(job) => {
                let span = tracing::info_span!("job", job.id = %job.id, run.id = %job.run_id);
                // A lost session brings the job back by itself, so work on it stops.
                let session = delivery.session().clone();
                let work = self.work(job, delivery, &stop).instrument(span);
                session.run_until_cancelled(work).await.unwrap_or(JobEnd::GivenBack)
            }
            Err(error) => self.park(delivery, &error.to_string()).await,
        }
    }

    async fn work(&self, job: Job, delivery: Delivery, stop: &CancellationToken) -> JobEnd {
        let (job_id, run_id) = (job.id, job.run_id);
        let checked = self.check(job, stop).await;
        if !checked.results.is_empty() {
            let results = ResultsMessage::new(run_id, job_id, checked.results);
            if self.publish(&results, &delivery.message).await.is_err() {
                return JobEnd::GivenBack;
            }
        }
        #[cfg(feature = "failpoints")]
        fail::fail_point!("worker.confirmed", |_| std::process::abort());
        match checked.fault {
            // Once may be bad luck; the second time it would go round for ever.
            Some(OwnFault::Bug) if delivery.redelivered => self.park(delivery, "a check panicked").await,
            Some(fault) => given_back(delivery, JobEnd::Fault(fault)).await,
            None if checked.cut_short => given_back(delivery, JobEnd::GivenBack).await,
            None => match delivery.ack().await {
                Ok(()) => JobEnd::Done,
                Err(_) => JobEnd::GivenBack,
            },
        }
    }

    /// Checks all links at once; each in a task of its own, so that a panic ends only that check.
    async fn check(&self, job: Job, stop: &CancellationToken) -> Checked {
        let drain = self
            .drain_timeout
            .map_or_else(|| self.engine.timeout(&job.check).duration() + DRAIN_MARGIN, Timeout::duration);
        let spec = Arc::new(job.check);
        let mut checks = JoinSet::new();
        for link in job.links {
            checks.spawn(check(Arc::clone(&self.engine), link, Arc::clone(&spec)).in_current_span());
        }
        let over = async {
            stop.cancelled().await;
            sleep(drain).await;
        };
        tokio::pin!(over);
        let mut checked = Checked::default();
        loop {
            tokio::select! {
                biased;
                ended = checks.join_next() => match ended {
                    Some(ended) => checked.note(ended),
                    None => return checked,
                },
                () = &mut over => {
                    checked.cut_short = true;
                    return checked;
                }
            }
        }
    }

    async fn publish(&self, results: &ResultsMessage, job: &Message) -> Result<(), PublishError> {
        let mut message = Message::of(message_id(results), results);
        message.headers =
            job.headers.iter().filter(|(name, _)| TRACE_HEADERS.contains(&name.as_str())).cloned().collect();
        self.broker.publish(&Target::Queue(Queue::Results), message).await
    }

    async fn park(&self, delivery: Delivery, cause: &str) -> JobEnd {
        tracing::error!(message.id = %delivery.message.id, cause, "a message from the jobs queue is parked");
        match park(&*self.broker, delivery, Queue::Jobs, cause).await {
            Ok(()) => JobEnd::Parked,
            Err(_) => JobEnd::GivenBack,
        }
    }
}

impl Checked {
    fn note(&mut self, ended: Result<Outcome, JoinError>) {
        match ended {
            Ok(Outcome::Judged(result)) => self.results.push(result),
            Ok(Outcome::OwnFault(fault)) => self.fault = Some(fault),
            Err(error) => {
                tracing::error!(%error, "a check panicked");
                // Other faults say that the job may well succeed later; they go before.
                self.fault.get_or_insert(OwnFault::Bug);
            }
        }
    }
}

async fn check(engine: Arc<Engine>, link: JobLink, spec: Arc<CheckSpec>) -> Outcome {
    #[cfg(feature = "failpoints")]
    fail::fail_point!("worker.check", link.url.expose().contains("/panic/"), |_| panic!("a poison link"));
    engine.check(&link, &spec).await
}

fn read(message: &Message) -> Result<Job, Unreadable> {
    Job::try_from(wire::decode::<JobMessage>(&message.body)?)
}

/// The same for the same part of the same job, whoever checks it and however often.
fn message_id(results: &ResultsMessage) -> Uuid {
    let mut links: Vec<Uuid> = results.results.iter().map(|result| result.link_id).collect();
    links.sort_unstable();
    let name: Vec<u8> = links.iter().flat_map(|link| *link.as_bytes()).collect();
    Uuid::new_v5(&results.job_id, &name)
}

async fn given_back(delivery: Delivery, end: JobEnd) -> JobEnd {
    // A lost session gives it back as well.
    let _ = delivery.requeue().await;
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_our_own_fault_unless_another_one_explains_more() {
        let ended = |outcome: Option<OwnFault>| {
            tokio::spawn(async move { Outcome::OwnFault(outcome.expect("a panic on purpose")) })
        };
        let mut checked = Checked::default();
        checked.note(ended(None).await);
        assert_eq!(checked.fault, Some(OwnFault::Bug));
        checked.note(ended(Some(OwnFault::Offline)).await);
        checked.note(ended(None).await);
        assert_eq!(checked.fault, Some(OwnFault::Offline));
    }
}
