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
    loop {
        let page = store.open_jobs(which, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(published) };
        after = Some(last.id);
        let ids: Vec<JobId> = page.iter().map(|job| job.id).collect();
        stream::iter(page)
            .map(|job| publish(broker, job))
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<()>()
            .await?;
        store.mark_published(&ids).await?;
        published += ids.len() as u64;
    }
}

async fn publish(broker: &SharedBroker, job: StoredJob) -> Result<(), ProducerError> {
    let queue = match job.kind {
        JobKind::Check => Queue::Jobs,
        JobKind::WhiteListed => Queue::Results,
    };
    broker.publish(&Target::Queue(queue), Message::new(job.id.0, job.body)).await?;
    #[cfg(feature = "failpoints")]
    fail::fail_point!("producer.published", |_| std::process::abort());
    Ok(())
}
