//! A fleet of the built binary's processes, with a database and a namespace of their own.

use std::process::{Command, Stdio};

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use uuid::Uuid;

use super::form::block_on;
use super::process::{Guarded, linkbeat, run};
use super::{Folder, eventually};

/// One producer, one recorder, two workers.
pub(crate) struct Fleet {
    pub(crate) servers: Servers,
    folder: Folder,
    roles: Vec<Guarded>,
}

impl Fleet {
    /// Starts the roles and waits until each of them is ready. `worker_args` go to the workers.
    pub(crate) fn start(worker_args: &[&str]) -> Self {
        let mut fleet = Self::without_workers(&[]);
        for _ in 0..2 {
            fleet.start_worker(worker_args);
        }
        fleet
    }

    /// The same without workers; `settings` are variables of the producer's environment.
    pub(crate) fn without_workers(settings: &[(&str, &str)]) -> Self {
        let servers = Servers::new();
        let folder = Folder::new();
        let mut migrate = linkbeat(folder.path(), ["migrate"]);
        servers.configure(&mut migrate);
        run(&mut migrate).expect(0);
        let mut fleet = Self { servers, folder, roles: Vec::new() };
        // Nobody wants to wait for what an operator would.
        let impatient =
            [("LINKBEAT_PRODUCER_PUBLISH_AFTER_SECS", "1"), ("LINKBEAT_PRODUCER_RECONCILE_EVERY_SECS", "1")];
        fleet.start_role("producer", &[], &[&impatient, settings].concat());
        fleet.start_role("recorder", &[], &[]);
        fleet
    }

