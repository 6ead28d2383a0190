//! What only RabbitMQ does: routing, deleted and foreign queues, parking, foreign messages.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicRejectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use linkbeat_broker::{
    ConnectError, Exchange, Namespace, PublishError, Queue, QueueKind, RabbitBroker, SharedBroker, Target,
    dead_letters, park,
};
use linkbeat_shared::{ReplyTo, TraceContext};
use linkbeat_testbed::proxy::Proxy;
use support::{
    SOON, Space, broker_url, hear, hold_all, in_space, message, nothing_comes, put, take, take_body,
};
use tokio::time::timeout;
use uuid::Uuid;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn exclusive_queue(channel: &Channel) -> String {
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
    queue.name().to_string()
}

fn reply_to(queue: &str) -> Target {
    Target::Reply(ReplyTo { queue: queue.to_owned(), correlation_id: Some("question-1".to_owned()) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_reaches_whoever_asked() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let asker = space.raw().await;
        let queue = exclusive_queue(&asker).await;
        broker.publish(&reply_to(&queue), message("the report")).await.unwrap();
        let reply = asker.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
        assert_eq!(reply.data, b"the report");
        let properties = &reply.properties;
        assert_eq!(properties.correlation_id().as_ref().unwrap().as_str(), "question-1");
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
        assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "linkbeat");
    })
    .await;
}

