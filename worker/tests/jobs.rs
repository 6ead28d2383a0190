//! The role: jobs in, results out, nothing lost in between.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use linkbeat_broker::{Broker, BrokerClosed, Delivery, MemoryBroker, Message, Queue, Target};
use linkbeat_shared::wire::{CancelMessage, JobMessage, ParkingMessage, ResultsMessage, decode};
use linkbeat_shared::{CheckSpec, Job, JobId, JobLink, RunId, Timeout, TraceContext, Verdict};
use linkbeat_testbed::broker::{Fate, Watched};
use linkbeat_worker::{Health, MAX_FAULTS, MAX_LOSSES, OwnFault, Worker, WorkerSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::site::name_server::{NameServer, Says};
use crate::site::{PATIENCE, Site, nobody, page, visited};
use crate::{link, settings, within};

/// A broker with one worker at work.
struct Running {
    broker: Arc<Watched>,
    health: watch::Receiver<Health>,
    shutdown: CancellationToken,
    worker: JoinHandle<Result<(), BrokerClosed>>,
}

impl Running {
    fn with(settings: &WorkerSettings) -> Self {
        Self::on(MemoryBroker::new(100), settings)
    }

    fn on(inner: Arc<MemoryBroker>, settings: &WorkerSettings) -> Self {
        let broker = Watched::over(inner);
        let worker = Worker::new(settings, broker.clone()).unwrap();
        let (health, shutdown) = (worker.health(), CancellationToken::new());
        let token = shutdown.clone();
        let worker = tokio::spawn(async move { worker.run(token).await });
        Self { broker, health, shutdown, worker }
    }

    async fn send(&self, message: Message) {
        self.broker.inner().publish(&Target::Queue(Queue::JOBS), message).await.unwrap();
    }

    /// Waits until something was published to a queue, and gives the first of it.
    async fn published(&self, queue: Queue) -> Message {
        self.published_that(queue, |message| Some(message.clone())).await
    }

    /// Waits until something that `is` accepts was published to a queue, and gives what it makes of it.
    async fn published_that<T>(&self, queue: Queue, is: impl Fn(&Message) -> Option<T>) -> T {
        let queue = Target::Queue(queue);
        let wanted = |published: &Vec<(Target, Message)>| {
            let to_queue = published.iter().filter(|(target, _)| *target == queue);
            to_queue.map(|(_, message)| message).find_map(&is)
        };
        let mut published = self.broker.published.subscribe();
        let seen = timeout(PATIENCE, published.wait_for(|it| wanted(it).is_some())).await;
        wanted(&seen.expect("published in time").unwrap()).unwrap()
    }

    async fn results(&self) -> ResultsMessage {
        self.published_that(Queue::RESULTS, |message| decode(&message.body).ok()).await
    }

    /// Waits until so many links have results, and gives all messages that carry some.
    async fn all_results(&self, links: usize) -> Vec<ResultsMessage> {
        let results = |published: &Vec<(Target, Message)>| -> Vec<ResultsMessage> {
            let to_results = published.iter().filter(|(target, _)| *target == Target::Queue(Queue::RESULTS));
            to_results.map(|(_, message)| decode(&message.body).unwrap()).collect()
        };
        let enough = |published: &Vec<(Target, Message)>| {
            results(published).iter().map(|message| message.results.len()).sum::<usize>() >= links
        };
        let mut published = self.broker.published.subscribe();
        let seen = timeout(PATIENCE, published.wait_for(enough)).await;
        results(&seen.expect("published in time").unwrap())
    }

    async fn health(&mut self, wanted: impl FnMut(&Health) -> bool) {
        timeout(PATIENCE, self.health.wait_for(wanted)).await.expect("healthy in time").unwrap();
    }

    /// Shuts down and waits for the end; gives the job that is left, if any.
    async fn stop(self) -> Option<Delivery> {
        self.shutdown.cancel();
        timeout(PATIENCE, self.worker).await.expect("drained in time").unwrap().unwrap();
        let mut jobs = self.broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        timeout(Duration::from_millis(200), jobs.next()).await.ok().flatten()
    }
}

/// The silent site keeps its check until the timeout.
#[tokio::test]
async fn a_slow_link_holds_no_result_of_another() {
    let (site, silent) = (Site::answers(page("hello")).await, silent().await);
    let running = Running::with(&settings());
    let links = vec![link(&silent.url("/")), link(&site.url("/a")), link(&site.url("/b"))];
    let (job, message) =
        job(CheckSpec { timeout: Timeout::from_millis(4_000).unwrap(), ..CheckSpec::default() }, links);
    running.send(message).await;
    let all = running.all_results(3).await;
    let parts: Vec<usize> = all.iter().map(|part| part.results.len()).collect();
    assert_eq!(parts, [2, 1], "the answers first");
    assert_eq!(all[1].results[0].link_id.0, job.links[0].id.0);
    assert!(running.stop().await.is_none(), "acknowledged");
}

/// The job is not acknowledged before all its parts are.
#[tokio::test]
async fn a_job_one_part_of_which_is_not_confirmed_comes_again() {
    let (site, silent) = (Site::answers(page("hello")).await, silent().await);
    let running = Running::with(&settings());
    let (_, message) = job(CheckSpec::default(), vec![link(&silent.url("/")), link(&site.url("/a"))]);
    running.broker.treats(|target| match target {
        Target::Queue(queue) if *queue == Queue::RESULTS => Fate::Refused,
        _ => Fate::Through,
    });
    running.send(message).await;
    let mut refused = running.broker.held_back.subscribe();
    timeout(PATIENCE, refused.wait_for(|refused| !refused.is_empty())).await.expect("refused").unwrap();
    running.broker.treats(|_| Fate::Through);
    let all = running.all_results(2).await;
    assert_eq!(all.iter().map(|part| part.results.len()).sum::<usize>(), 2, "both links, once more");
    assert!(running.stop().await.is_none(), "acknowledged");
}

/// Its links wait for each other at one host, longer than a job may be held.
#[tokio::test]
async fn a_job_that_takes_long_is_published_in_parts() {
    let site = Site::answers(page("hello")).await;
    let at_a_time = WorkerSettings {
        max_hold: Some(Timeout::from_millis(600).unwrap()),
        min_interval: Some(Timeout::from_millis(100).unwrap()),
        ..settings()
    };
    let running = Running::with(&at_a_time);
    let links: Vec<JobLink> = (0..20).map(|n| link(&site.url(&format!("/{n}")))).collect();
    let (job, message) = job(CheckSpec::default(), links);
    running.send(message).await;
    let all = running.all_results(20).await;
    assert!(all.len() > 1, "in parts, not all at the end");
    let links: HashSet<Uuid> = all.iter().flat_map(|part| &part.results).map(|it| it.link_id.0).collect();
    assert_eq!(links, job.links.iter().map(|link| link.id.0).collect(), "each once");
    assert!(running.stop().await.is_none(), "nothing is left of the job");
}

fn job(check: CheckSpec, links: Vec<JobLink>) -> (Job, Message) {
    let job = Job { id: JobId::new(), run_id: RunId::new(), check, links };
    let mut message = Message::of(job.id.0, &JobMessage::from(&job));
    message.headers.trace = Some(trace());
    assert!(message.headers.add_foreign("other", "x"));
    (job, message)
}

fn trace() -> TraceContext {
    TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("vendor=1")).unwrap()
}

