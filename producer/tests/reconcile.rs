//! The reconciler over an in-process queue, and a database in memory.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

use std::time::Duration;

use linkbeat_broker::{MemoryBroker, Message, Queue, SharedBroker, Target};
use linkbeat_producer::{Producer, ProducerSettings};
use linkbeat_shared::{CheckSpec, LinkSelection, LinkUrl, NewLink, Request, RequestId, ShowRules, WhiteList};
use linkbeat_store::{OpenMode, SharedStore, Unpublished, open};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a case gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many messages that wait are work enough.
const BACKLOG: u64 = 10_000;

async fn file(store: &SharedStore) {
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::given(vec![NewLink::from_url(LinkUrl::parse("http://a.example/").unwrap())]),
        white_list: WhiteList::default(),
        reuse_within: None,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    linkbeat_producer::file(store, request).await.unwrap();
}

#[tokio::test]
async fn nothing_is_added_to_a_backlog() {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    let broker: SharedBroker = MemoryBroker::new(20_000);
    for _ in 0..BACKLOG {
        broker.publish(&Target::Queue(Queue::JOBS), Message::new(Uuid::now_v7(), "a job")).await.unwrap();
    }
    file(&store).await;
    let unpublished =
        async || store.unpublished_runs(Unpublished::IdleFor(Duration::ZERO), 10).await.unwrap().len();
    let settings =
        ProducerSettings { publish_after_secs: 0, reconcile_every_secs: 1, ..ProducerSettings::default() };
    let (producer, stop) = (Producer::new(settings, broker.clone(), store.clone()), CancellationToken::new());
    let looking = tokio::spawn({
        let stop = stop.clone();
        async move { producer.run(stop).await }
    });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((unpublished().await, broker.waiting(&Queue::JOBS).await.unwrap()), (1, BACKLOG));

    let mut jobs = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    jobs.next().await.unwrap().ack().await.unwrap();
    let published = async {
        while unpublished().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, published).await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, looking).await.unwrap().unwrap();
}