/// RabbitMQ's pseudo-queue for answers, which many RPC clients use: it only exists while they listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_reaches_an_asker_without_a_queue() {
    const DIRECT: &str = "amq.rabbitmq.reply-to";
    in_space(|space| async move {
        let broker = space.broker().await;
        let asker = space.raw().await;
        let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut replies =
            asker.basic_consume(DIRECT.into(), "".into(), no_ack, FieldTable::default()).await.unwrap();
        let question = BasicProperties::default().with_reply_to(DIRECT.into());
        let queue = space.name(&Queue::REQUESTS);
        asker.basic_publish("".into(), queue.into(), Default::default(), b"{}", question).await.unwrap();

        let mut reader = broker.subscribe(&Queue::REQUESTS, 1).await.unwrap();
        let asked = take(&mut reader).await;
        let answer_to = asked.message.reply_to.clone().unwrap();
        asked.ack().await.unwrap();
        broker.publish(&reply_to(&answer_to), message("the report")).await.unwrap();
        let reply = timeout(SOON, replies.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(reply.data, b"the report");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_messages_learns_its_own_fate() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let (jobs, gone) = (Target::Queue(Queue::JOBS), reply_to("gone"));
        let is_lost = |n: usize| n.is_multiple_of(7);
        // Enough that confirmations and returned messages come mixed: one channel for all failed here.
        let publishing = (0..10_000).map(|n| {
            let (broker, target) = (&broker, if is_lost(n) { &gone } else { &jobs });
            async move { broker.publish(target, message(&n.to_string())).await }
        });
        let outcomes = timeout(SOON, join_all(publishing)).await.unwrap();
        let unroutable = Err(PublishError::Unroutable("gone".to_owned()));
        for (n, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(outcome, if is_lost(n) { unroutable.clone() } else { Ok(()) }, "message {n}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_reach_whoever_binds() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let listener = space.raw().await;
        let queue = exclusive_queue(&listener).await;
        let exchange = format!("{}.events", space.namespace);
        let name = queue.as_str();
        listener
            .queue_bind(
                name.into(),
                exchange.into(),
                "link.*".into(),
                Default::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        for key in ["run.started", "link.hidden"] {
            broker.publish(&Target::Event(key.to_owned()), message(key)).await.unwrap();
        }
        let options = BasicGetOptions { no_ack: true };
        let event = listener.basic_get(name.into(), options).await.unwrap().unwrap();
        assert_eq!(event.data, b"link.hidden");
        assert!(listener.basic_get(name.into(), options).await.unwrap().is_none());
    })
    .await;
}

/// A queue of somebody else's that is full and refuses more.
async fn full_queue(channel: &Channel) -> String {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, arguments).await.unwrap().name().to_string();
    // Without confirms the outcome is not known; the look makes it certain.
    for _ in 0..2 {
        let name = queue.as_str().into();
        channel.basic_publish("".into(), name, Default::default(), b"", Default::default()).await.unwrap();
    }
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await.unwrap();
    queue
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_reply_queue_holds_up_nobody() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let asker = space.raw().await;
        let full = full_queue(&asker).await;
        let not_taken = |outcome: Result<(), PublishError>| match outcome {
            Err(PublishError::NotTaken { address, .. }) => address == full,
            _ => false,
        };
        let target = reply_to(&full);
        let answers = (0..300).map(|_| broker.publish(&target, message("the report")));
        let (answered, ()) =
            tokio::join!(timeout(SOON, join_all(answers)), put(&broker, Queue::RESULTS, "neighbour"));
        assert!(answered.unwrap().into_iter().all(not_taken));
        asker.queue_purge(full.as_str().into(), Default::default()).await.unwrap();
        broker.publish(&target, message("the report")).await.expect("there is room again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_with_a_full_queue_goes_without() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let listener = space.raw().await;
        let (full, free) = (full_queue(&listener).await, exclusive_queue(&listener).await);
        for queue in [&full, &free] {
            let (name, exchange) = (queue.as_str().into(), format!("{}.events", space.namespace).into());
            let options = Default::default();
            listener.queue_bind(name, exchange, "#".into(), options, FieldTable::default()).await.unwrap();
        }
        let event = Target::Event("link.hidden".to_owned());
        for n in 0..100 {
            timeout(SOON, broker.publish(&event, message(&n.to_string()))).await.unwrap().unwrap();
        }
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = listener.queue_declare(free.into(), passive, FieldTable::default()).await.unwrap();
        assert!(queue.message_count() >= 100, "the others hear of all: {}", queue.message_count());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_comes_back_with_its_reader() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        put(&broker, Queue::JOBS, "before").await;
        assert_eq!(take_body(&mut reader).await, "before");
        delete(&space, &Queue::JOBS).await;
        let (after, ()) = tokio::join!(take_body(&mut reader), put(&broker, Queue::JOBS, "after"));
        assert_eq!(after, "after");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_comes_back_with_its_publisher() {
    in_space(|space| async move {
        let broker = space.broker().await;
        put(&broker, Queue::RESULTS, "before").await;
        delete(&space, &Queue::RESULTS).await;
        put(&broker, Queue::RESULTS, "after").await;
        let mut reader = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
        assert_eq!(take_body(&mut reader).await, "after");
    })
    .await;
}

/// RabbitMQ ends every consumer of a deleted queue; one end is enough to begin anew, with all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_comes_back_with_a_reader_of_many() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
        reader.resize(6);
        put(&broker, Queue::JOBS, "before").await;
        assert_eq!(take_body(&mut reader).await, "before");
        delete(&space, &Queue::JOBS).await;
        let publishing = async {
            for n in 0..8 {
                put(&broker, Queue::JOBS, &n.to_string()).await;
            }
        };
        let ((), first) = tokio::join!(publishing, take(&mut reader));
        let mut held = vec![first];
        held.extend(hold_all(&mut reader).await);
        assert_eq!(held.len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_exchange_comes_back_with_its_publisher() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let name = space.name(&Queue::JOBS);
        space.raw().await.exchange_delete(name.into(), Default::default()).await.unwrap();
        put(&broker, Queue::JOBS, "after").await;
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        assert_eq!(take_body(&mut reader).await, "after");
    })
    .await;
}

/// From the offset where a lost stream was left, nothing of the new one would be heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcasts_after_a_lost_stream_are_heard() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut listener = broker.broadcasts().await.unwrap();
        for n in 0..3 {
            broker.publish(&Target::Broadcast, message(&n.to_string())).await.unwrap();
        }
        while hear(&mut listener).await.as_deref() != Some("2") {}
        let stream = format!("{}.broadcast", space.namespace);
        space.raw().await.queue_delete(stream.into(), QueueDeleteOptions::default()).await.unwrap();
        broker.publish(&Target::Broadcast, message("anew")).await.unwrap();
        while hear(&mut listener).await.as_deref() != Some("anew") {}
    })
    .await;
}