async fn silent() -> Site {
    Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await
}

#[tokio::test]
async fn a_job_is_done_when_its_results_are_published() {
    let site = Site::answers(page("hello")).await;
    let mut running = Running::with(&settings());
    assert_eq!(*running.health.borrow(), Health::Starting);
    let links = [link(&site.url("/a")), link(&site.url("/b"))];
    let (job, message) = job(CheckSpec::default(), links.to_vec());
    running.send(message).await;
    let published = running.published(Queue::RESULTS).await;
    assert_eq!(published.headers.trace, Some(trace()));
    assert_eq!(published.headers.foreign(), []);
    let results = running.results().await;
    assert_eq!((results.run_id, results.job_id), (job.run_id.0, job.id.0));
    let mut judged: Vec<_> = results.results.iter().map(|it| (it.link_id.0, it.verdict)).collect();
    judged.sort_unstable();
    let mut expected: Vec<_> = links.iter().map(|link| (link.id.0, Some(Verdict::Up))).collect();
    expected.sort_unstable();
    assert_eq!(judged, expected);
    running.health(|health| *health == Health::Working).await;
    assert!(running.stop().await.is_none(), "acknowledged");
}

#[tokio::test]
async fn a_job_whose_results_are_not_confirmed_comes_again_under_the_same_message_id() {
    let site = Site::answers(page("hello")).await;
    let running = Running::with(&settings());
    let (_, message) = job(CheckSpec::default(), vec![link(&site.url("/a")), link(&site.url("/b"))]);
    running.broker.treats(|target| match target {
        Target::Queue(queue) if *queue == Queue::RESULTS => Fate::Refused,
        _ => Fate::Through,
    });
    running.send(message.clone()).await;
    let mut refused = running.broker.held_back.subscribe();
    timeout(PATIENCE, refused.wait_for(|refused| refused.len() >= 2)).await.expect("comes again").unwrap();
    running.broker.treats(|_| Fate::Through);
    let first = running.published(Queue::RESULTS).await.id;
    assert!(running.stop().await.is_none());
    // Another worker, the same job: the same id.
    let running = Running::with(&settings());
    running.send(message).await;
    assert_eq!(running.published(Queue::RESULTS).await.id, first);
    running.stop().await;
}

