//! Requests while the database has its troubles.
//!
//! PostgreSQL comes from `LINKBEAT_TEST_DATABASE_URL`, whose role may create databases; `scripts/test` starts one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a case ends where it meets what it does not expect"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use linkbeat_broker::{
    Broadcasts, Broker, BrokerClosed, Delivery, MemoryBroker, Message, PublishError, Queue, SharedBroker,
    Subscription, Target,
};
use linkbeat_producer::{Intake, ProducerSettings};
use linkbeat_store::{OpenMode, SharedStore, open};
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a case gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker that counts what it hands out.
#[derive(Debug)]
struct Counting {
    broker: SharedBroker,
    handed_out: Arc<AtomicUsize>,
}

#[async_trait]
impl Broker for Counting {
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError> {
        self.broker.publish(target, message).await
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        let subscription = self.broker.subscribe(queue, prefetch).await?;
        Ok(Box::new(CountingSubscription { subscription, handed_out: self.handed_out.clone() }))
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerClosed> {
        self.broker.waiting(queue).await
    }

    async fn delayed(&self) -> Result<u64, BrokerClosed> {
        self.broker.delayed().await
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        self.broker.broadcasts().await
    }

    fn ready(&self) -> bool {
        self.broker.ready()
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}

struct CountingSubscription {
    subscription: Box<dyn Subscription>,
    handed_out: Arc<AtomicUsize>,
}

#[async_trait]
impl Subscription for CountingSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.subscription.next().await?;
        self.handed_out.fetch_add(1, Ordering::SeqCst);
        Some(delivery)
    }

    fn resize(&mut self, prefetch: u16) {
        self.subscription.resize(prefetch);
    }

    async fn stop(&mut self) {
        self.subscription.stop().await;
    }
}

/// A PostgreSQL database of the test's own, in which nobody waits long for what another holds.
struct TestDatabase {
    name: String,
    url: url::Url,
}

impl TestDatabase {
    async fn create() -> Self {
        let name = format!("linkbeat_producer_{}", Uuid::now_v7().simple());
        connect(&server()).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let mut url = server();
        url.set_path(&name);
        Self { name, url }
    }

    async fn open(&self) -> SharedStore {
        let mut url = self.url.clone();
        url.set_query(Some("options=-c%20lock_timeout%3D200ms"));
        open(&url.as_str().parse().unwrap(), OpenMode::Migrate).await.unwrap()
    }

    async fn drop(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        connect(&server()).await.batch_execute(&drop).await.unwrap();
    }
}

fn server() -> url::Url {
    let url =
        std::env::var("LINKBEAT_TEST_DATABASE_URL").expect("LINKBEAT_TEST_DATABASE_URL; run scripts/test");
    url.parse().unwrap()
}

async fn connect(url: &url::Url) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(broker: &SharedBroker) -> Uuid {
    let id = Uuid::now_v7();
    let body = format!(
        r#"{{"schema":"linkbeat.request/1","request_id":"{id}","links":[{{"url":"http://a.example/"}}]}}"#
    );
    broker.publish(&Target::Queue(Queue::Requests), Message::new(id, body)).await.unwrap();
    id
}

/// Waits until this request has a run.
async fn filed(store: &SharedStore, request: Uuid) {
    let filed = async {
        while !store.runs(10).await.unwrap().iter().any(|run| run.request_id.0 == request) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, filed).await.unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_filed_yet_is_held_and_holds_up_no_other() {
    let database = TestDatabase::create().await;
    let store = database.open().await;
    let handed_out = Arc::new(AtomicUsize::new(0));
    let broker: SharedBroker =
        Arc::new(Counting { broker: MemoryBroker::new(100), handed_out: handed_out.clone() });
    let request = ask(&broker).await;
    // Somebody else files the same request, and takes long.
    let other = connect(&database.url).await;
    let filing = format!(
        "BEGIN; INSERT INTO runs (id, request_id, check_spec, show_rules)
         VALUES (gen_random_uuid(), '{request}', '{{}}', '{{}}')"
    );
    other.batch_execute(&filing).await.unwrap();

    let (intake, stop) =
        (Intake::new(ProducerSettings::default(), broker.clone(), store.clone()), CancellationToken::new());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { intake.run(stop).await }
    });
    let next = ask(&broker).await;
    filed(&store, next).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(store.runs(10).await.unwrap().len(), 1, "the first cannot be filed");
    assert_eq!(handed_out.load(Ordering::SeqCst), 2, "and is not given back");
    other.batch_execute("ROLLBACK").await.unwrap();
    filed(&store, request).await;
    assert_eq!(handed_out.load(Ordering::SeqCst), 2);

    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    assert_eq!(broker.waiting(Queue::Requests).await.unwrap(), 0, "both are done");
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_request_that_is_held_goes_back_when_the_producer_stops() {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    // For good, which cannot be told from an outage.
    store.close().await;
    let broker: SharedBroker = MemoryBroker::new(100);
    ask(&broker).await;
    let (intake, stop) =
        (Intake::new(ProducerSettings::default(), broker.clone(), store), CancellationToken::new());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { intake.run(stop).await }
    });
    while broker.waiting(Queue::Requests).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    assert_eq!(broker.waiting(Queue::Requests).await.unwrap(), 1);
}