/// Whoever declares them otherwise is refused, so these are the arguments they have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rung_expires_into_the_jobs_and_loses_nothing() {
    in_space(|space| async move {
        space.broker().await;
        let raw = space.raw().await;
        let rungs = [("1s", 1_000), ("10s", 10_000), ("1m", 60_000), ("10m", 600_000), ("1h", 3_600_000)];
        for (name, millis) in rungs {
            let mut arguments = FieldTable::default();
            let jobs = space.name(&Queue::JOBS);
            for (key, value) in [
                ("x-queue-type", "quorum"),
                ("x-dead-letter-exchange", jobs.as_str()),
                ("x-dead-letter-strategy", "at-least-once"),
                ("x-overflow", "reject-publish"),
            ] {
                arguments.insert(key.into(), AMQPValue::LongString(value.into()));
            }
            arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(millis));
            let queue = format!("{}.delay.{name}", space.namespace);
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            raw.queue_declare(queue.into(), options, arguments).await.unwrap();
        }
    })
    .await;
}

/// What makes another kind of queue is its row alone: nothing else knows of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_another_kind_is_a_row_in_the_table() {
    in_space(|space| async move {
        let name = |end: &str| format!("{}.{end}", space.namespace);
        let other: Namespace = name("other").parse().unwrap();
        let rows = vec![
            Queue::foreign(name("celery"), Exchange::Direct, QueueKind::Classic),
            Queue::foreign(name("tasks"), Exchange::Default, QueueKind::Quorum),
            Queue::JOBS.with_shard(3),
            Queue::RESULTS.in_namespace(other),
        ];
        let mut settings = space.settings();
        settings.queues.clone_from(&rows);
        let broker: SharedBroker = RabbitBroker::connect(settings).await.unwrap();
        let raw = space.raw().await;
        for (queue, name) in rows.iter().zip(["celery", "tasks", "jobs.3", "other.results"].map(name)) {
            put(&broker, queue.clone(), "a").await;
            let mut reader = broker.subscribe(queue, 1).await.unwrap();
            assert_eq!(take_body(&mut reader).await, "a", "{queue}");
            reader.stop().await;
            assert_eq!(broker.waiting(queue).await.unwrap(), 0, "{queue}");
            // A publisher puts it back as well, and declares it by its row.
            raw.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
            put(&broker, queue.clone(), "b").await;
            assert_eq!(raw.queue_delete(name.as_str().into(), Default::default()).await.unwrap(), 1);
            raw.exchange_delete(name.into(), Default::default()).await.unwrap();
        }
    })
    .await;
}

/// RabbitMQ closes one channel; the others of its connection, and what came by them, are as good as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_loses_its_channel_disturbs_no_other() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let broker: SharedBroker = RabbitBroker::connect(space.settings_at(&proxy.url)).await.unwrap();
        let mut jobs = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        let mut results = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
        put(&broker, Queue::RESULTS, "held").await;
        let held = take(&mut results).await;
        for round in ["a", "b"] {
            delete(&space, &Queue::JOBS).await;
            let (came, ()) = tokio::join!(take_body(&mut jobs), put(&broker, Queue::JOBS, round));
            assert_eq!(came, round);
        }
        assert!(!held.session().is_cancelled());
        held.ack().await.unwrap();
        assert_eq!(broker.waiting(&Queue::RESULTS).await.unwrap(), 0);
    })
    .await;
}

/// Of a worker: it reads three queues, hears broadcasts and publishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_has_one_connection_to_publish_and_one_to_consume() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let broker: SharedBroker = RabbitBroker::connect(space.settings_at(&proxy.url)).await.unwrap();
        assert_eq!(proxy.accepted(), 1, "nobody reads yet");
        let mut readers = Vec::new();
        for queue in [Queue::JOBS, Queue::SUSPECTS, Queue::ISOLATED] {
            let mut reader = broker.subscribe(&queue, 2).await.unwrap();
            put(&broker, queue.clone(), "a").await;
            assert_eq!(take_body(&mut reader).await, "a");
            readers.push(reader);
        }
        let (mut broadcasts, mut events) =
            (broker.broadcasts().await.unwrap(), broker.events("#").await.unwrap());
        assert_eq!(hear(&mut broadcasts).await, None);
        assert!(timeout(SOON, events.next()).await.unwrap().is_some());
        join_all((0..300).map(|n| put(&broker, Queue::RESULTS, if n % 2 == 0 { "even" } else { "odd" })))
            .await;
        assert_eq!(proxy.accepted(), 2);
    })
    .await;
}

