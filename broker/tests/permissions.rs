//! The users of docs/operations.md: each role can do its work, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use linkbeat_broker::{
    Broadcast, BrokerSettings, ConnectError, Message, Namespace, Queue, RabbitBroker, SharedBroker, Target,
    dead_letters,
};
use linkbeat_shared::ReplyTo;
use linkbeat_testbed::raw_amqp::{RawPublisher, poison};
use linkbeat_testbed::servers::PrivateServers;
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(30);
const PASSWORD: &str = "hunter2";
/// Besides the default exchange, which has no name.
const EXCHANGES: [&str; 12] = [
    "jobs",
    "jobs.large",
    "suspects",
    "isolated",
    "results",
    "results.large",
    "requests",
    "requests.large",
    "dead",
    "events",
    "broadcast",
    "delay.1s",
];
const QUEUES: [&str; 11] = [
    "jobs",
    "jobs.large",
    "suspects",
    "isolated",
    "results",
    "results.large",
    "requests",
    "requests.large",
    "dead",
    "broadcast",
    "delay.1s",
];

/// What a user may write to and read from; `default` is the default exchange.
const ROLES: [(&str, &[&str], &[&str]); 4] = [
    (
        "linkbeat-producer",
        &[
            "jobs",
            "jobs.large",
            "results",
            "results.large",
            "requests",
            "requests.large",
            "dead",
            "events",
            "delay.1s",
            "default",
        ],
        &["requests", "requests.large"],
    ),
    (
        "linkbeat-worker",
        &[
            "jobs",
            "jobs.large",
            "suspects",
            "isolated",
            "results",
            "results.large",
            "dead",
            "events",
            "delay.1s",
        ],
        &["jobs", "jobs.large", "suspects", "isolated", "broadcast"],
    ),
    (
        "linkbeat-recorder",
        &["results", "dead", "events", "broadcast", "default"],
        &["results", "results.large"],
    ),
    ("blog", &["requests"], &[]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_can_do_its_work_and_nothing_else() {
    let servers = PrivateServers::start("start_rabbitmq provide_rabbitmqctl");
    run_documented(&servers, "permissions");
    roles_say_what_an_administrator_has_to_do(&servers).await;
    session(&servers, "linkbeat-admin").await.close().await;
    run_documented(&servers, "policies");
    for (user, writes, reads) in ROLES {
        may_do_exactly(&servers, user, writes, reads).await;
    }
    all_roles_work(&servers).await;
    an_app_asks_and_listens(&servers).await;
    an_app_poisons_the_requests(&servers).await;
}

/// Runs the lines of one block of the manual, to the letter.
fn run_documented(servers: &PrivateServers, block: &str) {
    let manual = include_str!("../../docs/operations.md");
    let (_, rest) = manual.split_once(&format!("```sh {block}\n")).expect(block);
    let (commands, _) = rest.split_once("```").unwrap();
    let path = format!("{}:{}", servers.get("RABBITMQCTL"), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    for role in ["ADMIN", "PRODUCER", "WORKER", "RECORDER", "BLOG"] {
        shell.env(format!("{role}_PASSWORD"), PASSWORD);
    }
    let output = shell.args(["-euc", commands]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

async fn roles_say_what_an_administrator_has_to_do(servers: &PrivateServers) {
    let error = RabbitBroker::connect(settings(servers, "linkbeat-worker")).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotDeclared { .. }), "{error}");
}

async fn may_do_exactly(servers: &PrivateServers, user: &str, writes: &[&str], reads: &[&str]) {
    let connection = connect(servers, user).await;
    for name in EXCHANGES {
        let written = write(&connection, &format!("linkbeat.{name}")).await;
        assert_eq!(may(written), writes.contains(&name), "{user} writes to {name}");
    }
    assert_eq!(may(write(&connection, "").await), writes.contains(&"default"), "{user}: default exchange");
    for name in QUEUES {
        let read = consume(&connection, &format!("linkbeat.{name}")).await;
        assert_eq!(may(read), reads.contains(&name), "{user} reads {name}");
    }
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.queue_declare("linkbeat.mine".into(), durable, FieldTable::default()).await;
    assert!(!may(declared.map(drop)), "{user} declares nothing of ours");
}

/// A message that no queue takes: only whether it may be written counts.
async fn write(connection: &Connection, exchange: &str) -> lapin::Result<()> {
    let channel = confirming(connection).await;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let exchange = exchange.to_owned().into();
    channel.basic_publish(exchange, "nobody".into(), options, b"{}", properties).await?.await.map(drop)
}

async fn confirming(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

async fn consume(connection: &Connection, queue: &str) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, Default::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.to_owned().into(), "".into(), options, FieldTable::default()).await?;
    channel.close(200, "OK".into()).await
}

/// Whether RabbitMQ let it happen; any other failure than a refusal fails the test.
fn may(outcome: lapin::Result<()>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(error) => {
            assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
            false
        }
    }
}

/// A request becomes a job, a result, and an answer; a job is delayed, one is parked, all hear a broadcast.
async fn all_roles_work(servers: &PrivateServers) {
    let admin = session(servers, "linkbeat-admin").await;
    let producer = session(servers, "linkbeat-producer").await;
    let worker = session(servers, "linkbeat-worker").await;
    let recorder = session(servers, "linkbeat-recorder").await;

    put(&producer, &Target::Delayed(Duration::from_secs(1)), "delayed").await;
    take(&worker, Queue::JOBS, "delayed").await;
    for queue in [Queue::JOBS, Queue::SUSPECTS, Queue::ISOLATED] {
        put(&worker, &Target::Queue(queue.clone()), "given back").await;
        take(&worker, queue, "given back").await;
    }
    put(&worker, &Target::Queue(Queue::RESULTS), "result").await;
    take(&recorder, Queue::RESULTS, "result").await;
    put(&recorder, &Target::Event("run.finished".to_owned()), "event").await;
    put(&recorder, &Target::Broadcast, "broadcast").await;
    timeout(SOON, producer.waiting(&Queue::JOBS)).await.expect("told in time").unwrap();
    let mut broadcasts = worker.broadcasts().await.unwrap();
    let heard = async {
        loop {
            match broadcasts.next().await.expect("it goes on") {
                Broadcast::Message(message) if message.body == "broadcast" => return,
                _ => {}
            }
        }
    };
    timeout(SOON, heard).await.expect("the worker hears it");
    // It may not answer, which costs nobody else a session.
    let reply = Target::Reply(ReplyTo { queue: "blog.answers".to_owned(), correlation_id: None });
    let before = connections(servers, "linkbeat-worker");
    let denied = timeout(SOON, worker.publish(&reply, Message::new(Uuid::now_v7(), "denied"))).await;
    let denied = denied.expect("told in time").unwrap_err();
    assert!(denied.to_string().starts_with("`blog.answers` takes no messages: ACCESS_REFUSED"), "{denied}");
    put(&worker, &Target::Queue(Queue::RESULTS), "after that").await;
    take(&recorder, Queue::RESULTS, "after that").await;
    assert_eq!(connections(servers, "linkbeat-worker"), before, "no connection was lost or opened for it");
    for role in [&producer, &worker, &recorder] {
        put(role, &Target::Queue(Queue::DEAD), "parked").await;
        take(&admin, Queue::DEAD, "parked").await;
    }
}

/// The ids that RabbitMQ gives to a user's connections.
fn connections(servers: &PrivateServers, user: &str) -> Vec<String> {
    let path = format!("{}:{}", servers.get("RABBITMQCTL"), std::env::var("PATH").unwrap());
    let mut list = Command::new("rabbitmqctl");
    let output =
        list.args(["--quiet", "list_connections", "user", "pid"]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut ids: Vec<_> = lines.lines().filter(|line| line.starts_with(user)).map(str::to_owned).collect();
    assert!(!ids.is_empty(), "{lines}");
    ids.sort();
    ids
}

/// A user who may only write requests can stop nobody.
async fn an_app_poisons_the_requests(servers: &PrivateServers) {
    let mut raw = RawPublisher::connect(url(servers, "blog").as_str()).await;
    for (name, properties, _) in poison() {
        raw.publish("linkbeat.requests", b"", &properties, name.as_bytes()).await;
    }
    let app = connect(servers, "blog").await;
    let channel = confirming(&app).await;
    for n in 0..20 {
        let (body, properties) = (format!("good {n}"), BasicProperties::default());
        let exchange = "linkbeat.requests".into();
        let sent =
            channel.basic_publish(exchange, "".into(), Default::default(), body.as_bytes(), properties);
        sent.await.unwrap().await.unwrap();
    }
    let producer = session(servers, "linkbeat-producer").await;
    let mut requests = producer.subscribe(&Queue::REQUESTS, 4).await.unwrap();
    for n in 0..20 {
        let request = timeout(SOON, requests.next()).await.expect("in time").expect("it goes on");
        assert_eq!(request.message.body, format!("good {n}"));
        request.ack().await.unwrap();
    }
    let admin = session(servers, "linkbeat-admin").await;
    let parked = async {
        let mut parked = 0;
        while parked < poison().len() {
            for letter in dead_letters(&*admin, 100).await.unwrap() {
                assert!(letter.cause().starts_with("it cannot be read"), "{}", letter.cause());
                letter.forget().await.unwrap();
                parked += 1;
            }
        }
    };
    timeout(SOON, parked).await.expect("all are parked");
}

async fn an_app_asks_and_listens(servers: &PrivateServers) {
    let connection = connect(servers, "blog").await;
    let channel = confirming(&connection).await;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("blog.links".into(), durable, FieldTable::default()).await.unwrap();
    let bound = channel.queue_bind(
        "blog.links".into(),
        "linkbeat.events".into(),
        "link.*".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.unwrap();
    let producer = session(servers, "linkbeat-producer").await;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent =
        channel.basic_publish("linkbeat.requests".into(), "".into(), options, b"a request", properties);
    sent.await.unwrap().await.unwrap();
    take(&producer, Queue::REQUESTS, "a request").await;
    put(&producer, &Target::Event("link.hidden".to_owned()), "news").await;
    let reply_to = ReplyTo { queue: "blog.links".to_owned(), correlation_id: None };
    put(&producer, &Target::Reply(reply_to), "answer").await;
    let mut heard = Vec::new();
    let listening = async {
        while heard.len() < 2 {
            let got = channel.basic_get("blog.links".into(), Default::default()).await.unwrap();
            heard.extend(got.map(|message| String::from_utf8(message.delivery.data).unwrap()));
        }
    };
    timeout(SOON, listening).await.expect("it hears both");
    assert_eq!(heard, ["news", "answer"]);
}

async fn connect(servers: &PrivateServers, user: &str) -> Connection {
    Connection::connect(url(servers, user).as_str(), ConnectionProperties::default()).await.unwrap()
}

async fn session(servers: &PrivateServers, user: &str) -> SharedBroker {
    let connecting = timeout(SOON, RabbitBroker::connect(settings(servers, user)));
    connecting.await.expect("in time").unwrap()
}

fn settings(servers: &PrivateServers, user: &str) -> BrokerSettings {
    let urls = url(servers, user).as_str().parse().unwrap();
    BrokerSettings::new(urls, Namespace::default(), "linkbeat test")
}

fn url(servers: &PrivateServers, user: &str) -> Url {
    let mut url: Url = servers.get("BROKER_URL").parse().unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    url.set_path("/%2f");
    url
}

async fn put(broker: &SharedBroker, target: &Target, body: &str) {
    let message = Message::new(Uuid::now_v7(), body.to_owned());
    timeout(SOON, broker.publish(target, message)).await.expect(body).unwrap();
}

/// Takes messages until this one comes: the probing of permissions has left others.
async fn take(broker: &SharedBroker, queue: Queue, body: &str) {
    let mut subscription = broker.subscribe(&queue, 1).await.unwrap();
    let taking = async {
        loop {
            let delivery = subscription.next().await.expect("it goes on");
            let found = delivery.message.body == body;
            delivery.ack().await.unwrap();
            if found {
                return;
            }
        }
    };
    timeout(SOON, taking).await.expect(body);
    subscription.stop().await;
}
