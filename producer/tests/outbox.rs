//! The outbox over an in-process queue, and a database in memory.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

use std::time::Duration;

use linkbeat_broker::{Event, MemoryBroker, Queue, SharedBroker};
use linkbeat_producer::Outbox;
use linkbeat_shared::{
    LinkSelection, LinkUrl, NewLink, Request, RequestId, RequestOptions, RunSize, TraceContext,
};
use linkbeat_store::{OpenJobs, OpenMode, SharedStore, open};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a case gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn servers(capacity: usize) -> (SharedBroker, SharedStore) {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    (MemoryBroker::new(capacity), store)
}

fn request(links: u32) -> Request {
    let link = |n| NewLink::from_url(LinkUrl::parse(&format!("http://h{n}.example/")).unwrap());
    let links = LinkSelection::given((0..links).map(link).collect());
    Request::new(RequestId::new(), links, RequestOptions::default(), None)
}

#[tokio::test]
async fn what_was_filed_is_published_before_the_end() {
    let (broker, store) = servers(1_000).await;
    let outbox = Outbox::new(broker.clone(), store.clone());
    let filed = outbox.file(request(10)).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    tokio::time::timeout(PATIENCE, outbox.run(stop)).await.unwrap();
    assert_eq!(broker.waiting(&Queue::JOBS).await.unwrap(), 10);
    let unpublished = OpenJobs::UnpublishedOfRun(filed.run.id);
    assert_eq!(store.open_jobs(unpublished, None, 10).await.unwrap(), [], "and marked");
}

#[tokio::test]
async fn every_message_of_a_run_carries_the_trace_of_its_request() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = TraceContext::parse(parent, Some("vendor=1"));
    // Published from memory, and read back from the database.
    for links in [10, 100] {
        let (broker, store) = servers(1_000).await;
        let mut events = broker.events("run.started").await.unwrap();
        assert!(matches!(events.next().await, Some(Event::Listening)));
        let outbox = Outbox::new(broker.clone(), store.clone());
        outbox.file(Request { trace: trace.clone(), ..request(links) }).await.unwrap();
        outbox.drain().await.unwrap();
        let Some(Event::Published { message, .. }) = events.next().await else { panic!("no event") };
        assert_eq!(message.headers.trace, trace);
        let mut jobs = broker.subscribe(&Queue::JOBS, 200).await.unwrap();
        for _ in 0..broker.waiting(&Queue::JOBS).await.unwrap() {
            assert_eq!(jobs.next().await.unwrap().message.headers.trace, trace);
        }
    }
}

#[tokio::test]
async fn an_end_waits_for_no_queue_that_is_full() {
    let (broker, store) = servers(5).await;
    let outbox = Outbox::new(broker.clone(), store.clone());
    outbox.file(request(10)).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    tokio::time::timeout(PATIENCE, outbox.run(stop)).await.unwrap();
    assert_eq!(broker.waiting(&Queue::JOBS).await.unwrap(), 5);
}

#[tokio::test]
async fn a_run_of_any_size_is_published_once() {
    let (broker, store) = servers(10_000).await;
    let outbox = Outbox::new(broker.clone(), store.clone());
    // Kept in memory, read back in one page, and in several.
    for links in [1, 64, 65, 1_000, 20_000] {
        let queue = Queue::of_jobs(RunSize::of(links.into()));
        let before = broker.waiting(&queue).await.unwrap();
        let filed = outbox.file(request(links)).await.unwrap();
        // The same request while it waits, and after that.
        outbox.add(&filed);
        outbox.drain().await.unwrap();
        let published = broker.waiting(&queue).await.unwrap() - before;
        let jobs = store.open_jobs(OpenJobs::OfRun(filed.run.id), None, 10_000).await.unwrap();
        assert_eq!(published, jobs.len() as u64, "{links} links");
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_publishes_only_what_is_left() {
    let (broker, store) = servers(1_000).await;
    let outbox = Outbox::new(broker.clone(), store.clone());
    let request = request(10);
    // As if the process had been killed after some were published.
    let filed = linkbeat_producer::file(&store, request.clone()).await.unwrap();
    let jobs = store.open_jobs(OpenJobs::OfRun(filed.run.id), None, 10).await.unwrap();
    store.mark_published(&[jobs[0].id, jobs[1].id]).await.unwrap();
    for _ in 0..2 {
        let again = outbox.file(request.clone()).await.unwrap();
        assert!(again.existed);
        outbox.drain().await.unwrap();
        assert_eq!(broker.waiting(&Queue::JOBS).await.unwrap(), 8);
    }
}
