//! What every broker does, in one suite for the in-process queue and for RabbitMQ.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use linkbeat_broker::{
    BrokerClosed, Event, Events, MemoryBroker, Message, PublishError, Queue, SessionLost, SharedBroker,
    Target, due, move_to,
};
use linkbeat_shared::{ReplyTo, TraceContext};
use support::{SOON, body, hear, hold_all, in_space, message, nothing_comes, put, take, take_body};
use tokio::time::{Instant, timeout};
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
    a_dropped_message_comes_again_marked
    each_message_goes_to_one_of_the_readers
    a_stopped_reader_leaves_the_rest_to_others
    what_was_handed_out_is_settled_after_stop
    dropping_a_reader_leaves_the_rest_to_others
    a_cancelled_wait_loses_nothing
    closing_ends_everything
    events_need_no_listener_but_replies_need_a_queue
    waiting_messages_are_counted
    suspects_and_isolated_jobs_are_kept_apart
    a_moved_message_is_in_one_place_and_new_there
    attempts_travel
    a_delayed_message_waits_and_comes_once
    a_closed_broker_delays_nothing
    more_and_fewer_messages_are_taken_at_once
    nothing_is_lost_or_doubled_while_the_size_changes
    a_stopped_reader_of_many_leaves_the_rest_to_others
    broadcasts_reach_everybody_also_those_who_come_later
    closing_ends_the_broadcasts
    events_reach_those_who_asked_for_their_kind
    closing_ends_the_events
}

fn trace() -> Option<TraceContext> {
    TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("vendor=1"))
}

