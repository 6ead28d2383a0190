//! The results of a job, published for the recorder.

use linkbeat_broker::{Broker, Message, PublishError, Queue, Target};
use linkbeat_shared::wire::ResultsMessage;
use linkbeat_shared::{CheckResult, Job, derived_id};

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
    let links = results.results.iter().map(|result| result.link_id);
    let id = derived_id::results_message(job.id, links);
    let message = Message::of(id, &results).traced(cause.headers.trace.as_ref());
    broker.publish(&Target::Queue(Queue::of_results(cause.headers.run_size)), message).await
}
