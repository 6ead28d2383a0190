//! What every broker does, in one suite for the in-process queue and for RabbitMQ.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use linkbeat_broker::{
    BrokerClosed, MemoryBroker, Message, PublishError, Queue, SessionLost, SharedBroker, Target,
};
use linkbeat_shared::ReplyTo;
use support::{SOON, body, in_space, message, nothing_comes, put, take, take_body};
use tokio::time::timeout;
use uuid::Uuid;

macro_rules! conformance {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                timeout(super::SOON, super::$test(super::MemoryBroker::new(100))).await.unwrap();
            })*
            use tokio::time::timeout;
        }
        mod rabbit {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::in_space(|space| async move { super::$test(space.broker().await).await }).await;
            })*
        }
    };
}

conformance! {
    messages_come_in_order_and_whole
    no_more_than_prefetch_are_unsettled
    an_acknowledged_message_is_gone
    a_message_given_back_comes_again_marked
    a_dropped_message_comes_again_marked
    each_message_goes_to_one_of_the_readers
    a_stopped_reader_leaves_the_rest_to_others
    what_was_handed_out_is_settled_after_stop
    dropping_a_reader_leaves_the_rest_to_others
    a_cancelled_wait_loses_nothing
    closing_ends_everything
    events_need_no_listener_but_replies_need_a_queue
    waiting_messages_are_counted
}

async fn messages_come_in_order_and_whole(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    let sent = Message {
        reply_to: Some("answers".into()),
        correlation_id: Some("42".into()),
        headers: vec![("traceparent".into(), "00-1-2-01".into())],
        ..Message::new(Uuid::now_v7(), r#"{"grüße":"你好"}"#)
    };
    broker.publish(&Target::Queue(Queue::Jobs), sent.clone()).await.unwrap();
    for n in 0..20 {
        put(&broker, Queue::Jobs, &n.to_string()).await;
    }
    put(&broker, Queue::Results, "elsewhere").await;
    let first = take(&mut reader).await;
    assert_eq!(first.message, sent);
    assert!(!first.redelivered);
    first.ack().await.unwrap();
    for n in 0..20 {
        assert_eq!(take_body(&mut reader).await, n.to_string());
    }
    assert!(nothing_comes(&mut reader).await);
}

async fn no_more_than_prefetch_are_unsettled(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 2).await.unwrap();
    for n in 0..3 {
        put(&broker, Queue::Jobs, &n.to_string()).await;
    }
    let first = take(&mut reader).await;
    let second = take(&mut reader).await;
    assert!(nothing_comes(&mut reader).await);
    first.ack().await.unwrap();
    assert_eq!(take_body(&mut reader).await, "2");
    second.ack().await.unwrap();
}

async fn an_acknowledged_message_is_gone(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    put(&broker, Queue::Jobs, "done").await;
    assert_eq!(take_body(&mut reader).await, "done");
    drop(reader);
    put(&broker, Queue::Jobs, "next").await;
    let mut other = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    assert_eq!(take_body(&mut other).await, "next");
    assert!(nothing_comes(&mut other).await);
}

async fn a_message_given_back_comes_again_marked(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    put(&broker, Queue::Jobs, "a").await;
    let first = take(&mut reader).await;
    let id = first.message.id;
    assert!(!first.redelivered);
    first.requeue().await.unwrap();
    let again = take(&mut reader).await;
    assert_eq!((body(&again).as_str(), again.message.id, again.redelivered), ("a", id, true));
    again.ack().await.unwrap();
    put(&broker, Queue::Jobs, "b").await;
    assert_eq!(take_body(&mut reader).await, "b");
}

async fn a_dropped_message_comes_again_marked(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    put(&broker, Queue::Jobs, "a").await;
    drop(take(&mut reader).await);
    let again = take(&mut reader).await;
    assert_eq!((body(&again).as_str(), again.redelivered), ("a", true));
    again.ack().await.unwrap();
}

async fn each_message_goes_to_one_of_the_readers(broker: SharedBroker) {
    let mut one = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    let mut two = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    for body in ["a", "b"] {
        put(&broker, Queue::Jobs, body).await;
    }
    let (first, second) = (take(&mut one).await, take(&mut two).await);
    let mut bodies = [body(&first), body(&second)];
    bodies.sort();
    assert_eq!(bodies, ["a", "b"]);
    first.ack().await.unwrap();
    second.ack().await.unwrap();
}

