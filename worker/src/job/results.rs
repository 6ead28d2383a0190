//! The results of a job, published for the recorder.

use linkbeat_broker::{Broker, Message, PublishError, Queue, Target};
use linkbeat_shared::wire::ResultsMessage;
use linkbeat_shared::{CheckResult, Job};
use uuid::Uuid;

/// Publishes these results of a job, and returns once the broker has confirmed them. `cause` is the job's message.
pub(super) async fn publish(
    broker: &dyn Broker,
    job: &Job,
    results: Vec<CheckResult>,
    cause: &Message,
) -> Result<(), PublishError> {
    if results.is_empty() {
        return Ok(());
    }
    let results = ResultsMessage::new(job.run_id, job.id, results);
    let message = Message::of(message_id(&results), &results).traced(cause.headers.trace.as_ref());
    broker.publish(&Target::Queue(Queue::RESULTS), message).await
}

/// The same id for the same part of the same job, whoever checks it and however often.
fn message_id(results: &ResultsMessage) -> Uuid {
    let mut links: Vec<Uuid> = results.results.iter().map(|result| result.link_id.0).collect();
    links.sort_unstable();
    let name: Vec<u8> = links.iter().flat_map(|link| *link.as_bytes()).collect();
    Uuid::new_v5(&results.job_id, &name)
}
