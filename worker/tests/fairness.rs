//! A large run whose sites hang, and a small run beside it.

use linkbeat_broker::{Broker, MemoryBroker, Message, Queue, Target};
use linkbeat_shared::wire::{JobMessage, ResultsMessage, decode};
use linkbeat_shared::{CheckSpec, Job, JobId, JobLink, RunId, RunSize, Verdict};
use linkbeat_worker::{Worker, WorkerSettings};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::site::{PATIENCE, Site, own_address, page, visited};
use crate::{link, settings, within};

/// So few that a few jobs fill them; four of them are kept for small runs.
const SLOTS: usize = 64;
const KEPT: usize = 4;
/// Longer than a case takes.
const NEVER_MS: u64 = 60_000;

fn few_slots() -> WorkerSettings {
    WorkerSettings { concurrency: SLOTS, per_host: 2 * SLOTS, ..settings() }
}

async fn send(broker: &MemoryBroker, size: RunSize, check: CheckSpec, links: Vec<JobLink>) -> JobId {
    let job = Job { id: JobId::new(), run_id: RunId::new(), check, links };
    let message = Message::of(job.id.0, &JobMessage::from(&job)).of_run(size);
    broker.publish(&Target::Queue(Queue::of_jobs(size)), message).await.unwrap();
    job.id
}

async fn next_results(broker: &MemoryBroker, size: RunSize) -> ResultsMessage {
    let mut results = broker.subscribe(&Queue::of_results(size), 1).await.unwrap();
    let delivery = timeout(PATIENCE, results.next()).await.expect("results in time").unwrap();
    let message = decode(&delivery.message.body).unwrap();
    delivery.ack().await.unwrap();
    message
}

fn work(worker: Worker) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let token = stop.clone();
    (stop, tokio::spawn(async move { worker.run(token).await.unwrap() }))
}

/// Takes every connection and never answers.
async fn hanging() -> Site {
    Site::plays_at(own_address(), |mut visit, _| async move {
        visit.request().await;
        visit.wait_for_end().await;
    })
    .await
}

/// As many jobs as fill the worker twice.
async fn flood(broker: &MemoryBroker, size: RunSize, site: &Site) {
    for job in 0..2 * SLOTS / 16 {
        // Each its own page: what is the same is fetched once.
        let links = (0..16).map(|n| link(&site.url(&format!("/{job}/{n}")))).collect();
        send(broker, size, within(NEVER_MS), links).await;
    }
}

#[tokio::test]
async fn a_small_run_begins_at_once_beside_a_large_one_that_hangs() {
    let (broker, hanging, lively) =
        (MemoryBroker::new(100), hanging().await, Site::answers(page("hi")).await);
    let drain_timeout = Some(within(1).timeout);
    let worker = Worker::new(&WorkerSettings { drain_timeout, ..few_slots() }, broker.clone()).unwrap();
    let (stop, working) = work(worker);
    flood(&broker, RunSize::Large, &hanging).await;
    visited(&hanging, SLOTS - KEPT).await;
    // More links than there are slots left, so they take turns in them.
    let links = (0..3 * KEPT).map(|n| link(&lively.url(&format!("/{n}")))).collect();
    let small = send(&broker, RunSize::Small, CheckSpec::default(), links).await;
    let results = next_results(&broker, RunSize::Small).await;
    assert_eq!((results.job_id, results.results.len()), (small.0, 3 * KEPT));
    assert!(results.results.iter().all(|result| result.verdict == Some(Verdict::Up)));
    assert_eq!(hanging.visits(), SLOTS - KEPT, "the large run has not taken the slots that are kept");
    stop.cancel();
    timeout(PATIENCE, working).await.expect("drained in time").unwrap();
}

/// So many more than can begin at once that the worker would stop short of them, if it did not see that they only wait.
#[tokio::test]
async fn a_large_run_whose_sites_hang_fills_its_slots() {
    const SLOTS: usize = 800;
    let (broker, hanging) = (MemoryBroker::new(100), hanging().await);
    let drain_timeout = Some(within(1).timeout);
    let settings = WorkerSettings { concurrency: SLOTS, per_host: 2 * SLOTS, drain_timeout, ..settings() };
    let (stop, working) = work(Worker::new(&settings, broker.clone()).unwrap());
    for job in 0..SLOTS / 16 {
        let links = (0..16).map(|n| link(&hanging.url(&format!("/{job}/{n}")))).collect();
        send(&broker, RunSize::Large, within(NEVER_MS), links).await;
    }
    visited(&hanging, SLOTS - SLOTS / 16).await;
    stop.cancel();
    timeout(PATIENCE, working).await.expect("drained in time").unwrap();
}

#[tokio::test]
async fn a_job_of_a_large_run_that_comes_from_a_delay_joins_the_others_of_its_kind() {
    let (broker, site) = (MemoryBroker::new(100), Site::answers(page("hi")).await);
    let job = Job {
        id: JobId::new(),
        run_id: RunId::new(),
        check: CheckSpec::default(),
        links: vec![link(&site.url("/"))],
    };
    let message = Message::of(job.id.0, &JobMessage::from(&job)).of_run(RunSize::Large);
    broker.publish(&Target::Queue(Queue::JOBS), message).await.unwrap();
    let watched = linkbeat_testbed::broker::Watched::over(broker.clone());
    let (stop, working) = work(Worker::new(&few_slots(), watched.clone()).unwrap());
    assert_eq!(next_results(&broker, RunSize::Large).await.job_id, job.id.0);
    stop.cancel();
    timeout(PATIENCE, working).await.expect("drained in time").unwrap();
    let moved = Target::Queue(Queue::JOBS_LARGE);
    assert!(watched.published.borrow().iter().any(|(target, _)| *target == moved));
}

#[tokio::test]
async fn one_namespace_that_floods_the_worker_leaves_the_other_its_share() {
    let (busy, other) = (MemoryBroker::new(100), MemoryBroker::new(100));
    let (hanging, lively) = (hanging().await, Site::answers(page("hi")).await);
    let drain_timeout = Some(within(1).timeout);
    let settings = WorkerSettings { drain_timeout, ..few_slots() };
    let workers = Worker::sharing(&settings, vec![busy.clone(), other.clone()]).unwrap();
    let working: Vec<_> = workers.into_iter().map(work).collect();
    // Small runs, so that nothing but the other namespace limits them.
    flood(&busy, RunSize::Small, &hanging).await;
    let kept_for_the_other = SLOTS / 8;
    visited(&hanging, SLOTS - kept_for_the_other).await;
    for size in [RunSize::Small, RunSize::Large] {
        let links = (0..20).map(|n| link(&lively.url(&format!("/{n}")))).collect();
        let job = send(&other, size, CheckSpec::default(), links).await;
        let results = next_results(&other, size).await;
        assert_eq!((results.job_id, results.results.len()), (job.0, 20));
    }
    assert_eq!(hanging.visits(), SLOTS - kept_for_the_other);
    assert_eq!(busy.waiting(&Queue::RESULTS).await.unwrap(), 0, "neither sees the other's");
    for (stop, working) in working {
        stop.cancel();
        timeout(PATIENCE, working).await.expect("drained in time").unwrap();
    }
}