async fn a_stopped_reader_leaves_the_rest_to_others(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    for n in 0..5 {
        put(&broker, Queue::Jobs, &n.to_string()).await;
    }
    assert_eq!(take_body(&mut reader).await, "0");
    reader.stop().await;
    assert!(timeout(SOON, reader.next()).await.unwrap().is_none());

    let mut other = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    let mut rest = Vec::new();
    for _ in 0..4 {
        rest.push(take_body(&mut other).await);
    }
    rest.sort();
    assert_eq!(rest, ["1", "2", "3", "4"]);
}

async fn what_was_handed_out_is_settled_after_stop(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    for body in ["a", "b", "c"] {
        put(&broker, Queue::Jobs, body).await;
    }
    let (a, b) = (take(&mut reader).await, take(&mut reader).await);
    let c = take(&mut reader).await;
    reader.stop().await;
    assert!(!a.session().is_cancelled());
    a.ack().await.unwrap();
    b.requeue().await.unwrap();
    drop(c);

    let mut other = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    let mut rest = [take_body(&mut other).await, take_body(&mut other).await];
    rest.sort();
    assert_eq!(rest, ["b", "c"]);
    assert!(nothing_comes(&mut other).await);
}

async fn dropping_a_reader_leaves_the_rest_to_others(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    for body in ["a", "b"] {
        put(&broker, Queue::Jobs, body).await;
    }
    let held = take(&mut reader).await;
    drop(reader);
    let mut other = broker.subscribe(Queue::Jobs, 10).await.unwrap();
    assert_eq!(take_body(&mut other).await, "b");
    held.ack().await.unwrap();
    assert!(nothing_comes(&mut other).await);
}

async fn a_cancelled_wait_loses_nothing(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    let publishing = async {
        for n in 0..50 {
            put(&broker, Queue::Jobs, &n.to_string()).await;
        }
    };
    let reading = async {
        for n in 0..50 {
            let delivery = loop {
                tokio::select! {
                    delivery = reader.next() => break delivery.unwrap(),
                    () = tokio::task::yield_now() => {}
                }
            };
            assert_eq!(body(&delivery), n.to_string());
            delivery.ack().await.unwrap();
        }
    };
    tokio::join!(publishing, reading);
}

async fn closing_ends_everything(broker: SharedBroker) {
    let mut reader = broker.subscribe(Queue::Jobs, 1).await.unwrap();
    put(&broker, Queue::Jobs, "a").await;
    put(&broker, Queue::Jobs, "b").await;
    let held = take(&mut reader).await;
    let mut waiting = broker.subscribe(Queue::Results, 1).await.unwrap();
    let (next, ()) = tokio::join!(waiting.next(), broker.close());
    assert!(next.is_none());
    assert!(reader.next().await.is_none());
    assert!(held.session().is_cancelled());
    assert_eq!(held.ack().await, Err(SessionLost));
    let refused = broker.publish(&Target::Queue(Queue::Jobs), message("c")).await;
    assert_eq!(refused, Err(PublishError::Closed(BrokerClosed)));
    assert_eq!(broker.subscribe(Queue::Jobs, 1).await.err(), Some(BrokerClosed));
    reader.stop().await;
    broker.close().await;
}

async fn events_need_no_listener_but_replies_need_a_queue(broker: SharedBroker) {
    broker.publish(&Target::Event("run.finished".into()), message("{}")).await.unwrap();
    let nowhere = ReplyTo { queue: "nobody-has-this-queue".into(), correlation_id: None };
    let refused = broker.publish(&Target::Reply(nowhere), message("{}")).await;
    assert_eq!(refused, Err(PublishError::Unroutable("nobody-has-this-queue".into())));
}

async fn waiting_messages_are_counted(broker: SharedBroker) {
    assert_eq!(broker.waiting(Queue::Jobs).await.unwrap(), 0);
    for n in 0..3 {
        put(&broker, Queue::Jobs, &n.to_string()).await;
    }
    let counted = async {
        while broker.waiting(Queue::Jobs).await.unwrap() != 3 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, counted).await.expect("three messages wait");
    assert_eq!(broker.waiting(Queue::Results).await.unwrap(), 0, "each queue by itself");
    broker.close().await;
    assert_eq!(broker.waiting(Queue::Jobs).await, Err(BrokerClosed));
}