#[tokio::test]
async fn an_unreadable_job_is_parked_and_the_next_one_is_done() {
    let site = Site::answers(page("hello")).await;
    let running = Running::with(&settings());
    let newer = br#"{"schema":"linkbeat.job/9"}"#;
    let id = Uuid::now_v7();
    running.send(Message::new(id, newer.to_vec())).await;
    running.send(job(CheckSpec::default(), vec![link(&site.url("/"))]).1).await;
    assert_eq!(&running.published(Queue::DEAD).await.body[..], newer);
    let told: ParkingMessage =
        running.published_that(Queue::RESULTS, |message| decode(&message.body).ok()).await;
    assert_eq!((told.job_id, told.parked), (id, true), "the recorder knows which job");
    assert_eq!(running.results().await.results.len(), 1);
    assert!(running.stop().await.is_none());
}

#[tokio::test]
async fn a_shutdown_lets_running_checks_finish() {
    let slow = Site::plays(|mut visit, _| async move {
        visit.request().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        visit.send(page("hello")).await;
    })
    .await;
    let running = Running::with(&settings());
    running.send(job(CheckSpec::default(), vec![link(&slow.url("/"))]).1).await;
    visited(&slow, 1).await;
    let broker = Arc::clone(&running.broker);
    assert!(running.stop().await.is_none(), "acknowledged");
    assert_eq!(broker.published.borrow().len(), 1);
}

