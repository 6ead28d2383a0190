//! The role: jobs in, results out, nothing lost in between.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use linkbeat_broker::{
    Broadcasts, Broker, BrokerClosed, Delivery, MemoryBroker, Message, PublishError, Queue, Subscription,
    Target,
};
use linkbeat_shared::wire::{JobMessage, ResultsMessage, decode};
use linkbeat_shared::{CheckSpec, Job, JobId, JobLink, RunId, Verdict};
use linkbeat_worker::{Health, OwnFault, Worker, WorkerSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::site::name_server::{NameServer, Says};
use crate::site::{PATIENCE, Site, nobody, page, visited};
use crate::{link, settings, within};

/// The in-process broker, watched: keeps what is published, and refuses results while told to.
#[derive(Debug)]
struct Watched {
    inner: Arc<MemoryBroker>,
    published: watch::Sender<Vec<(Target, Message)>>,
    refuses_results: AtomicBool,
    refused: watch::Sender<usize>,
}

#[async_trait]
impl Broker for Watched {
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError> {
        if *target == Target::Queue(Queue::Results) && self.refuses_results.load(Ordering::SeqCst) {
            self.refused.send_modify(|count| *count += 1);
            return Err(PublishError::Closed(BrokerClosed));
        }
        self.inner.publish(target, message.clone()).await?;
        self.published.send_modify(|published| published.push((target.clone(), message)));
        Ok(())
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        self.inner.subscribe(queue, prefetch).await
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerClosed> {
        self.inner.waiting(queue).await
    }

    async fn delayed(&self) -> Result<u64, BrokerClosed> {
        self.inner.delayed().await
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        self.inner.broadcasts().await
    }

    fn ready(&self) -> bool {
        self.inner.ready()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

/// A broker with one worker at work.
struct Running {
    broker: Arc<Watched>,
    health: watch::Receiver<Health>,
    shutdown: CancellationToken,
    worker: JoinHandle<Result<(), BrokerClosed>>,
}

impl Running {
    fn with(settings: &WorkerSettings) -> Self {
        let broker = Arc::new(Watched {
            inner: MemoryBroker::new(100),
            published: watch::Sender::default(),
            refuses_results: AtomicBool::new(false),
            refused: watch::Sender::default(),
        });
        let worker = Worker::new(settings, broker.clone()).unwrap();
        let (health, shutdown) = (worker.health(), CancellationToken::new());
        let token = shutdown.clone();
        let worker = tokio::spawn(async move { worker.run(token).await });
        Self { broker, health, shutdown, worker }
    }

    async fn send(&self, message: Message) {
        self.broker.inner.publish(&Target::Queue(Queue::Jobs), message).await.unwrap();
    }

    /// Waits until something was published to a queue, and gives the first of it.
    async fn published(&self, queue: Queue) -> Message {
        let wanted = |published: &Vec<(Target, Message)>| {
            published.iter().find(|(target, _)| *target == Target::Queue(queue)).map(|(_, it)| it.clone())
        };
        let mut published = self.broker.published.subscribe();
        let seen = timeout(PATIENCE, published.wait_for(|it| wanted(it).is_some())).await;
        wanted(&seen.expect("published in time").unwrap()).unwrap()
    }

    async fn results(&self) -> ResultsMessage {
        decode(&self.published(Queue::Results).await.body).unwrap()
    }

    async fn health(&mut self, wanted: impl FnMut(&Health) -> bool) {
        timeout(PATIENCE, self.health.wait_for(wanted)).await.expect("healthy in time").unwrap();
    }

    /// Shuts down and waits for the end; gives the job that is left, if any.
    async fn stop(self) -> Option<Delivery> {
        self.shutdown.cancel();
        timeout(PATIENCE, self.worker).await.expect("drained in time").unwrap().unwrap();
        let mut jobs = self.broker.subscribe(Queue::Jobs, 1).await.unwrap();
        timeout(Duration::from_millis(200), jobs.next()).await.ok().flatten()
    }
}

fn job(check: CheckSpec, links: Vec<JobLink>) -> (Job, Message) {
    let job = Job { id: JobId::new(), run_id: RunId::new(), check, links };
    let mut message = Message::of(job.id.0, &JobMessage::from(&job));
    message.headers = vec![("traceparent".into(), "00-1-2-01".into()), ("other".into(), "x".into())];
    (job, message)
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
    let published = running.published(Queue::Results).await;
    assert_eq!(published.headers, [("traceparent".to_owned(), "00-1-2-01".to_owned())]);
    let results = running.results().await;
    assert_eq!((results.run_id, results.job_id), (job.run_id.0, job.id.0));
    let mut judged: Vec<_> = results.results.iter().map(|it| (it.link_id, it.verdict)).collect();
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
    running.broker.refuses_results.store(true, Ordering::SeqCst);
    running.send(message.clone()).await;
    let mut refused = running.broker.refused.subscribe();
    timeout(PATIENCE, refused.wait_for(|count| *count >= 2)).await.expect("comes again").unwrap();
    running.broker.refuses_results.store(false, Ordering::SeqCst);
    let first = running.published(Queue::Results).await.id;
    assert!(running.stop().await.is_none());
    // Another worker, the same job: the same id.
    let running = Running::with(&settings());
    running.send(message).await;
    assert_eq!(running.published(Queue::Results).await.id, first);
    running.stop().await;
}

#[tokio::test]
async fn an_unreadable_job_is_parked_and_the_next_one_is_done() {
    let site = Site::answers(page("hello")).await;
    let running = Running::with(&settings());
    let newer = br#"{"schema":"linkbeat.job/9"}"#;
    running.send(Message::new(Uuid::now_v7(), newer.to_vec())).await;
    running.send(job(CheckSpec::default(), vec![link(&site.url("/"))]).1).await;
    assert_eq!(&running.published(Queue::Dead).await.body[..], newer);
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
    let (job, message) = job(within(60_000), vec![finished.clone(), link(&silent.url("/"))]);
    running.send(message).await;
    visited(&lively, 1).await;
    visited(&silent, 1).await;
    let broker = Arc::clone(&running.broker);
    let left = running.stop().await.expect("the job goes back");
    assert_eq!(left.message.id, job.id.0);
    let published = broker.published.borrow();
    let results: ResultsMessage = decode(&published[0].1.body).unwrap();
    assert_eq!(results.results.iter().map(|it| it.link_id).collect::<Vec<_>>(), [finished.id.0]);
}

#[tokio::test]
async fn offline_the_job_goes_back_and_health_says_so() {
    let offline = WorkerSettings { resolver: vec![nobody().await], ..settings() };
    let mut running = Running::with(&offline);
    let named = linkbeat_shared::LinkUrl::parse("http://some.test/").unwrap();
    let (job, message) = job(within(200), vec![link(&named)]);
    running.send(message).await;
    running.health(|health| matches!(health, Health::Paused { fault: OwnFault::Offline, .. })).await;
    let broker = Arc::clone(&running.broker);
    let left = running.stop().await.expect("the job goes back");
    assert_eq!(left.message.id, job.id.0);
    assert!(broker.published.borrow().is_empty(), "nothing is judged");
}

#[tokio::test]
async fn a_worker_that_was_offline_goes_on_by_itself() {
    let site = Site::answers(page("hello")).await;
    let resolver = nobody().await;
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
