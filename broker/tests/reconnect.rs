//! RabbitMQ out of reach: cut and silent connections, a server that is gone or refuses us.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use linkbeat_broker::{
    ConnectError, Delivery, PublishError, Queue, RabbitBroker, SessionLost, SharedBroker, Subscription,
    Target,
};
use linkbeat_testbed::free_port;
use linkbeat_testbed::proxy::{Proxy, Weather};
use support::{SOON, Space, body, broker_url, hear, in_space, message, nothing_comes, put, take, take_body};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_session_is_noticed_and_its_messages_come_again() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let broker: SharedBroker = RabbitBroker::connect(space.settings_at(&proxy.url)).await.unwrap();
        let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
        put(&broker, Queue::JOBS, "a").await;
        put(&broker, Queue::JOBS, "b").await;
        let (first, second) = (take(&mut reader).await, take(&mut reader).await);

        proxy.cut();
        timeout(SOON, first.session().cancelled()).await.expect("the loss is noticed without being used");
        assert_eq!(first.ack().await, Err(SessionLost));
        drop(second);

        for expected in ["a", "b"] {
            let again = take(&mut reader).await;
            assert_eq!((body(&again).as_str(), again.redelivered), (expected, true));
            again.ack().await.unwrap();
        }
        put(&broker, Queue::JOBS, "c").await;
        assert_eq!(take_body(&mut reader).await, "c");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_publishers_lose_nothing_to_cut_connections() {
    const PUBLISHERS: usize = 50;
    const EACH: usize = 20;
    const CUTS: usize = 4;
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let broker: SharedBroker = RabbitBroker::connect(space.settings_at(&proxy.url)).await.unwrap();
        let (confirmed, mut count) = mpsc::unbounded_channel();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let (broker, confirmed) = (broker.clone(), confirmed.clone());
                tokio::spawn(async move {
                    for n in 0..EACH {
                        put(&broker, Queue::JOBS, &format!("{publisher}-{n}")).await;
                        confirmed.send(()).unwrap();
                    }
                })
            })
            .collect();
        // Each cut falls into the middle of the work, however fast the machine is.
        for _ in 0..CUTS {
            for _ in 0..PUBLISHERS * EACH / (CUTS + 1) {
                timeout(SOON, count.recv()).await.unwrap().unwrap();
            }
            proxy.cut();
        }
        for publisher in publishers {
            publisher.await.unwrap();
        }
        assert!(proxy.accepted() > CUTS, "each cut cost a connection");

        let mut reader = broker.subscribe(&Queue::JOBS, 100).await.unwrap();
        let mut missing: HashSet<String> =
            (0..PUBLISHERS).flat_map(|p| (0..EACH).map(move |n| format!("{p}-{n}"))).collect();
        while !missing.is_empty() {
            missing.remove(&take_body(&mut reader).await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_publishers_than_channels_wait_for_each_other() {
    const PUBLISHERS: usize = 300;
    in_space(|space| async move {
        let mut proxy = Proxy::before(&broker_url()).await;
        proxy.url.set_query(Some("channel_max=12"));
        let broker: SharedBroker = RabbitBroker::connect(space.settings_at(&proxy.url)).await.unwrap();
        for _ in 0..2 {
            // All wait for the same new session, and come at once.
            proxy.cut();
            let publishing = (0..PUBLISHERS).map(|n| {
                let broker = broker.clone();
                async move { put(&broker, Queue::JOBS, &n.to_string()).await }
            });
            join_all(publishing).await;
        }
        assert_eq!(proxy.accepted(), 3, "no session was lost for want of channels");
        let waiting = broker.waiting(&Queue::JOBS).await.unwrap();
        assert!(waiting >= 2 * PUBLISHERS as u64, "{waiting}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_lose_nothing_to_cut_connections() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let direct = space.broker().await;
        for n in 0..60 {
            put(&direct, Queue::JOBS, &n.to_string()).await;
        }
        let broker: SharedBroker = RabbitBroker::new(space.settings_at(&proxy.url));
        let mut reader = broker.subscribe(&Queue::JOBS, 10).await.unwrap();
        let mut seen = HashSet::new();
        while seen.len() < 60 {
            let delivery = take(&mut reader).await;
            let body = body(&delivery);
            if delivery.ack().await.is_ok() && seen.insert(body) && seen.len() % 20 == 0 {
                proxy.cut();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_given_up_and_the_message_sent_again() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let mut settings = space.settings_at(&proxy.url);
        settings.confirm_timeout = Duration::from_millis(300);
        let broker: SharedBroker = RabbitBroker::connect(settings).await.unwrap();
        let before = proxy.accepted();
        proxy.set(Weather::Swallowing);
        let publishing = {
            let broker = broker.clone();
            tokio::spawn(async move { put(&broker, Queue::JOBS, "through at last").await })
        };
        let another = async {
            while proxy.accepted() == before {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, another).await.expect("another connection is tried");
        assert!(!publishing.is_finished());
        proxy.set(Weather::Clear);
        proxy.cut();
        publishing.await.unwrap();
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        assert_eq!(take_body(&mut reader).await, "through at last");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_noticed_by_the_heartbeat() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let mut settings = space.settings_at(&proxy.url);
        settings.heartbeat = Duration::from_secs(1);
        let broker: SharedBroker = RabbitBroker::connect(settings).await.unwrap();
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        put(&broker, Queue::JOBS, "a").await;
        let held = take(&mut reader).await;
        proxy.set(Weather::Swallowing);
        timeout(SOON, held.session().cancelled()).await.expect("the loss is noticed");
        proxy.set(Weather::Clear);
        proxy.cut();
        assert!(take(&mut reader).await.redelivered);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_reader_is_noticed() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let mut settings = space.settings_at(&proxy.url);
        settings.heartbeat = Duration::from_secs(1);
        let broker: SharedBroker = RabbitBroker::connect(settings).await.unwrap();
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        put(&broker, Queue::JOBS, "first").await;
        assert_eq!(take_body(&mut reader).await, "first");

        proxy.set(Weather::NoDeliveries);
        // The first of them is on its way for ever; the second is ready.
        put(&broker, Queue::JOBS, "a").await;
        put(&broker, Queue::JOBS, "b").await;
        let mut others = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
        let forgotten = timeout(Duration::from_millis(1_500), take(&mut reader)).await;
        assert!(forgotten.is_err(), "RabbitMQ counts it as delivered");
        proxy.set(Weather::Clear);
        put(&broker, Queue::RESULTS, "of another reader").await;
        let held = take(&mut others).await;
        let mut bodies = [take_body(&mut reader).await, take_body(&mut reader).await];
        bodies.sort();
        assert_eq!(bodies, ["a", "b"]);
        held.ack().await.expect("it costs no other reader its channel");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_left_alone_while_somebody_works() {
    in_space(|space| async move {
        let mut settings = space.settings();
        settings.heartbeat = Duration::from_secs(1);
        let broker: SharedBroker = RabbitBroker::connect(settings).await.unwrap();
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        put(&broker, Queue::JOBS, "in work").await;
        put(&broker, Queue::JOBS, "waiting").await;
        let held = take(&mut reader).await;
        assert!(timeout(Duration::from_secs(4), reader.next()).await.is_err());
        assert!(!held.session().is_cancelled());
        held.ack().await.unwrap();
        assert_eq!(take_body(&mut reader).await, "waiting");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_waits_for_a_broker_that_is_not_there_yet() {
    in_space(|space| async move {
        let port = free_port();
        let mut url = broker_url();
        let upstream = url.clone();
        url.set_port(Some(port)).unwrap();
        let broker: SharedBroker = RabbitBroker::new(space.settings_at(&url));
        let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
        assert!(nothing_comes(&mut reader).await);
        assert!(!broker.ready());
        let why = broker.trouble().unwrap();
        assert!(why.contains("refused"), "{why}");
        let proxy = Proxy::at(port, &upstream).await;
        let (came, ()) = tokio::join!(take_body(&mut reader), put(&broker, Queue::JOBS, "a"));
        assert_eq!(came, "a");
        assert!(broker.ready());
        assert_eq!(broker.trouble(), None);
        drop(proxy);
        let unready = async {
            while broker.ready() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, unready).await.expect("a lost broker is no longer ready");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_does_not_wait_for_a_broker_that_is_gone() {
    let mut url = broker_url();
    url.set_port(Some(free_port())).unwrap();
    let broker: SharedBroker = RabbitBroker::new(Space { namespace: "unused".to_owned() }.settings_at(&url));
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    let jobs = Target::Queue(Queue::JOBS);
    let (came, published, ()) =
        tokio::join!(reader.next(), broker.publish(&jobs, message("a")), broker.close());
    assert!(came.is_none());
    assert!(matches!(published, Err(PublishError::Closed(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_session_takes_as_many_as_the_lost_one() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let direct = space.broker().await;
        for n in 0..10 {
            put(&direct, Queue::JOBS, &n.to_string()).await;
        }
        // The size is asked for before there is any session, and kept over the loss of one.
        let broker: SharedBroker = RabbitBroker::new(space.settings_at(&proxy.url));
        let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
        reader.resize(6);
        let lost = take_just(&mut reader, 6).await;
        proxy.cut();
        for delivery in lost {
            timeout(SOON, delivery.session().cancelled()).await.expect("the loss is noticed");
            assert_eq!(delivery.ack().await, Err(SessionLost));
        }
        let held = take_just(&mut reader, 6).await;
        assert!(held.iter().all(|delivery| delivery.redelivered));
        let mut seen: HashSet<_> = held.iter().map(body).collect();
        for delivery in held {
            delivery.ack().await.unwrap();
        }
        for _ in 0..4 {
            seen.insert(take_body(&mut reader).await);
        }
        assert_eq!(seen.len(), 10);
    })
    .await;
}

/// Takes so many and makes sure that no more come while they are held.
async fn take_just(reader: &mut Box<dyn Subscription>, count: usize) -> Vec<Delivery> {
    let mut held = Vec::new();
    while held.len() < count {
        held.push(take(reader).await);
    }
    assert!(nothing_comes(reader).await);
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcasts_go_on_over_a_lost_session() {
    in_space(|space| async move {
        let proxy = Proxy::before(&broker_url()).await;
        let direct = space.broker().await;
        let tell = async |text: &str| direct.publish(&Target::Broadcast, message(text)).await.unwrap();
        tell("old").await;
        let broker: SharedBroker = RabbitBroker::new(space.settings_at(&proxy.url));
        let mut listener = broker.broadcasts().await.unwrap();
        assert_eq!(hear(&mut listener).await.as_deref(), Some("old"));
        assert_eq!(hear(&mut listener).await, None);
        for text in ["first news", "second news"] {
            proxy.cut();
            tell(text).await;
            let news = async {
                loop {
                    let heard = hear(&mut listener).await.expect("it has caught up only once");
                    if heard == text {
                        return;
                    }
                }
            };
            timeout(SOON, news).await.expect("news come");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shot_commands_learn_quickly_why_there_is_no_connection() {
    in_space(|space| async move {
        // The clean-up deletes what the namespace has, so it must have it.
        space.broker().await;
        let refused = async |change: fn(&mut url::Url)| {
            let mut url = broker_url();
            url.set_password(Some("hunter2")).unwrap();
            change(&mut url);
            let address = format!("127.0.0.1:{}", url.port().unwrap_or(5672));
            url.set_host(Some("127.0.0.1")).unwrap();
            let connecting = RabbitBroker::connect(space.settings_at(&url));
            let error = timeout(Duration::from_secs(5), connecting).await.expect("quickly").unwrap_err();
            assert!(
                error.to_string().contains(&address) && !error.to_string().contains("hunter2"),
                "{error}"
            );
            error
        };
        let error = refused(|url| url.set_port(Some(free_port())).unwrap()).await;
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
        let error = refused(|_| {}).await;
        assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
        let error = refused(|url| {
            url.set_password(broker_url().password()).unwrap();
            url.set_path("no-such-vhost");
        })
        .await;
        assert!(
            matches!(&error, ConnectError::Refused { cause, .. } if cause.contains("no-such-vhost")),
            "{error}"
        );
    })
    .await;
}