#[tokio::test]
async fn what_the_drain_timeout_cuts_off_goes_back_and_what_was_finished_is_kept() {
    let (lively, silent) = (Site::answers(page("hello")).await, silent().await);
    let drain_timeout = Some(within(300).timeout);
    let running = Running::with(&WorkerSettings { drain_timeout, ..settings() });
    let finished = link(&lively.url("/"));
    let unfinished = link(&silent.url("/"));
    let (job, message) = job(within(60_000), vec![finished.clone(), unfinished.clone()]);
    running.send(message).await;
    visited(&lively, 1).await;
    visited(&silent, 1).await;
    let broker = Arc::clone(&running.broker);
    let left = running.stop().await.expect("the job goes back");
    assert_eq!(left.message.id, job.id.0);
    assert!(!left.redelivered, "by choice: nobody was lost with it");
    let rest: JobMessage = decode(&left.message.body).unwrap();
    assert_eq!(rest.links.iter().map(|it| it.id).collect::<Vec<_>>(), [unfinished.id.0]);
    let published = broker.published.borrow();
    let results: ResultsMessage = decode(&published[0].1.body).unwrap();
    assert_eq!(results.results.iter().map(|it| it.link_id).collect::<Vec<_>>(), [finished.id]);
}

#[tokio::test]
async fn offline_the_job_goes_back_and_health_says_so() {
    let offline = WorkerSettings { resolver: vec![nobody()], ..settings() };
    let mut running = Running::with(&offline);
    let named = linkbeat_shared::LinkUrl::parse("http://some.test/").unwrap();
    let (job, message) = job(within(200), vec![link(&named)]);
    running.send(message).await;
    running.health(|health| matches!(health, Health::Paused { fault: OwnFault::Offline, .. })).await;
    let broker = Arc::clone(&running.broker);
    let left = running.stop().await.expect("the job goes back");
    assert_eq!(left.message.id, job.id.0);
    let results = Target::Queue(Queue::RESULTS);
    assert!(broker.published.borrow().iter().all(|(target, _)| *target != results), "nothing is judged");
}

#[tokio::test]
async fn a_job_that_own_faults_keep_from_being_done_is_parked_in_the_end() {
    let offline = WorkerSettings { resolver: vec![nobody()], ..settings() };
    let running = Running::with(&offline);
    let named = linkbeat_shared::LinkUrl::parse("http://some.test/").unwrap();
    let (job, message) = job(within(200), vec![link(&named)]);
    running.send(message.with_faults(MAX_FAULTS - 1)).await;
    let parked = running.published(Queue::DEAD).await;
    assert_eq!((parked.id, parked.faults()), (job.id.0, MAX_FAULTS));
}