async fn delete(space: &Space, queue: &Queue) {
    let name = space.name(queue);
    space.raw().await.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_made_otherwise_is_named_with_what_to_do() {
    in_space(|space| async move {
        let name = space.name(&Queue::JOBS);
        let raw = space.raw().await;
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        raw.queue_declare(name.as_str().into(), options, FieldTable::default()).await.unwrap();
        let error = RabbitBroker::connect(space.settings()).await.unwrap_err();
        let ConnectError::Conflict { name: named, .. } = &error else { panic!("{error}") };
        assert_eq!(*named, name);

        // A daemon goes on trying, and works once somebody has followed the advice.
        let daemon: SharedBroker = RabbitBroker::new(space.settings());
        let mut reader = daemon.subscribe(&Queue::JOBS, 1).await.unwrap();
        assert!(nothing_comes(&mut reader).await);
        delete(&space, &Queue::JOBS).await;
        let (came, ()) = tokio::join!(take_body(&mut reader), put(&daemon, Queue::JOBS, "a"));
        assert_eq!(came, "a");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_message_keeps_its_body_and_says_why() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        let mut headers = FieldTable::default();
        for (name, text) in
            [("linkbeat-cause", "parked before"), ("traceparent", TRACE), ("task", "links.check")]
        {
            headers.insert(name.into(), AMQPValue::LongString(text.into()));
        }
        let id = Uuid::now_v7();
        let properties = BasicProperties::default()
            .with_message_id(id.to_string().into())
            .with_correlation_id("42".into())
            .with_headers(headers);
        let (raw, jobs) = (space.raw().await, space.name(&Queue::JOBS).into());
        raw.basic_publish("".into(), jobs, Default::default(), b"{not json", properties).await.unwrap();
        let cause = "é".repeat(2_000);
        park(broker.as_ref(), take(&mut reader).await, &Queue::JOBS, &cause).await.unwrap();

        let mut dead = broker.subscribe(&Queue::DEAD, 1).await.unwrap();
        let parked = take(&mut dead).await;
        assert_eq!(parked.message.id, id);
        assert_eq!(parked.message.body, "{not json");
        assert_eq!(parked.message.correlation_id.as_deref(), Some("42"));
        let headers = parked.message.headers.texts();
        let header = |name: &str| {
            let mut values = headers.iter().filter(|(key, _)| key == name);
            let value = values.next().unwrap_or_else(|| panic!("no header {name}")).1.as_str();
            assert!(values.next().is_none(), "{name} twice");
            value
        };
        assert_eq!(header("linkbeat-cause"), "é".repeat(500));
        assert_eq!(header("linkbeat-queue"), "jobs");
        assert!(header("linkbeat-parked-at").ends_with('Z'));
        assert_eq!(header("traceparent"), TRACE);
        assert_eq!(header("task"), "links.check");
        parked.ack().await.unwrap();
        assert!(nothing_comes(&mut reader).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_put_back_begins_anew() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut reader = broker.subscribe(&Queue::ISOLATED, 1).await.unwrap();
        let sent = message("a");
        broker
            .publish(&Target::Queue(Queue::ISOLATED), sent.clone().with_attempt(1).with_losses(2))
            .await
            .unwrap();
        park(broker.as_ref(), take(&mut reader).await, &Queue::ISOLATED, "a check panicked").await.unwrap();

        let letter = dead_letters(broker.as_ref(), 1).await.unwrap().pop().unwrap();
        let told = (letter.id(), letter.queue(), letter.cause(), letter.attempts());
        assert_eq!(told, (sent.id, Some(&Queue::ISOLATED), "a check panicked", 3));
        letter.requeue(broker.as_ref(), &Queue::ISOLATED).await.unwrap();
        let again = take(&mut reader).await;
        assert_eq!((&again.message, again.redelivered), (&sent, false));
        again.ack().await.unwrap();
        assert!(dead_letters(broker.as_ref(), 1).await.unwrap().is_empty());
    })
    .await;
}

/// As a policy or RabbitMQ's limit of deliveries does it: here somebody else rejects it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rabbitmq_took_out_of_a_queue_can_be_put_back() {
    in_space(|space| async move {
        let broker = space.broker().await;
        put(&broker, Queue::REQUESTS, "first").await;
        let (raw, name) = (space.raw().await, space.name(&Queue::REQUESTS).into());
        let got = raw.basic_get(name, BasicGetOptions::default()).await.unwrap().unwrap();
        got.reject(BasicRejectOptions { requeue: false }).await.unwrap();
        let mut letters = Vec::new();
        while letters.is_empty() {
            letters = timeout(SOON, dead_letters(broker.as_ref(), 1)).await.unwrap().unwrap();
        }
        let letter = letters.pop().unwrap();
        assert_eq!((letter.queue(), letter.cause()), (Some(&Queue::REQUESTS), "rejected"));
        letter.requeue(broker.as_ref(), &Queue::REQUESTS).await.unwrap();
        let mut reader = broker.subscribe(&Queue::REQUESTS, 1).await.unwrap();
        let again = take(&mut reader).await;
        assert_eq!(again.message.body, "first");
        again.ack().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_parked_goes_back() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        put(&broker, Queue::JOBS, "a").await;
        let closed = space.broker().await;
        closed.close().await;
        let refused = park(closed.as_ref(), take(&mut reader).await, &Queue::JOBS, "cause").await;
        assert!(matches!(refused, Err(PublishError::Closed(_))));
        let again = take(&mut reader).await;
        assert!(again.redelivered);
        again.ack().await.unwrap();
    })
    .await;
}

/// Only its own queues are refused; RabbitMQ says who may write to the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_goes_into_a_queue_of_linkbeats_own() {
    in_space(|space| async move {
        let mut settings = space.settings();
        let celery = format!("celery-{}", space.namespace);
        settings.queues.push(Queue::foreign(&celery, Exchange::Direct, QueueKind::Classic));
        let broker: SharedBroker = RabbitBroker::connect(settings).await.unwrap();
        let mut own: Vec<_> = Queue::ALL.iter().map(|queue| space.name(queue)).collect();
        own.extend(space.other_names());
        own.extend([format!("{}.jobs.3", space.namespace), celery.clone()]);
        for name in own {
            assert!(!broker.may_answer(&name), "{name}");
            let refused = broker.publish(&reply_to(&name), message("{}")).await;
            assert!(matches!(refused, Err(PublishError::NotTaken { .. })), "{name}: {refused:?}");
        }
        for name in ["answers".to_owned(), format!("{}x.jobs", space.namespace)] {
            assert!(broker.may_answer(&name), "{name}");
            let gone = broker.publish(&reply_to(&name), message("{}")).await;
            assert_eq!(gone, Err(PublishError::Unroutable(name)));
        }
        let (raw, name) = (space.raw().await, celery.clone());
        raw.queue_delete(name.clone().into(), QueueDeleteOptions::default()).await.unwrap();
        raw.exchange_delete(name.into(), Default::default()).await.unwrap();
    })
    .await;
}

