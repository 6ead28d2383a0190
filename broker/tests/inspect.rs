//! A look at the broker tells what is there and what we may do, and leaves all as it was. Needs RabbitMQ.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use linkbeat_broker::{BrokerItemKind, BrokerItemState, Queue, inspect_broker};

use support::{in_space, put, take_body};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_told_and_not_made() {
    in_space(async |space| {
        for _ in 0..2 {
            let seen = inspect_broker(&space.settings()).await;
            assert!(seen.nodes[0].session.is_ok(), "{seen:?}");
            let version = seen.nodes[0].version.as_deref().unwrap();
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
            let (default, ours) = seen.items.split_last().unwrap();
            assert!(ours.iter().all(|item| item.state == BrokerItemState::Missing), "{ours:#?}");
            assert_eq!((default.name.as_str(), default.write), ("amq.default", Some(true)));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_may_do_everything_and_nothing_is_taken_or_sent() {
    in_space(async |space| {
        let broker = space.broker().await;
        put(&broker, Queue::JOBS, "one").await;
        let seen = inspect_broker(&space.settings()).await;
        for item in &seen.items {
            let BrokerItemState::Present { messages, consumers } = item.state else { panic!("{item:?}") };
            let waiting =
                u32::from(item.kind == BrokerItemKind::Queue && item.name == space.name(&Queue::JOBS));
            assert_eq!((messages, consumers), (waiting, 0), "{item:?}");
            let may = match item.kind {
                BrokerItemKind::Queue => (item.configure, item.read),
                BrokerItemKind::Exchange if item.name == "amq.default" => (Some(true), item.write),
                BrokerItemKind::Exchange => (item.configure, item.write),
            };
            assert_eq!(may, (Some(true), Some(true)), "{item:?}");
        }
        let mut jobs = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        let one = jobs.next().await.unwrap();
        assert!(!one.redelivered, "nobody has held it");
        one.ack().await.unwrap();
        put(&broker, Queue::JOBS, "two").await;
        assert_eq!(take_body(&mut jobs).await, "two", "and nothing came in between");
        broker.close().await;
    })
    .await;
}
