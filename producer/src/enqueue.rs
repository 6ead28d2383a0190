use futures::{StreamExt, TryStreamExt, stream};
use linkbeat_broker::{Message, Queue, SharedBroker, Target};
use linkbeat_shared::JobId;
use linkbeat_store::{Filed, JobKind, OpenJobs, SharedStore, StoredJob};

use crate::ProducerError;
use crate::file::announce_start;

/// Jobs read from the database at once.
const PAGE: u32 = 500;
/// Jobs on their way to the broker at once.
const IN_FLIGHT: usize = 64;

/// Publishes the jobs of a run that was just filed, and tells that it began. Of a run that existed before,
/// only what was never published.
pub async fn enqueue(broker: &SharedBroker, store: &SharedStore, filed: &Filed) -> Result<(), ProducerError> {
    #[cfg(feature = "failpoints")]
    fail::fail_point!("producer.committed", |_| std::process::abort());
    if !filed.existed {
        announce_start(broker, filed).await?;
    }
    enqueue_all(broker, store, OpenJobs::UnpublishedOfRun(filed.run.id)).await?;
    Ok(())
}

/// Publishes open jobs and notes that they were; returns how many. A job that is published twice is
/// harmless: the store keeps one result per run and link.
pub async fn enqueue_all(
    broker: &SharedBroker,
    store: &SharedStore,
    which: OpenJobs,
) -> Result<u64, ProducerError> {
    let mut after = None;
    let mut published = 0;
    while let Some(page) = enqueue_page(broker, store, which, after).await? {
        after = Some(page.last);
        published += page.jobs;
    }
    Ok(published)
}

/// Jobs that were published together.
pub(crate) struct Page {
    pub(crate) jobs: u64,
    pub(crate) last: JobId,
}

/// Publishes the next of these jobs, those after `after`, and notes that they were; `None`: there are none.
pub(crate) async fn enqueue_page(
    broker: &SharedBroker,
    store: &SharedStore,
    which: OpenJobs,
    after: Option<JobId>,
) -> Result<Option<Page>, ProducerError> {
    let jobs = store.open_jobs(which, after, PAGE).await?;
    let Some(last) = jobs.last().map(|job| job.id) else { return Ok(None) };
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    stream::iter(jobs)
        .map(|job| publish(broker, job))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    store.mark_published(&ids).await?;
    Ok(Some(Page { jobs: ids.len() as u64, last }))
}

async fn publish(broker: &SharedBroker, job: StoredJob) -> Result<(), ProducerError> {
    let target = match job.kind {
        JobKind::Recheck if !job.due_in.is_zero() => Target::Delayed(job.due_in),
        JobKind::Check | JobKind::Recheck => Target::Queue(Queue::JOBS),
        JobKind::WhiteListed => Target::Queue(Queue::RESULTS),
    };
    broker.publish(&target, Message::new(job.id.0, job.body)).await?;
    #[cfg(feature = "failpoints")]
    fail::fail_point!("producer.published", |_| std::process::abort());
    Ok(())
}