/// RabbitMQ closes the connection of whoever publishes to such an address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_ends_connections_holds_up_nobody() {
    const DIRECT: &str = "amq.rabbitmq.reply-to";
    // A node that no cluster has, and something that is no id of a process.
    const NOWHERE: &str = "g1h2AA5yZXBseUA0NjgzNTczMQAAAtIAAAAAawhDkQ==.wIGLxUncPubLQCmp/WvLpg==";
    const JUNK: &str = "anVuayEh.wIGLxUncPubLQCmp/WvLpg==";
    in_space(|space| async move {
        let broker = space.broker().await;
        let asker = space.raw().await;
        let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut replies =
            asker.basic_consume(DIRECT.into(), "".into(), no_ack, FieldTable::default()).await.unwrap();
        let question = BasicProperties::default().with_reply_to(DIRECT.into());
        let queue = space.name(&Queue::REQUESTS);
        asker.basic_publish("".into(), queue.into(), Default::default(), b"{}", question).await.unwrap();
        let mut reader = broker.subscribe(&Queue::REQUESTS, 1).await.unwrap();
        let asked = take(&mut reader).await;
        let good = asked.message.reply_to.clone().unwrap();

        let bad = ["xxx.yyy", "", "nothing", NOWHERE, JUNK].map(|rest| format!("{DIRECT}.{rest}"));
        for round in 0..2 {
            let answers =
                join_all(bad.iter().map(|address| {
                    let (broker, target) = (broker.clone(), reply_to(address));
                    async move {
                        timeout(SOON / 3, broker.publish(&target, message("{}"))).await.expect("in time")
                    }
                }));
            let others = async {
                for n in 0..50 {
                    put(&broker, Queue::RESULTS, &format!("{round} {n}")).await;
                }
                broker.publish(&reply_to(&good), message("the report")).await.unwrap();
                let reply = timeout(SOON, replies.next()).await.unwrap().unwrap().unwrap();
                assert_eq!(reply.data, b"the report");
            };
            let (answers, ()) = tokio::join!(answers, others);
            for (address, answer) in bad.iter().zip(answers) {
                // RabbitMQ 4 drops what is for a node that it does not know.
                let dropped = address.ends_with(NOWHERE) && answer.is_ok();
                assert!(
                    dropped || matches!(answer, Err(PublishError::NotTaken { .. })),
                    "{address}: {answer:?}"
                );
            }
            assert!(broker.ready(), "the connection on which all publish goes on");
        }
        asked.ack().await.unwrap();
    })
    .await;
}

