//! A fleet of the built binary's processes, with a database and a namespace of their own.

use std::process::Command;

use linkbeat_shared::wire::WORKER_ALIVE;
use linkbeat_testbed::database::Database;
use linkbeat_testbed::fleet::{CommandLine, Fleet as Processes, Place, Role};
pub(crate) use linkbeat_testbed::free_port;
use linkbeat_testbed::queues::{Queues, Raw, connect};
use linkbeat_testbed::{background, fleet};

use super::Folder;
use super::process::{BINARY, Guarded};

/// Nobody wants to wait for what an operator would.
const IMPATIENT: [(&str, &str); 2] =
    [("LINKBEAT_PRODUCER_PUBLISH_AFTER_SECS", "1"), ("LINKBEAT_PRODUCER_RECONCILE_EVERY_SECS", "1")];

/// One producer, one recorder, two workers.
pub(crate) struct Fleet {
    // In the order in which they end.
    processes: Processes,
    pub(crate) servers: Servers,
    _folder: Folder,
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
        let (servers, folder) = (Servers::new(), Folder::new());
        let processes = Processes::new(BINARY, folder.path(), servers.place(), &IMPATIENT);
        let mut fleet = Self { processes, servers, _folder: folder };
        let producer =
            settings.iter().fold(CommandLine::default(), |it, (name, value)| it.variable(name, value));
        fleet.start_role(Role::Producer, producer);
        fleet.start_role(Role::Recorder, CommandLine::default());
        fleet
    }

    /// The same, and the producer takes tasks of Celery clients.
    pub(crate) fn serving_celery(settings: &[(String, String)]) -> Self {
        let (servers, folder) = (Servers::new(), Folder::new());
        let processes = Processes::new(BINARY, folder.path(), servers.place(), &IMPATIENT);
        let mut fleet = Self { processes, servers, _folder: folder };
        fleet.start_celery_producer(settings);
        fleet.start_role(Role::Recorder, CommandLine::default());
        fleet
    }

    /// One producer more that takes tasks of Celery clients.
    pub(crate) fn start_celery_producer(&mut self, settings: &[(String, String)]) -> usize {
        let namespace = &self.servers.namespace;
        let producer = CommandLine::default()
            .variable("LINKBEAT_CELERY_QUEUES", &format!("{namespace}.celery"))
            .variable("LINKBEAT_CELERY_TASKS", "linkbeat.check,blog.tasks.check_friend")
            .variable("LINKBEAT_CELERY_HOSTNAME", &format!("linkbeat@{namespace}"));
        let producer = settings.iter().fold(producer, |it, (name, value)| it.variable(name, value));
        self.start_role(Role::Producer, producer)
    }

    /// One worker more.
    pub(crate) fn start_worker(&mut self, args: &[&str]) -> usize {
        self.start_role(Role::Worker, CommandLine::default().arguments(args))
    }

    fn start_role(&mut self, role: Role, command: CommandLine) -> usize {
        background(self.processes.start(role, command))
    }

    pub(crate) fn role(&mut self, index: usize) -> &mut Guarded {
        self.processes.process(index)
    }

    /// Where a process answers for its health.
    pub(crate) fn health(&self, index: usize) -> &str {
        &self.processes.members[index].health
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
    queues: Queues,
    database: Database,
}

impl Servers {
    pub(crate) fn new() -> Self {
        let database = background(Database::create("linkbeat"));
        let queues = Queues::shared(&database.name);
        Self {
            broker_url: queues.url.clone(),
            database_url: database.url.clone(),
            namespace: queues.namespace.clone(),
            queues,
            database,
        }
    }

    fn place(&self) -> Place {
        Place {
            broker_url: self.broker_url.clone(),
            database_url: self.database_url.clone(),
            namespace: self.namespace.clone(),
        }
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
            let connection = connect(&self.broker_url).await.unwrap();
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
                // Workers say every few seconds that they live.
                if delivery.routing_key.as_str() == WORKER_ALIVE {
                    continue;
                }
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
        background(self.database.execute(statement));
    }

    /// Puts any bytes into one of the queues, without an address to answer to.
    pub(crate) fn publish(&self, queue: &str, body: &[u8]) {
        background(self.queues.put(queue, &[Raw::new(body)]));
    }

    /// Throws away what waits in one of the queues.
    pub(crate) fn purge(&self, queue: &str) {
        background(self.queues.purge(queue));
    }

    /// How many messages are ready in one of the queues.
    pub(crate) fn depth(&self, queue: &str) -> u32 {
        background(self.queues.depth(queue))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        background(self.queues.remove_all());
    }
}

/// The status of a plain GET; `None` when nobody answers.
pub(crate) fn http_status(address: &str, path: &str) -> Option<u16> {
    let asking = async { tokio::time::timeout(super::PATIENCE, fleet::http_status(address, path)).await };
    background(asking).ok().flatten()
}