    /// One worker more. Workers are given no database: they must not need one.
    pub(crate) fn start_worker(&mut self, args: &[&str]) -> usize {
        let args: Vec<_> = ["--allow-network", "127.0.0.0/8"].iter().chain(args).copied().collect();
        let no_database = [("LINKBEAT_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
        self.start_role("worker", &args, &no_database)
    }

    fn start_role(&mut self, role: &str, args: &[&str], settings: &[(&str, &str)]) -> usize {
        let health = format!("127.0.0.1:{}", free_port());
        let mut command = linkbeat(self.folder.path(), [role, "--health-addr", &health]);
        command.args(args).stdout(Stdio::null());
        self.servers.configure(&mut command);
        command.envs(settings.iter().copied());
        self.roles.push(Guarded::spawn(&mut command));
        eventually("the role to be ready", || http_status(&health, "/ready").filter(|status| *status == 200));
        self.roles.len() - 1
    }

    pub(crate) fn role(&mut self, index: usize) -> &mut Guarded {
        &mut self.roles[index]
    }

    pub(crate) fn configure(&self, command: &mut Command) {
        self.servers.configure(command);
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.servers.database_url
    }
}

/// A database and a namespace of a test's own, removed at its end.
pub(crate) struct Servers {
    pub(crate) broker_url: String,
    pub(crate) database_url: String,
    pub(crate) namespace: String,
    database: String,
    admin_url: String,
}

impl Servers {
    pub(crate) fn new() -> Self {
        // A lone slash is the empty virtual host to lapin; to everybody else it is the default one.
        let broker_url = required("LINKBEAT_TEST_BROKER_URL").trim_end_matches('/').to_owned();
        let admin_url = required("LINKBEAT_TEST_DATABASE_URL");
        let database = format!("linkbeat_{}", Uuid::now_v7().simple());
        execute(&admin_url, &format!("CREATE DATABASE {database}"));
        let (server, _) = admin_url.rsplit_once('/').unwrap();
        let database_url = format!("{server}/{database}");
        Self { broker_url, database_url, namespace: database.clone(), database, admin_url }
    }

    pub(crate) fn configure(&self, command: &mut Command) {
        command
            .env("LINKBEAT_BROKER_URL", &self.broker_url)
            .env("LINKBEAT_DATABASE_URL", &self.database_url)
            .env("LINKBEAT_NAMESPACE", &self.namespace);
    }

    /// Collects the events that `during` brings about; ends with the first of type `last`.
    pub(crate) fn events(&self, last: &str, during: impl FnOnce()) -> Vec<serde_json::Value> {
        use futures::StreamExt;
        use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let exchange = format!("{}.events", self.namespace);
        let (connection, mut events) = runtime.block_on(async {
            let connection = connect(&self.broker_url).await;
            let channel = connection.create_channel().await.unwrap();
            let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            let queue = channel.queue_declare("".into(), exclusive, <_>::default()).await.unwrap();
            let name = queue.name().clone();
            channel
                .queue_bind(
                    name.clone(),
                    exchange.into(),
                    "#".into(),
                    QueueBindOptions::default(),
                    <_>::default(),
                )
                .await
                .unwrap();
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            (connection, channel.basic_consume(name, "".into(), options, <_>::default()).await.unwrap())
        });
        during();
        let mut seen: Vec<serde_json::Value> = Vec::new();
        runtime.block_on(async {
            while seen.last().is_none_or(|event| event["event"] != last) {
                let next = tokio::time::timeout(super::PATIENCE, events.next()).await;
                let delivery =
                    next.unwrap_or_else(|_| panic!("no `{last}` after {seen:#?}")).unwrap().unwrap();
                let event: serde_json::Value = serde_json::from_slice(&delivery.data).unwrap();
                assert_eq!(event["event"], delivery.routing_key.as_str(), "the routing key is the event");
                seen.push(event);
            }
            connection.close(200, "".into()).await.unwrap();
        });
        seen
    }

    /// Runs a statement on the test's database.
    pub(crate) fn execute(&self, statement: &str) {
        execute(&self.database_url, statement);
    }

    /// Puts any bytes into one of the queues, without an address to answer to.
    pub(crate) fn publish(&self, queue: &str, body: &[u8]) {
        block_on(async {
            let connection = connect(&self.broker_url).await;
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(<_>::default()).await.unwrap();
            let name = format!("{}.{queue}", self.namespace);
            let mandatory = lapin::options::BasicPublishOptions { mandatory: true, ..<_>::default() };
            let confirm =
                channel.basic_publish("".into(), name.into(), mandatory, body, <_>::default()).await.unwrap();
            assert!(matches!(confirm.await.unwrap(), lapin::Confirmation::Ack(None)));
            connection.close(200, "".into()).await.unwrap();
        });
    }

    /// Throws away what waits in one of the queues.
    pub(crate) fn purge(&self, queue: &str) {
        block_on(async {
            let connection = connect(&self.broker_url).await;
            let channel = connection.create_channel().await.unwrap();
            let name = format!("{}.{queue}", self.namespace);
            channel.queue_purge(name.into(), <_>::default()).await.unwrap();
            connection.close(200, "".into()).await.unwrap();
        });
    }

    /// How many messages are ready in one of the queues.
    pub(crate) fn depth(&self, queue: &str) -> u32 {
        use lapin::options::QueueDeclareOptions;
        block_on(async {
            let connection = connect(&self.broker_url).await;
            let channel = connection.create_channel().await.unwrap();
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let name = format!("{}.{queue}", self.namespace);
            let queue = channel.queue_declare(name.into(), passive, <_>::default()).await.unwrap();
            let depth = queue.message_count();
            connection.close(200, "".into()).await.unwrap();
            depth
        })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let (broker_url, namespace) = (&self.broker_url, &self.namespace);
        block_on(async {
            let connection = connect(broker_url).await;
            let channel = connection.create_channel().await.unwrap();
            let queues = ["jobs", "suspects", "isolated", "results", "requests", "dead", "broadcast"];
            let rungs = ["delay.1s", "delay.10s", "delay.1m", "delay.10m", "delay.1h"];
            for name in queues.into_iter().chain(rungs).chain(["events"]) {
                let name = format!("{namespace}.{name}");
                let _ = channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await;
                let _ = channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await;
            }
            let _ = connection.close(200, "".into()).await;
        });
        execute(&self.admin_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database));
    }
}

async fn connect(url: &str) -> lapin::Connection {
    lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await.unwrap()
}

fn execute(url: &str, statement: &str) {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap();
    });
}

fn required(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: this test needs real servers; run scripts/test"))
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status of a plain GET; `None` when nobody answers.
pub(crate) fn http_status(address: &str, path: &str) -> Option<u16> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
