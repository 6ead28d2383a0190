//! Runs beside each other: who is published when. Over an in-process queue, and a database in memory.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use linkbeat_broker::{MemoryBroker, Message, Queue, SharedBroker, Target};
use linkbeat_producer::Outbox;
use linkbeat_shared::wire::{JobMessage, decode};
use linkbeat_shared::{LinkSelection, LinkUrl, NewLink, Request, RequestId, RequestOptions};
use linkbeat_store::{OpenMode, SharedStore, open};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a case gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Jobs of large runs that wait at most.
const WINDOW: u64 = 128;
/// Messages of their results that wait at most.
const RESULTS: u64 = 64;
/// A large run of 625 jobs.
const LARGE: u32 = 40_000;

struct Publishing {
    broker: SharedBroker,
    store: SharedStore,
    outbox: Arc<Outbox>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Publishing {
    async fn start() -> Self {
        Self::on(MemoryBroker::new(20_000), store().await)
    }

    /// As a process does that carries out one run.
    async fn of_one_run(request: Request) -> Self {
        let (broker, store): (SharedBroker, _) = (MemoryBroker::new(20_000), store().await);
        let outbox = Arc::new(Outbox::new(broker.clone(), store.clone()));
        let run = outbox.file(request).await.unwrap().run.id;
        let stop = CancellationToken::new();
        let (serving, token) = (outbox.clone(), stop.clone());
        let running = tokio::spawn(async move {
            tokio::select! {
                error = serving.serve(run) => panic!("{error}"),
                () = token.cancelled() => {}
            }
        });
        Self { broker, store, outbox, stop, running }
    }

    fn on(broker: SharedBroker, store: SharedStore) -> Self {
        let outbox = Arc::new(Outbox::new(broker.clone(), store.clone()));
        let stop = CancellationToken::new();
        let (publishing, token) = (outbox.clone(), stop.clone());
        let running = tokio::spawn(async move { publishing.run(token).await });
        Self { broker, store, outbox, stop, running }
    }

    async fn waiting(&self, queue: &Queue) -> u64 {
        self.broker.waiting(queue).await.unwrap()
    }

    /// Waits until nothing more is published to a queue that nobody reads.
    async fn settled(&self, queue: &Queue) -> u64 {
        let settling = async {
            let (mut before, mut same) = (0, 0);
            while same < 20 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let now = self.waiting(queue).await;
                same = if now == before && now > 0 { same + 1 } else { 0 };
                before = now;
            }
            before
        };
        timeout(PATIENCE, settling).await.unwrap()
    }

    /// Takes so many jobs of large runs, in their order.
    async fn take(&self, jobs: usize) -> Vec<JobMessage> {
        let mut reader = self.broker.subscribe(&Queue::JOBS_LARGE, 1).await.unwrap();
        let mut taken = Vec::new();
        while taken.len() < jobs {
            let delivery = timeout(PATIENCE, reader.next()).await.unwrap().unwrap();
            taken.push(decode(&delivery.message.body).unwrap());
            delivery.ack().await.unwrap();
        }
        taken
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}

async fn store() -> SharedStore {
    open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap()
}

fn request(links: u32) -> Request {
    let link = |n| NewLink::from_url(LinkUrl::parse(&format!("http://h{n}.example/")).unwrap());
    let links = LinkSelection::given((0..links).map(link).collect());
    Request::new(RequestId::new(), links, RequestOptions::default(), None)
}

fn ids(jobs: &[JobMessage]) -> HashSet<Uuid> {
    jobs.iter().map(|job| job.job_id).collect()
}

#[tokio::test]
async fn a_small_run_does_not_wait_behind_a_large_one_and_both_are_published_whole() {
    let publishing = Publishing::start().await;
    publishing.outbox.file(request(LARGE)).await.unwrap();
    let waiting = publishing.settled(&Queue::JOBS_LARGE).await;
    assert!(waiting <= WINDOW, "{waiting} jobs wait before the next run");
    publishing.outbox.file(request(10)).await.unwrap();
    assert_eq!(publishing.settled(&Queue::JOBS).await, 10, "though nobody took any of the large run");
    assert_eq!(ids(&publishing.take(625).await).len(), 625, "each job once");
    publishing.stop().await;
}

#[tokio::test]
async fn a_process_with_one_run_leaves_most_of_its_jobs_in_the_database() {
    let publishing = Publishing::of_one_run(request(LARGE)).await;
    let waiting = publishing.settled(&Queue::JOBS_LARGE).await;
    assert!(waiting <= WINDOW, "{waiting} jobs wait");
    assert_eq!(ids(&publishing.take(625).await).len(), 625, "each job once");
    publishing.stop().await;
}

#[tokio::test]
async fn large_runs_take_turns() {
    let publishing = Publishing::start().await;
    let first = publishing.outbox.file(request(LARGE)).await.unwrap().run.id;
    publishing.settled(&Queue::JOBS_LARGE).await;
    let mut begun = vec![first];
    for _ in 0..3 {
        begun.push(publishing.outbox.file(request(LARGE)).await.unwrap().run.id);
    }
    // The first has its jobs in the queue. Then each of the four has its turns.
    let mut counts: HashMap<Uuid, u64> = HashMap::new();
    for job in publishing.take(10 * 128).await {
        *counts.entry(job.run_id).or_default() += 1;
    }
    for run in &begun {
        assert!(counts.get(&run.0).is_some_and(|jobs| *jobs >= 128), "{counts:?}");
    }
    publishing.stop().await;
}

#[tokio::test]
async fn two_producers_do_not_publish_the_same_jobs_of_a_large_run() {
    let one = Publishing::start().await;
    let other = Publishing::on(one.broker.clone(), one.store.clone());
    let filed = one.outbox.file(request(LARGE)).await.unwrap();
    other.outbox.add(&filed);
    assert_eq!(ids(&one.take(625).await).len(), 625);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(one.waiting(&Queue::JOBS_LARGE).await, 0, "none comes twice");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn large_runs_wait_for_the_recorder_and_small_ones_do_not() {
    let publishing = Publishing::start().await;
    for _ in 0..RESULTS {
        let message = Message::new(Uuid::now_v7(), "a result");
        publishing.broker.publish(&Target::Queue(Queue::RESULTS_LARGE), message).await.unwrap();
    }
    publishing.outbox.file(request(LARGE)).await.unwrap();
    publishing.outbox.file(request(10)).await.unwrap();
    assert_eq!(publishing.settled(&Queue::JOBS).await, 10);
    assert_eq!(publishing.waiting(&Queue::JOBS_LARGE).await, 0);
    let mut results = publishing.broker.subscribe(&Queue::RESULTS_LARGE, 1).await.unwrap();
    for _ in 0..RESULTS / 2 {
        results.next().await.unwrap().ack().await.unwrap();
    }
    assert!(publishing.settled(&Queue::JOBS_LARGE).await > 0);
    publishing.stop().await;
}