#[tokio::test]
async fn a_worker_that_was_offline_goes_on_by_itself() {
    let site = Site::answers(page("hello")).await;
    let resolver = nobody();
    let mut running = Running::with(&WorkerSettings { resolver: vec![resolver], ..settings() });
    running.send(job(within(2_500), vec![link(&site.url_at("some.test"))]).1).await;
    running.health(|health| matches!(health, Health::Paused { .. })).await;
    let _names = NameServer::at(resolver, |_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await;
    let results = running.results().await;
    assert_eq!(results.results[0].verdict, Some(Verdict::Up));
    running.health(|health| *health == Health::Working).await;
    assert!(running.stop().await.is_none(), "acknowledged");
}

#[tokio::test]
async fn a_lost_session_ends_the_work_on_its_jobs() {
    let silent = silent().await;
    let left = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&left);
    let site = Site::plays(move |mut visit, _| {
        let seen = Arc::clone(&seen);
        async move {
            visit.request().await;
            visit.wait_for_end().await;
            *seen.lock().unwrap() = true;
        }
    })
    .await;
    let running = Running::with(&settings());
    running.send(job(within(60_000), vec![link(&site.url("/")), link(&silent.url("/"))]).1).await;
    visited(&site, 1).await;
    running.broker.close().await;
    let ended = timeout(PATIENCE, running.worker).await.expect("ends at once").unwrap();
    assert_eq!(ended, Err(BrokerClosed));
    let gone = async {
        while !*left.lock().unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the check is ended");
}

#[tokio::test]
async fn links_of_a_cancelled_run_are_not_begun() {
    let (slow, other) = (silent().await, Site::answers(page("hello")).await);
    let running = Running::with(&WorkerSettings { per_host: 1, ..settings() });
    // The second link waits for the first one's turn to end.
    let (job, message) = job(within(1_000), vec![link(&slow.url("/a")), link(&slow.url("/b"))]);
    running.send(message.clone()).await;
    visited(&slow, 1).await;
    let cancel = Message::of(Uuid::now_v7(), &CancelMessage::new(job.run_id));
    running.broker.inner().publish(&Target::Broadcast, cancel).await.unwrap();
    assert_eq!(running.results().await.results.len(), 1, "what was begun is judged");
    // A whole job of that run, and one of another run behind it.
    running.send(message).await;
    let (next, message) = self::job(CheckSpec::default(), vec![link(&other.url("/"))]);
    running.send(message).await;
    let of_next = |message: &Message| {
        decode::<ResultsMessage>(&message.body).ok().filter(|results| results.run_id == next.run_id.0)
    };
    running.published_that(Queue::RESULTS, of_next).await;
    assert!(running.stop().await.is_none(), "acknowledged");
    assert_eq!(slow.visits(), 1);
}

#[tokio::test]
async fn a_worker_that_comes_later_honours_a_cancelled_run() {
    let site = Site::answers(page("hello")).await;
    let broker = MemoryBroker::new(100);
    let (job, message) = job(CheckSpec::default(), vec![link(&site.url("/"))]);
    let cancel = Message::of(Uuid::now_v7(), &CancelMessage::new(job.run_id));
    broker.publish(&Target::Broadcast, cancel).await.unwrap();
    broker.publish(&Target::Queue(Queue::JOBS), message).await.unwrap();
    let running = Running::on(broker, &settings());
    let (_, last) = self::job(CheckSpec::default(), vec![link(&site.url("/last"))]);
    running.send(last).await;
    running.results().await;
    assert!(running.stop().await.is_none(), "acknowledged");
    assert_eq!(site.visits(), 1, "the last job's alone");
}

#[tokio::test]
async fn a_job_that_was_lost_is_set_apart_and_done_there() {
    let site = Site::answers(page("hello")).await;
    for (lost_from, losses, expected) in [
        (Queue::JOBS, 0, Queue::SUSPECTS),
        (Queue::SUSPECTS, 0, Queue::SUSPECTS),
        (Queue::SUSPECTS, 1, Queue::ISOLATED),
        (Queue::ISOLATED, 2, Queue::ISOLATED),
    ] {
        let broker = MemoryBroker::new(100);
        let (job, message) = job(CheckSpec::default(), vec![link(&site.url("/"))]);
        lose(&broker, lost_from, message.with_losses(losses)).await;
        let running = Running::on(broker, &settings());
        assert_eq!(running.published(expected).await.id, job.id.0);
        assert_eq!(running.results().await.job_id, job.id.0);
        assert!(running.stop().await.is_none(), "acknowledged");
    }
}

#[tokio::test]
async fn a_job_that_is_lost_alone_too_often_is_parked() {
    let broker = MemoryBroker::new(100);
    let (job, message) = job(CheckSpec::default(), Vec::new());
    lose(&broker, Queue::ISOLATED, message.with_losses(MAX_LOSSES - 1)).await;
    let running = Running::on(broker, &settings());
    let parked = running.published(Queue::DEAD).await;
    assert_eq!((parked.id, parked.losses()), (job.id.0, MAX_LOSSES));
    let told: ParkingMessage =
        running.published_that(Queue::RESULTS, |message| decode(&message.body).ok()).await;
    assert_eq!((told.job_id, told.parked), (job.id.0, true));
    running.stop().await;
}

/// Takes a message from its queue and dies.
async fn lose(broker: &MemoryBroker, queue: Queue, message: Message) {
    broker.publish(&Target::Queue(queue.clone()), message).await.unwrap();
    let mut subscription = broker.subscribe(&queue, 1).await.unwrap();
    drop(timeout(PATIENCE, subscription.next()).await.expect("a message").expect("open"));
    subscription.stop().await;
}