/// Nobody was lost with them, so no worker may take them for suspects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_on_their_way_to_a_reader_that_stops_go_back_as_new() {
    in_space(|space| async move {
        let broker = space.broker().await;
        for queue in [Queue::JOBS, Queue::SUSPECTS] {
            let mut reader = broker.subscribe(&queue, 20).await.unwrap();
            let trace = TraceContext::parse(TRACE, None);
            let mut sent: Vec<_> = (0..20).map(|n| message(&n.to_string()).with_losses(1)).collect();
            for message in &mut sent {
                *message = message.clone().traced(trace.as_ref());
                broker.publish(&Target::Queue(queue.clone()), message.clone()).await.unwrap();
            }
            let first = take(&mut reader).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            first.ack().await.unwrap();
            reader.stop().await;
            let mut next = broker.subscribe(&queue, 20).await.unwrap();
            let came = hold_all(&mut next).await;
            assert_eq!(came.len(), 19, "{queue}");
            for delivery in came {
                assert!(!delivery.redelivered, "{queue}: {delivery:?}");
                assert!(sent.contains(&delivery.message), "{queue}: {delivery:?}");
                delivery.ack().await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_and_large_messages_arrive_whole() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let large = vec![b'x'; 2 * 1024 * 1024];
        let foreign = space.raw().await;
        let queue = space.name(&Queue::REQUESTS);
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default().with_message_id("order-7".into());
        foreign.basic_publish("".into(), queue.into(), options, &large, properties).await.unwrap();
        let mut reader = broker.subscribe(&Queue::REQUESTS, 1).await.unwrap();
        let first = take(&mut reader).await;
        assert_eq!(first.message.body, large);
        let id = first.message.id;
        drop(first);
        let again = take(&mut reader).await;
        assert_eq!(again.message.id, id);
        again.ack().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_publish_disturbs_nobody() {
    in_space(|space| async move {
        let broker = space.broker().await;
        let jobs = Target::Queue(Queue::JOBS);
        for n in 0..50 {
            let publishing = broker.publish(&jobs, message("abandoned"));
            let _ = timeout(Duration::from_micros(n * 40), publishing).await;
            put(&broker, Queue::RESULTS, &n.to_string()).await;
        }
        let mut reader = broker.subscribe(&Queue::RESULTS, 10).await.unwrap();
        for n in 0..50 {
            assert_eq!(take_body(&mut reader).await, n.to_string());
        }
    })
    .await;
}