async fn messages_come_in_order_and_whole(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    let sent = Message {
        reply_to: Some("answers".into()),
        correlation_id: Some("42".into()),
        content_type: "application/vnd.test+json".into(),
        ..Message::new(Uuid::now_v7(), r#"{"grüße":"你好"}"#)
    };
    let mut sent = sent.traced(trace().as_ref());
    assert!(sent.headers.add_foreign("task", "links.check"));
    broker.publish(&Target::Queue(Queue::JOBS), sent.clone()).await.unwrap();
    for n in 0..20 {
        put(&broker, Queue::JOBS, &n.to_string()).await;
    }
    put(&broker, Queue::RESULTS, "elsewhere").await;
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
    let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
    for n in 0..3 {
        put(&broker, Queue::JOBS, &n.to_string()).await;
    }
    let first = take(&mut reader).await;
    let second = take(&mut reader).await;
    assert!(nothing_comes(&mut reader).await);
    first.ack().await.unwrap();
    assert_eq!(take_body(&mut reader).await, "2");
    second.ack().await.unwrap();
}

async fn an_acknowledged_message_is_gone(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    put(&broker, Queue::JOBS, "done").await;
    assert_eq!(take_body(&mut reader).await, "done");
    drop(reader);
    put(&broker, Queue::JOBS, "next").await;
    let mut other = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    assert_eq!(take_body(&mut other).await, "next");
    assert!(nothing_comes(&mut other).await);
}

async fn a_dropped_message_comes_again_marked(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    put(&broker, Queue::JOBS, "a").await;
    let first = take(&mut reader).await;
    let id = first.message.id;
    assert!(!first.redelivered);
    drop(first);
    let again = take(&mut reader).await;
    assert_eq!((body(&again).as_str(), again.message.id, again.redelivered), ("a", id, true));
    again.ack().await.unwrap();
    put(&broker, Queue::JOBS, "b").await;
    assert_eq!(take_body(&mut reader).await, "b");
}

async fn each_message_goes_to_one_of_the_readers(broker: SharedBroker) {
    let mut one = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    let mut two = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    for body in ["a", "b"] {
        put(&broker, Queue::JOBS, body).await;
    }
    let (first, second) = (take(&mut one).await, take(&mut two).await);
    let mut bodies = [body(&first), body(&second)];
    bodies.sort();
    assert_eq!(bodies, ["a", "b"]);
    first.ack().await.unwrap();
    second.ack().await.unwrap();
}

async fn a_stopped_reader_leaves_the_rest_to_others(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    for n in 0..5 {
        put(&broker, Queue::JOBS, &n.to_string()).await;
    }
    assert_eq!(take_body(&mut reader).await, "0");
    reader.stop().await;
    assert!(timeout(SOON, reader.next()).await.unwrap().is_none());

    let mut other = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    let mut rest = Vec::new();
    for _ in 0..4 {
        rest.push(take_body(&mut other).await);
    }
    rest.sort();
    assert_eq!(rest, ["1", "2", "3", "4"]);
}

async fn what_was_handed_out_is_settled_after_stop(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    for body in ["a", "b", "c"] {
        put(&broker, Queue::JOBS, body).await;
    }
    let (a, b) = (take(&mut reader).await, take(&mut reader).await);
    let c = take(&mut reader).await;
    reader.stop().await;
    assert!(!a.session().is_cancelled());
    a.ack().await.unwrap();
    drop([b, c]);

    let mut other = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    let mut rest = [take_body(&mut other).await, take_body(&mut other).await];
    rest.sort();
    assert_eq!(rest, ["b", "c"]);
    assert!(nothing_comes(&mut other).await);
}

async fn dropping_a_reader_leaves_the_rest_to_others(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    for body in ["a", "b"] {
        put(&broker, Queue::JOBS, body).await;
    }
    let held = take(&mut reader).await;
    drop(reader);
    let mut other = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    assert_eq!(take_body(&mut other).await, "b");
    held.ack().await.unwrap();
    assert!(nothing_comes(&mut other).await);
}

async fn a_cancelled_wait_loses_nothing(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    let publishing = async {
        for n in 0..50 {
            put(&broker, Queue::JOBS, &n.to_string()).await;
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
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    put(&broker, Queue::JOBS, "a").await;
    put(&broker, Queue::JOBS, "b").await;
    let held = take(&mut reader).await;
    let mut waiting = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
    let (next, ()) = tokio::join!(waiting.next(), broker.close());
    assert!(next.is_none());
    assert!(reader.next().await.is_none());
    assert!(held.session().is_cancelled());
    assert_eq!(held.ack().await, Err(SessionLost));
    let refused = broker.publish(&Target::Queue(Queue::JOBS), message("c")).await;
    assert_eq!(refused, Err(PublishError::Closed(BrokerClosed)));
    assert_eq!(broker.subscribe(&Queue::JOBS, 1).await.err(), Some(BrokerClosed));
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
    assert_eq!(broker.waiting(&Queue::JOBS).await.unwrap(), 0);
    for n in 0..3 {
        put(&broker, Queue::JOBS, &n.to_string()).await;
    }
    let counted = async {
        while broker.waiting(&Queue::JOBS).await.unwrap() != 3 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, counted).await.expect("three messages wait");
    assert_eq!(broker.waiting(&Queue::RESULTS).await.unwrap(), 0, "each queue by itself");
    broker.close().await;
    assert_eq!(broker.waiting(&Queue::JOBS).await, Err(BrokerClosed));
}

async fn suspects_and_isolated_jobs_are_kept_apart(broker: SharedBroker) {
    for queue in [Queue::JOBS, Queue::SUSPECTS, Queue::ISOLATED] {
        put(&broker, queue.clone(), &queue.to_string()).await;
    }
    for queue in [Queue::ISOLATED, Queue::SUSPECTS, Queue::JOBS] {
        let mut reader = broker.subscribe(&queue, 1).await.unwrap();
        assert_eq!(take_body(&mut reader).await, queue.to_string());
        assert!(nothing_comes(&mut reader).await);
    }
}

async fn a_moved_message_is_in_one_place_and_new_there(broker: SharedBroker) {
    let mut jobs = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    let mut suspects = broker.subscribe(&Queue::SUSPECTS, 1).await.unwrap();
    put(&broker, Queue::JOBS, "a").await;
    drop(take(&mut jobs).await);
    let came_back = take(&mut jobs).await;
    assert!(came_back.redelivered);
    let message = came_back.message.clone();
    move_to(&*broker, came_back, &Target::Queue(Queue::SUSPECTS), message.clone()).await.unwrap();
    let moved = take(&mut suspects).await;
    assert_eq!((moved.message.clone(), moved.redelivered), (message, false));
    moved.ack().await.unwrap();
    assert!(nothing_comes(&mut jobs).await);
    assert!(nothing_comes(&mut suspects).await);
}

async fn attempts_travel(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    for attempt in [0, 1, 2, 0] {
        let sent = message("a").with_attempt(7).with_attempt(attempt).with_losses(4);
        broker.publish(&Target::Queue(Queue::JOBS), sent).await.unwrap();
        let came = take(&mut reader).await;
        assert_eq!((came.message.attempt(), came.message.losses()), (attempt, 4));
        came.ack().await.unwrap();
    }
}

async fn a_delayed_message_waits_and_comes_once(broker: SharedBroker) {
    const SHORT: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_millis(2_500);
    let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
    let begun = Instant::now();
    let mut sent = Vec::new();
    for delay in [LONG, SHORT] {
        let message = message(&delay.as_millis().to_string()).traced(trace().as_ref());
        broker.publish(&Target::Delayed(delay), message.clone()).await.unwrap();
        sent.push(message);
    }
    for delay in [SHORT, LONG] {
        let came = loop {
            let came = take(&mut reader).await;
            if let Some(came) = due(&*broker, came).await.unwrap() {
                break came;
            }
        };
        assert!(begun.elapsed() >= delay, "{delay:?}");
        assert_eq!(came.message, sent.pop().unwrap(), "without marks of its delay");
        assert!(!came.redelivered);
        came.ack().await.unwrap();
    }
    assert!(nothing_comes(&mut reader).await);
}

async fn a_closed_broker_delays_nothing(broker: SharedBroker) {
    broker.close().await;
    let refused = broker.publish(&Target::Delayed(Duration::ZERO), message("a")).await;
    assert_eq!(refused, Err(PublishError::Closed(BrokerClosed)));
}

/// Settles what is held until `size` messages, no fewer and no more, are unsettled at once. That may take a
/// few rounds, for a change takes effect soon, not at once.
async fn settles_at(
    reader: &mut Box<dyn linkbeat_broker::Subscription>,
    size: usize,
    seen: &mut HashSet<String>,
) {
    let settling = async {
        loop {
            let held = hold_all(reader).await;
            let at_once = held.len();
            for delivery in held {
                assert!(seen.insert(body(&delivery)), "{delivery:?} again");
                delivery.ack().await.unwrap();
            }
            if at_once == size {
                return;
            }
        }
    };
    timeout(SOON / 3, settling).await.unwrap_or_else(|_| panic!("never {size} at once"));
}

async fn more_and_fewer_messages_are_taken_at_once(broker: SharedBroker) {
    const MESSAGES: usize = 90;
    for n in 0..MESSAGES {
        put(&broker, Queue::JOBS, &n.to_string()).await;
    }
    let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
    let mut held = hold_all(&mut reader).await;
    assert_eq!(held.len(), 2);
    reader.resize(5);
    while held.len() < 6 {
        held.push(take(&mut reader).await);
    }
    assert!(nothing_comes(&mut reader).await, "steps of two: six for five, and no more");

    // With fewer wanted, what is held stays valid, and nothing comes on top of it.
    reader.resize(1);
    assert!(nothing_comes(&mut reader).await);
    let mut seen = HashSet::new();
    for delivery in held {
        assert!(seen.insert(body(&delivery)));
        delivery.ack().await.unwrap();
    }
    for (wanted, at_once) in [(1, 2), (8, 8), (3, 4), (0, 2)] {
        reader.resize(wanted);
        settles_at(&mut reader, at_once, &mut seen).await;
    }
    while seen.len() < MESSAGES {
        assert!(seen.insert(take_body(&mut reader).await));
    }
    assert!(nothing_comes(&mut reader).await);
}

async fn nothing_is_lost_or_doubled_while_the_size_changes(broker: SharedBroker) {
    const MESSAGES: usize = 400;
    let mut reader = broker.subscribe(&Queue::JOBS, 3).await.unwrap();
    let publishing = async {
        for n in 0..MESSAGES {
            put(&broker, Queue::JOBS, &n.to_string()).await;
        }
    };
    let reading = async {
        let (mut seen, mut held) = (HashSet::new(), Vec::new());
        while seen.len() < MESSAGES {
            let delivery = take(&mut reader).await;
            assert!(seen.insert(body(&delivery)), "{delivery:?} again");
            held.push(delivery);
            // Some are held while lanes come and go, at most as many as the smallest size allows.
            if held.len() == 3 {
                held.remove(seen.len() % 3).ack().await.unwrap();
                reader.resize((seen.len() * 7 % 100).try_into().unwrap());
            }
        }
        for delivery in held {
            delivery.ack().await.unwrap();
        }
    };
    tokio::join!(publishing, reading);
    assert!(nothing_comes(&mut reader).await);
    assert_eq!(broker.waiting(&Queue::JOBS).await.unwrap(), 0);
}

async fn a_stopped_reader_of_many_leaves_the_rest_to_others(broker: SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
    reader.resize(10);
    for n in 0..12 {
        put(&broker, Queue::JOBS, &n.to_string()).await;
    }
    let mut held = Vec::new();
    while held.len() < 4 {
        held.push(take(&mut reader).await);
    }
    // Some lanes end now, while nobody has seen what they took.
    reader.resize(4);
    reader.stop().await;
    let mut seen = HashSet::new();
    for delivery in held {
        assert!(seen.insert(body(&delivery)));
        delivery.ack().await.unwrap();
    }
    let mut other = broker.subscribe(&Queue::JOBS, 12).await.unwrap();
    for _ in 0..8 {
        assert!(seen.insert(take_body(&mut other).await));
    }
    assert!(nothing_comes(&mut other).await);
}

async fn broadcasts_reach_everybody_also_those_who_come_later(broker: SharedBroker) {
    let mut one = broker.broadcasts().await.unwrap();
    let mut two = broker.broadcasts().await.unwrap();
    assert_eq!(hear(&mut one).await, None, "nothing was told yet");
    assert_eq!(hear(&mut two).await, None);
    for n in 0..3 {
        broker.publish(&Target::Broadcast, message(&n.to_string())).await.unwrap();
    }
    let mut later = broker.broadcasts().await.unwrap();
    for n in 0..3 {
        for listener in [&mut one, &mut two, &mut later] {
            assert_eq!(hear(listener).await, Some(n.to_string()));
        }
    }
    assert_eq!(hear(&mut later).await, None, "it knows that it has heard all");
    broker.publish(&Target::Broadcast, message("news")).await.unwrap();
    for listener in [&mut one, &mut two, &mut later] {
        assert_eq!(hear(listener).await.as_deref(), Some("news"));
    }
}

async fn closing_ends_the_broadcasts(broker: SharedBroker) {
    let mut listener = broker.broadcasts().await.unwrap();
    assert_eq!(hear(&mut listener).await, None);
    let (next, ()) = tokio::join!(listener.next(), broker.close());
    assert_eq!(next, None);
    assert_eq!(listener.next().await, None);
    assert_eq!(broker.broadcasts().await.err(), Some(BrokerClosed));
}

/// The next event: its key, which is its body here, too.
async fn hear_event(events: &mut Box<dyn Events>) -> String {
    let next = timeout(SOON, events.next()).await.expect("an event in time");
    let Some(Event::Published { key, message }) = next else { panic!("{next:?}") };
    assert_eq!(message.body, key);
    key
}

async fn listen(broker: &SharedBroker, pattern: &str) -> Box<dyn Events> {
    let mut events = broker.events(pattern).await.unwrap();
    assert_eq!(timeout(SOON, events.next()).await.unwrap(), Some(Event::Listening));
    events
}

async fn events_reach_those_who_asked_for_their_kind(broker: SharedBroker) {
    let tell = async |key: &str| broker.publish(&Target::Event(key.into()), message(key)).await.unwrap();
    tell("run.started").await;
    let (mut all, mut of_links) = (listen(&broker, "#").await, listen(&broker, "link.*").await);
    for key in ["run.finished", "link.hidden", "run.started", "link.shown"] {
        tell(key).await;
    }
    for key in ["run.finished", "link.hidden", "run.started", "link.shown"] {
        assert_eq!(hear_event(&mut all).await, key, "none of before");
    }
    for key in ["link.hidden", "link.shown"] {
        assert_eq!(hear_event(&mut of_links).await, key);
    }
    assert!(timeout(Duration::from_millis(300), of_links.next()).await.is_err());
}

async fn closing_ends_the_events(broker: SharedBroker) {
    let mut events = listen(&broker, "#").await;
    let (next, ()) = tokio::join!(events.next(), broker.close());
    assert_eq!((next, events.next().await), (None, None));
    assert_eq!(broker.events("#").await.err(), Some(BrokerClosed));
}
