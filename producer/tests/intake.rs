//! Requests while the database has its troubles.
//!
//! PostgreSQL comes from `LINKBEAT_TEST_DATABASE_URL`, whose role may create databases; `scripts/test` starts one.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

use std::sync::Arc;
use std::time::Duration;

use linkbeat_broker::{MemoryBroker, Message, Queue, SharedBroker, Target};
use linkbeat_producer::{Intake, Outbox, ProducerSettings};
use linkbeat_store::{OpenMode, SharedStore, open};
use linkbeat_testbed::broker::{Fate, Watched};
use linkbeat_testbed::database::Database;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a case gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store in which nobody waits long for what another holds.
async fn impatient(database: &Database) -> SharedStore {
    let url = format!("{}?options=-c%20lock_timeout%3D200ms", database.url);
    open(&url.parse().unwrap(), OpenMode::Migrate).await.unwrap()
}

fn intake(broker: &SharedBroker, store: &SharedStore) -> Intake {
    Intake::new(ProducerSettings::default(), Arc::new(Outbox::new(broker.clone(), store.clone())))
}

async fn ask(broker: &SharedBroker) -> Uuid {
    let id = Uuid::now_v7();
    let body = format!(
        r#"{{"schema":"linkbeat.request/1","request_id":"{id}","links":[{{"url":"http://a.example/"}}]}}"#
    );
    broker.publish(&Target::Queue(Queue::REQUESTS), Message::new(id, body)).await.unwrap();
    id
}

/// Waits until this request has a run.
async fn filed(store: &SharedStore, request: Uuid) {
    let filed = async {
        while !store.runs(200).await.unwrap().iter().any(|run| run.request_id.0 == request) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, filed).await.unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_filed_yet_is_held_and_holds_up_no_other() {
    let database = Database::create("linkbeat_producer").await;
    let store = impatient(&database).await;
    let watched = Watched::over(MemoryBroker::new(100));
    let broker: SharedBroker = watched.clone();
    let request = ask(&broker).await;
    // Somebody else files the same request, and takes long.
    let other = database.client().await;
    let filing = format!(
        "BEGIN; INSERT INTO runs (id, request_id, check_spec, show_rules)
         VALUES (gen_random_uuid(), '{request}', '{{}}', '{{}}')"
    );
    other.batch_execute(&filing).await.unwrap();

    let (intake, stop) = (intake(&broker, &store), CancellationToken::new());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { intake.run(stop).await }
    });
    let next = ask(&broker).await;
    filed(&store, next).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(store.runs(10).await.unwrap().len(), 1, "the first cannot be filed");
    assert_eq!(watched.handed_out(), 2, "and is not given back");
    other.batch_execute("ROLLBACK").await.unwrap();
    filed(&store, request).await;
    assert_eq!(watched.handed_out(), 2);

    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    assert_eq!(broker.waiting(&Queue::REQUESTS).await.unwrap(), 0, "both are done");
    store.close().await;
}

/// However long answers take, to however many: the requests of others are filed.
#[tokio::test]
async fn answers_that_are_stuck_hold_up_no_request() {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    let watched = Watched::over(MemoryBroker::new(200));
    let broker: SharedBroker = watched.clone();
    watched.treats(|target| if matches!(target, Target::Reply(_)) { Fate::Stuck } else { Fate::Through });
    for _ in 0..100 {
        let mut bad =
            Message::new(Uuid::now_v7(), r#"{"schema":"linkbeat.request/1","links":[{"url":"ftp://a"}]}"#);
        bad.reply_to = Some("answers".to_owned());
        broker.publish(&Target::Queue(Queue::REQUESTS), bad).await.unwrap();
    }
    let good = ask(&broker).await;
    let (intake, stop) = (intake(&broker, &store), CancellationToken::new());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { intake.run(stop).await }
    });
    filed(&store, good).await;
    assert_eq!(watched.held_back.borrow().len(), 100, "all are being answered");
    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    store.close().await;
}

#[tokio::test]
async fn only_listed_queues_get_answers_and_all_requests_are_carried_out() {
    let cases = [
        (&[][..], "anything", true),
        (&["amq.rabbitmq.reply-to.*", "blog.*"][..], "blog.answers", true),
        (&["amq.rabbitmq.reply-to.*", "blog.*"][..], "amq.rabbitmq.reply-to.a.b", true),
        (&["amq.rabbitmq.reply-to.*", "blog.*"][..], "shop.answers", false),
    ];
    for (listed, address, answered) in cases {
        let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
        let broker: SharedBroker = MemoryBroker::new(10);
        let reply_queues = listed.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let settings = ProducerSettings { reply_queues, ..ProducerSettings::default() };
        let intake = Intake::new(settings, Arc::new(Outbox::new(broker.clone(), store.clone())));
        let id = Uuid::now_v7();
        let body = format!(
            r#"{{"schema":"linkbeat.request/1","request_id":"{id}","links":[{{"url":"http://a.example/"}}]}}"#
        );
        let request = Message { reply_to: Some(address.to_owned()), ..Message::new(id, body) };
        broker.publish(&Target::Queue(Queue::REQUESTS), request).await.unwrap();
        let stop = CancellationToken::new();
        tokio::join!(intake.run(stop.clone()), async {
            filed(&store, id).await;
            stop.cancel();
        });
        let run = store.runs(1).await.unwrap().remove(0);
        assert_eq!(run.reply_to.is_some(), answered, "{listed:?} {address}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_request_that_is_held_goes_back_when_the_producer_stops() {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    // For good, which cannot be told from an outage.
    store.close().await;
    let broker: SharedBroker = MemoryBroker::new(100);
    ask(&broker).await;
    let (intake, stop) = (intake(&broker, &store), CancellationToken::new());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { intake.run(stop).await }
    });
    while broker.waiting(&Queue::REQUESTS).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    assert_eq!(broker.waiting(&Queue::REQUESTS).await.unwrap(), 1);
}

#[tokio::test]
async fn requests_for_large_runs_are_filed_from_a_queue_of_their_own() {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    let watched = Watched::over(MemoryBroker::new(1_000));
    let broker: SharedBroker = watched.clone();
    // More than an intake takes at once.
    for _ in 0..100 {
        let id = Uuid::now_v7();
        let body = format!(r#"{{"schema":"linkbeat.request/1","request_id":"{id}"}}"#);
        broker.publish(&Target::Queue(Queue::REQUESTS), Message::new(id, body)).await.unwrap();
    }
    let small = ask(&broker).await;
    let (intake, stop) = (intake(&broker, &store), CancellationToken::new());
    let token = stop.clone();
    let serving = tokio::spawn(async move { intake.run(token).await });
    filed(&store, small).await;
    let drained = async {
        while store.runs(200).await.unwrap().len() < 101 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drained).await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    let apart = Target::Queue(Queue::REQUESTS_LARGE);
    let moved = watched.published.borrow().iter().filter(|(target, _)| *target == apart).count();
    assert_eq!(moved, 100, "all of them, and the small one not");
}
