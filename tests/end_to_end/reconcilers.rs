//! Several producers: one at a time puts back what a queue lost.

use std::time::Duration;

use linkbeat_broker::{Broker, MemoryBroker, Queue, SharedBroker};
use linkbeat_producer::{Producer, ProducerSettings};
use linkbeat_shared::{CheckSpec, LinkSelection, LinkUrl, NewLink, Request, RequestId, ShowRules, WhiteList};
use linkbeat_store::{DatabaseUrl, OpenJobs, OpenMode, SharedStore, open};
use tokio_util::sync::CancellationToken;

use crate::support::fleet::Servers;
use crate::support::form::block_on;
use crate::support::{Folder, PATIENCE};

/// Six hundred jobs: more than the reconciler publishes at once.
const LINKS: u64 = 9_600;

#[test]
fn a_lost_queue_is_filled_once_on_sqlite() {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    block_on(a_lost_queue_is_filled_once(&url.parse().unwrap()));
}

#[test]
fn a_lost_queue_is_filled_once_on_postgres() {
    let servers = Servers::new();
    block_on(a_lost_queue_is_filled_once(&servers.database_url.parse().unwrap()));
}

/// Files a run of many jobs, all published long ago as far as the database knows, and in no queue.
async fn lost_jobs(store: &SharedStore) -> u64 {
    let link = |n| NewLink::from_url(LinkUrl::parse(&format!("http://host-{n}.example/")).unwrap());
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::given((0..LINKS).map(link).collect()),
        white_list: WhiteList::default(),
        reuse_within: None,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    let run = linkbeat_producer::file(store, request).await.unwrap().run.id;
    let jobs = store.open_jobs(OpenJobs::OfRun(run), None, 10_000).await.unwrap();
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    store.mark_published(&ids).await.unwrap();
    ids.len() as u64
}

async fn waits(broker: &dyn Broker, jobs: u64) {
    let reached = async {
        while broker.waiting(&Queue::JOBS_LARGE).await.unwrap() < jobs {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

async fn a_lost_queue_is_filled_once(url: &DatabaseUrl) {
    let store = open(url, OpenMode::Migrate).await.unwrap();
    let broker: SharedBroker = MemoryBroker::new(10_000);
    let jobs = lost_jobs(&store).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let settings =
        ProducerSettings { republish_after_secs: 1, reconcile_every_secs: 1, ..ProducerSettings::default() };
    let mut producers = Vec::new();
    for _ in 0..3 {
        let own_store = open(url, OpenMode::Check).await.unwrap();
        let producer = Producer::new(settings.clone(), broker.clone(), own_store);
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        producers.push((shutdown, tokio::spawn(async move { producer.run(token).await })));
    }
    waits(&*broker, jobs).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(
        broker.waiting(&Queue::JOBS_LARGE).await.unwrap(),
        jobs,
        "each once, and a backlog is no loss"
    );

    // One after the other stops; whoever is left takes over.
    for (shutdown, producer) in producers.drain(..2) {
        shutdown.cancel();
        producer.await.unwrap();
    }
    let mut lost = broker.subscribe(&Queue::JOBS_LARGE, 10_000).await.unwrap();
    for _ in 0..jobs {
        lost.next().await.unwrap().ack().await.unwrap();
    }
    lost.stop().await;
    waits(&*broker, jobs).await;
    assert_eq!(broker.waiting(&Queue::JOBS_LARGE).await.unwrap(), jobs);
    for (shutdown, producer) in producers {
        shutdown.cancel();
        producer.await.unwrap();
    }
}
