//! What only the in-process queue does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use futures::FutureExt;
use linkbeat_broker::{BrokerClosed, MemoryBroker, PublishError, Queue, SharedBroker, Target, park};
use support::{SOON, body, hear, message, nothing_comes, put, take, take_body};
use tokio::time::timeout;

#[tokio::test]
async fn a_full_queue_lets_publishers_wait() {
    let broker: SharedBroker = MemoryBroker::new(2);
    put(&broker, Queue::JOBS, "a").await;
    put(&broker, Queue::JOBS, "b").await;
    let jobs = Target::Queue(Queue::JOBS);
    let mut waiting = broker.publish(&jobs, message("c"));
    assert!((&mut waiting).now_or_never().is_none());

    // Taking is not enough: what may come back keeps its place.
    let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    let held = take(&mut reader).await;
    assert!((&mut waiting).now_or_never().is_none());
    put(&broker, Queue::RESULTS, "another queue has its own places").await;

    held.ack().await.unwrap();
    timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(take_body(&mut reader).await, "b");
    assert_eq!(take_body(&mut reader).await, "c");
}

#[tokio::test]
async fn as_many_are_delayed_as_a_queue_holds() {
    let broker: SharedBroker = MemoryBroker::new(2);
    let later = Target::Delayed(Duration::from_millis(200));
    for body in ["a", "b"] {
        broker.publish(&later, message(body)).await.unwrap();
        put(&broker, Queue::JOBS, body).await;
    }
    let mut waiting = broker.publish(&later, message("c"));
    assert!((&mut waiting).now_or_never().is_none());
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    let (waited, mut bodies) = tokio::join!(timeout(SOON, waiting), async {
        [take_body(&mut reader).await, take_body(&mut reader).await, take_body(&mut reader).await]
    });
    waited.unwrap().unwrap();
    bodies[2..].sort();
    assert_eq!(bodies[..2], ["a", "b"]);
    for _ in 0..2 {
        take_body(&mut reader).await;
    }
    assert!(nothing_comes(&mut reader).await);
}

#[tokio::test]
async fn the_latest_broadcasts_are_kept() {
    let broker: SharedBroker = MemoryBroker::new(2);
    let mut slow = broker.broadcasts().await.unwrap();
    for n in 0..5 {
        broker.publish(&Target::Broadcast, message(&n.to_string())).await.unwrap();
    }
    let mut later = broker.broadcasts().await.unwrap();
    for listener in [&mut slow, &mut later] {
        assert_eq!(hear(listener).await.as_deref(), Some("3"));
        assert_eq!(hear(listener).await.as_deref(), Some("4"));
        assert_eq!(hear(listener).await, None);
    }
}

#[tokio::test]
async fn closing_frees_a_waiting_publisher() {
    let broker: SharedBroker = MemoryBroker::new(1);
    put(&broker, Queue::JOBS, "a").await;
    let jobs = Target::Queue(Queue::JOBS);
    let (refused, ()) = tokio::join!(broker.publish(&jobs, message("b")), broker.close());
    assert_eq!(refused, Err(PublishError::Closed(BrokerClosed)));
}

#[tokio::test]
async fn parking_never_waits() {
    let broker: SharedBroker = MemoryBroker::new(1);
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    for n in 0..10 {
        put(&broker, Queue::JOBS, &n.to_string()).await;
        let delivery = take(&mut reader).await;
        assert_eq!(body(&delivery), n.to_string());
        park(broker.as_ref(), delivery, &Queue::JOBS, "nobody can read it").await.unwrap();
    }
    assert!(nothing_comes(&mut reader).await);
}
