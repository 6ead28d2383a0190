//! Messages that lapin cannot parse, or that would overflow its stack: they are parked, and others flow.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use linkbeat_broker::{Broadcast, Event, Queue, SharedBroker, Target, dead_letters};
use linkbeat_testbed::raw_amqp::{RawPublisher, headers, nested, poison, short};
use support::{SOON, Space, body, broker_url, in_space, message, put, take};
use tokio::time::timeout;

/// In this time everything flows again.
const SECONDS: Duration = Duration::from_secs(10);

async fn raw_publisher() -> RawPublisher {
    RawPublisher::connect(broker_url().as_str()).await
}

/// The exchange of a queue, by which apps put in messages.
fn exchange(space: &Space, queue: &Queue) -> String {
    space.name(queue)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_parked_with_its_cause_and_others_flow() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut raw = raw_publisher().await;
        for queue in Queue::ALL.into_iter().filter(|queue| *queue != Queue::DEAD) {
            for (name, properties, _) in poison() {
                raw.publish(&exchange(&space, &queue), b"", &properties, name.as_bytes()).await;
            }
            raw.publish(&exchange(&space, &queue), b"caf\xe9", b"\x00\x00", b"a routing key").await;
            put(&broker, queue.clone(), "good").await;
            let begun = Instant::now();
            let mut reader = broker.subscribe(&queue, 4).await.unwrap();
            let good = take(&mut reader).await;
            assert_eq!((body(&good).as_str(), good.redelivered), ("good", false));
            good.ack().await.unwrap();
            assert!(begun.elapsed() < SECONDS, "{:?}", begun.elapsed());
            are_parked(&broker, &queue).await;
            reader.stop().await;
        }
    })
    .await;
}

async fn are_parked(broker: &SharedBroker, queue: &Queue) {
    let expected = poison().len() + 1;
    let begun = Instant::now();
    let mut letters = Vec::new();
    while letters.len() < expected && begun.elapsed() < SOON {
        letters.extend(dead_letters(&**broker, 100).await.unwrap());
    }
    assert_eq!(letters.len(), expected);
    for letter in letters {
        assert_eq!(letter.queue(), Some(queue));
        assert!(letter.cause().starts_with("it cannot be read: "), "{}", letter.cause());
        if let Some((name, _, word)) = poison().iter().find(|(name, ..)| name.as_bytes() == letter.body()) {
            assert!(letter.cause().contains(word), "{name}: {}", letter.cause());
        }
        letter.forget().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_queue_shows_and_forgets_what_was_put_there_by_others() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut raw = raw_publisher().await;
        for (name, properties, _) in poison() {
            raw.publish(&exchange(&space, &Queue::DEAD), b"", &properties, name.as_bytes()).await;
        }
        let mut ids = Vec::new();
        for _ in 0..2 {
            let letters = dead_letters(&*broker, 100).await.unwrap();
            assert_eq!(letters.len(), poison().len());
            let mut seen: Vec<_> = letters.iter().map(|letter| letter.id()).collect();
            seen.sort();
            ids.push(seen);
        }
        assert_eq!(ids[0], ids[1], "people ask for them by id");
        for letter in dead_letters(&*broker, 100).await.unwrap() {
            let (name, _, word) =
                poison().into_iter().find(|(name, ..)| name.as_bytes() == letter.body()).unwrap();
            assert!(letter.cause().contains(word), "{name}: {}", letter.cause());
            letter.forget().await.unwrap();
        }
        assert_eq!(broker.waiting(&Queue::DEAD).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_pass_over_them() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut raw = raw_publisher().await;
        let mut events = broker.events("#").await.unwrap();
        assert_eq!(timeout(SOON, events.next()).await.unwrap(), Some(Event::Listening));
        for (_, properties, _) in poison() {
            raw.publish(&format!("{}.events", space.namespace), b"run.finished", &properties, b"{}").await;
            raw.publish(&format!("{}.broadcast", space.namespace), b"", &properties, b"{}").await;
        }
        broker.publish(&Target::Event("run.finished".to_owned()), message("news")).await.unwrap();
        broker.publish(&Target::Broadcast, message("for all")).await.unwrap();
        let Some(Event::Published { message, .. }) = timeout(SOON, events.next()).await.unwrap() else {
            panic!()
        };
        assert_eq!(&message.body[..], b"news");
        let mut broadcasts = broker.broadcasts().await.unwrap();
        // A stream keeps messages in another form, in which some can be read.
        let heard = async {
            while let Some(Broadcast::Message(message)) = broadcasts.next().await {
                if &message.body[..] == b"for all" {
                    return true;
                }
            }
            false
        };
        assert!(timeout(SOON, heard).await.unwrap());
    })
    .await;
}

/// The largest header that a publisher may send gets larger with what RabbitMQ adds when it delivers it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_grows_beyond_a_frame_is_parked() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut raw = raw_publisher().await;
        let mut table = [&short(b"a")[..], b"S"].concat();
        let text = vec![b'x'; 131_072 - 8 - 12 - 2 - 4 - table.len() - 4];
        table.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        table.extend_from_slice(&text);
        raw.publish(&exchange(&space, &Queue::REQUESTS), b"", &headers(&table), b"large").await;
        // Given back, it comes with a count of its deliveries.
        let mut reader = broker.subscribe(&Queue::REQUESTS, 1).await.unwrap();
        if let Ok(delivery) = timeout(Duration::from_secs(3), reader.next()).await {
            drop(delivery);
        }
        put(&broker, Queue::REQUESTS, "good").await;
        let good = take(&mut reader).await;
        assert_eq!(body(&good), "good");
        good.ack().await.unwrap();
        let parked = dead_letters(&*broker, 10).await.unwrap();
        assert_eq!(&parked[0].body()[..], b"large");
        assert!(parked[0].cause().contains("larger than a frame"), "{}", parked[0].cause());
    })
    .await;
}

/// What people and libraries really send stays what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_sixteen_tables_in_each_other_is_fine() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut raw = raw_publisher().await;
        let properties = headers(&nested(b'F', 16));
        raw.publish(&exchange(&space, &Queue::REQUESTS), b"", &properties, b"deep").await;
        let mut reader = broker.subscribe(&Queue::REQUESTS, 1).await.unwrap();
        assert_eq!(body(&take(&mut reader).await), "deep");
    })
    .await;
}
