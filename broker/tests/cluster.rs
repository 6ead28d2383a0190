//! Several broker URLs: nodes that are away are passed over, and a cluster survives the loss of one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

use futures::future::join_all;
use linkbeat_broker::{
    Broker, BrokerSettings, ConnectError, Namespace, Queue, RabbitBroker, SharedBroker, Target,
};
use linkbeat_testbed::servers::PrivateServers;
use support::{SOON, broker_url, in_space, message};
use tokio::time::{Instant, sleep, timeout};

const BROKERS: usize = 6;
const MESSAGES: usize = 100;
/// The time in which a broker must go on over another node.
const GOES_ON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_away_are_passed_over() {
    in_space(|space| async move {
        let mut away = broker_url();
        away.set_port(Some(1)).unwrap();
        let mut settings = space.settings();
        settings.urls = format!("{away},{},{away}", broker_url()).parse().unwrap();
        for _ in 0..10 {
            RabbitBroker::connect(settings.clone()).await.unwrap().close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn when_no_node_can_be_used_the_error_names_them_all() {
    let urls = "amqp://me:hunter2@127.0.0.1:1/,amqp://me:hunter2@localhost:2/".parse().unwrap();
    let settings = BrokerSettings::new(urls, Namespace::default(), "linkbeat test");
    for _ in 0..10 {
        let error = RabbitBroker::connect(settings.clone()).await.unwrap_err();
        assert!(matches!(&error, ConnectError::NoNode(nodes) if nodes.len() == 2), "{error:?}");
        let text = error.to_string();
        let places = ["127.0.0.1:1:", "localhost:2:"].map(|address| text.find(address).expect(&text));
        assert!(places.is_sorted() && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_takes_nothing_with_it() {
    let servers = PrivateServers::start("start_cluster");
    let settings = BrokerSettings::new(
        servers.get("CLUSTER_URLS").parse().unwrap(),
        Namespace::default(),
        "linkbeat test",
    );
    let brokers: Vec<SharedBroker> = join_all((0..BROKERS).map(async |_| {
        let broker = timeout(SOON, RabbitBroker::connect(settings.clone())).await.unwrap();
        broker.unwrap() as SharedBroker
    }))
    .await;
    let readers = brokers.iter().map(|broker| tokio::spawn(read(broker.clone()))).collect::<Vec<_>>();
    publish(&brokers, "before").await;

    let nodes: Vec<_> = settings.urls.iter().map(|url| sessions_with(&url.address())).collect();
    assert_eq!(nodes.iter().sum::<usize>(), 2 * BROKERS);
    assert!(nodes.iter().filter(|sessions| **sessions > 0).count() > 1, "spread over the nodes: {nodes:?}");
    let busiest = (0..nodes.len()).max_by_key(|node| nodes[*node]).unwrap();
    let pid = servers.get("CLUSTER_PIDS").split(',').nth(busiest).unwrap();
    assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());

    let killed = Instant::now();
    publish(&brokers, "after").await;
    while !brokers.iter().all(|broker| broker.ready()) {
        sleep(Duration::from_millis(10)).await;
        assert!(killed.elapsed() < GOES_ON, "all sessions are open again in time");
    }
    assert!(killed.elapsed() < GOES_ON, "{:?}", killed.elapsed());
    println!("all went on after {:?}", killed.elapsed());

    let mut read = HashSet::new();
    for reader in readers {
        read.extend(timeout(SOON, reader).await.expect("the readers come to an end").unwrap());
    }
    assert_eq!(read.len(), 2 * BROKERS * MESSAGES, "all that was confirmed");
    join_all(brokers.iter().map(|broker| broker.close())).await;
}

/// All brokers publish at once; returns when all is confirmed.
async fn publish(brokers: &[SharedBroker], when: &str) {
    let publishing = brokers.iter().enumerate().map(async |(broker, publisher)| {
        for number in 0..MESSAGES {
            let message = message(&format!("{when} {broker} {number}"));
            publisher.publish(&Target::Queue(Queue::JOBS), message).await.unwrap();
        }
    });
    timeout(SOON, join_all(publishing)).await.expect("published in time");
}

/// What comes to one reader, until nothing has come for some seconds.
async fn read(broker: SharedBroker) -> HashSet<String> {
    let mut subscription = broker.subscribe(&Queue::JOBS, 20).await.unwrap();
    let mut bodies = HashSet::new();
    while let Ok(Some(delivery)) = timeout(GOES_ON, subscription.next()).await {
        let body = support::body(&delivery);
        if delivery.ack().await.is_ok() {
            bodies.insert(body);
        }
    }
    bodies
}

/// How many connections lead to this address on loopback, as Linux tells in /proc/net/tcp.
fn sessions_with(address: &str) -> usize {
    const ESTABLISHED: &str = "01";
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let remote = format!("0100007F:{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").expect("this test needs Linux's /proc");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|fields| fields[2] == remote && fields[3] == ESTABLISHED).count()
}
