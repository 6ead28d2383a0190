use std::time::Duration;

use linkbeat_broker::{Access, BrokerSettings, BrokerUrls, Exchange, Namespace, Queue, QueueKind, Right};
use linkbeat_shared::as_text;
use linkbeat_store::DatabaseUrl;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::backend::BackendAddress;
use super::{ANSWERS, EVENTS, QUESTIONS};

/// What the operator of a producer may set about the tasks of Celery clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CelerySettings {
    /// The queues that clients send their tasks to; none: no tasks are taken.
    #[serde(deserialize_with = "names_of_queues")]
    pub queues: Vec<String>,
    /// The names of the tasks that linkbeat carries out.
    pub tasks: Vec<String>,
    /// Where results go.
    #[serde(with = "as_text")]
    pub backend: BackendAddress,
    /// The apps' RabbitMQ, where it is not linkbeat's.
    #[serde(with = "as_text::optional")]
    pub broker_url: Option<BrokerUrls>,
    /// Callers also see that a task has begun.
    pub track_started: bool,
    /// Events of tasks are sent from the start, and not only once a monitor asks for them.
    pub send_task_events: bool,
    /// For how long a result is kept where it was told, in seconds. One that cannot be told is given up after so long.
    pub result_expires_secs: u64,
    /// What every key in Redis begins with: the apps' `global_keyprefix`.
    pub key_prefix: String,
    /// Django's database, for `django-db`; default: linkbeat's own.
    #[serde(with = "as_text::optional")]
    pub database_url: Option<DatabaseUrl>,
    /// Django's rows also have the name, the arguments and the worker of a task.
    pub result_extended: bool,
    /// Where tasks go that follow one of ours and name no queue.
    pub default_queue: String,
    /// How linkbeat names itself as a worker; empty: `linkbeat@` and the machine's name.
    pub hostname: String,
}

/// The longest name of a queue, in bytes. AMQP takes 255, and `.pidbox` and the like are added.
const MOST_NAME_BYTES: usize = 200;

fn names_of_queues<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    match names.iter().all(|name| (1..=MOST_NAME_BYTES).contains(&name.len())) {
        true => Ok(names),
        false => Err(D::Error::custom(format!("the name of a queue has 1 to {MOST_NAME_BYTES} bytes"))),
    }
}

impl Default for CelerySettings {
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            tasks: vec!["linkbeat.check".to_owned()],
            backend: BackendAddress::Rpc,
            broker_url: None,
            track_started: false,
            send_task_events: false,
            result_expires_secs: 86_400,
            key_prefix: String::new(),
            database_url: None,
            result_extended: false,
            default_queue: "celery".to_owned(),
            hostname: String::new(),
        }
    }
}

impl CelerySettings {
    /// Whether tasks are taken at all.
    pub fn is_on(&self) -> bool {
        !self.queues.is_empty()
    }

    /// A queue as Celery declares it.
    pub(super) fn queue(name: &str) -> Queue {
        Queue::foreign(name, Exchange::Direct, QueueKind::Classic)
    }

    /// How the apps' RabbitMQ is used, where linkbeat's own is used so.
    pub fn broker(&self, ours: &BrokerSettings) -> BrokerSettings {
        BrokerSettings {
            urls: self.broker_url.clone().unwrap_or_else(|| ours.urls.clone()),
            exchanges: vec![EVENTS, QUESTIONS, ANSWERS],
            only_theirs: true,
            connection_name: format!("{} for Celery", ours.connection_name),
            ..ours.clone()
        }
    }

    /// What this takes on the apps' RabbitMQ.
    pub fn rights(&self) -> Vec<Right> {
        let of_queue = |queue: &String| {
            let on_queue = [Access::Configure, Access::Write, Access::Read];
            let on_exchange = [Access::Configure, Access::Read];
            let on_queue = on_queue.map(|access| Right::on_queue(access, queue));
            let on_exchange = on_exchange.map(|access| Right::on_exchange(access, queue));
            on_queue.into_iter().chain(on_exchange)
        };
        let made = [EVENTS, QUESTIONS, ANSWERS].map(|it| Right::on_exchange(Access::Configure, it.name));
        let written = [EVENTS.name, ANSWERS.name, "amq.default"];
        let written = written.map(|name| Right::on_exchange(Access::Write, name));
        let read = [Right::on_exchange(Access::Read, QUESTIONS.name)];
        let of_queues = self.queues.iter().flat_map(of_queue);
        of_queues.chain(made).chain(written).chain(read).chain(Right::on_temporary_queues()).collect()
    }

    /// What this takes on linkbeat's own RabbitMQ, besides what a producer needs anyway: the door listens to its events.
    pub fn rights_on_ours(namespace: &Namespace) -> Vec<Right> {
        let events = Right::on_exchange(Access::Read, format!("{namespace}.events"));
        Right::on_temporary_queues().into_iter().chain([events]).collect()
    }

    pub(super) fn result_expires(&self) -> Duration {
        Duration::from_secs(self.result_expires_secs)
    }

    pub(super) fn hostname(&self) -> String {
        if !self.hostname.is_empty() {
            return self.hostname.clone();
        }
        let of_linux = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let machine = of_linux.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
        match machine.trim() {
            "" => "linkbeat@localhost".to_owned(),
            machine => format!("linkbeat@{machine}"),
        }
    }
}
