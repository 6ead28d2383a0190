//! The results of a job, on their way to the recorder.
//!
//! Those of a job go together in one message. But none waits long for a slow link of the same job: what is known goes after
//! half a second, and the rest later. Each further message waits twice as long as the one before, so they stay few.

use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use linkbeat_broker::{Broker, Message, PublishError, Queue, Target};
use linkbeat_shared::wire::ResultsMessage;
use linkbeat_shared::{CheckResult, Job, derived_id};
use tokio::time::{Instant, Sleep, sleep};

/// How long the first results of a job wait for others.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How long any result waits for others.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Publishes the results of one job as they come.
pub(super) struct Publishing<'a> {
    broker: &'a dyn Broker,
    job: &'a Job,
    /// The job's message.
    cause: &'a Message,
    waiting: Vec<CheckResult>,
    /// Until when they wait; looked at only while some do.
    until: Pin<Box<Sleep>>,
    wait: Duration,
    unconfirmed: FuturesUnordered<BoxFuture<'a, Result<(), PublishError>>>,
}

impl<'a> Publishing<'a> {
    pub(super) fn of(broker: &'a dyn Broker, job: &'a Job, cause: &'a Message) -> Self {
        Self {
            broker,
            job,
            cause,
            waiting: Vec::with_capacity(job.links.len()),
            until: Box::pin(sleep(FIRST_WAIT)),
            wait: FIRST_WAIT,
            unconfirmed: FuturesUnordered::new(),
        }
    }

    pub(super) fn add(&mut self, result: CheckResult) {
        if self.waiting.is_empty() {
            self.until.as_mut().reset(Instant::now() + self.wait);
        }
        self.waiting.push(result);
    }

    /// Goes on until it fails: publishes what has waited for long enough, and takes confirms. Cancel safe.
    pub(super) async fn go_on(&mut self) -> PublishError {
        loop {
            tokio::select! {
                () = self.until.as_mut(), if !self.waiting.is_empty() => {
                    self.wait = (self.wait * 2).min(LONGEST_WAIT);
                    self.publish();
                }
                Some(confirmed) = self.unconfirmed.next() => if let Err(error) = confirmed {
                    return error;
                },
                else => std::future::pending().await,
            }
        }
    }

    /// Publishes the rest, and returns once the broker has confirmed all.
    pub(super) async fn finish(mut self) -> Result<(), PublishError> {
        if !self.waiting.is_empty() {
            self.publish();
        }
        while let Some(confirmed) = self.unconfirmed.next().await {
            confirmed?;
        }
        Ok(())
    }

    fn publish(&mut self) {
        let results = ResultsMessage::new(self.job.run_id, self.job.id, std::mem::take(&mut self.waiting));
        let links = results.results.iter().map(|result| result.link_id);
        let id = derived_id::results_message(self.job.id, links);
        let message = Message::of(id, &results).traced(self.cause.headers.trace.as_ref());
        let queue = Queue::of_results(self.cause.headers.run_size);
        let broker = self.broker;
        self.unconfirmed.push(Box::pin(async move { broker.publish(&Target::Queue(queue), message).await }));
    }
}
