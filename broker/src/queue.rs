//! The queues: one table of values. Each says its name, how it is published to, and how it is made.
//!
//! Both brokers work from these values alone. To add a queue of linkbeat's own, add a constant to the table. A queue
//! that only some installations have is made by [`Queue::foreign`], [`Queue::with_shard`] or
//! [`Queue::in_namespace`], and goes into [`BrokerSettings::queues`](crate::BrokerSettings::queues).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use linkbeat_shared::RunSize;

use crate::namespace::Namespace;

/// One queue. Two values are equal if they name and make the same queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Queue {
    name: Cow<'static, str>,
    owner: Owner,
    shard: Option<u16>,
    exchange: Exchange,
    kind: QueueKind,
    removal: Removal,
}

/// Whose names a queue has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    /// The namespace of the broker that is asked.
    Broker,
    /// Another namespace on the same server.
    Namespace(Namespace),
    /// Somebody else: the name stands alone.
    Foreign,
}

/// By which exchange a queue gets its messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// A fanout exchange with the queue's name. With RabbitMQ's permissions it tells who may write to this queue.
    Fanout,
    /// A direct exchange with the queue's name, which is the routing key, too. Celery's queues are made so.
    Direct,
    /// The topic exchange of events; the queue is bound by this pattern.
    Events(String),
    /// An exchange of somebody else; the queue is bound without a key.
    Foreign(ForeignExchange),
    /// The default exchange, which every queue is bound to by its name.
    Default,
}

/// An exchange of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ForeignExchange {
    /// Its name.
    pub name: &'static str,
    /// How it passes messages on.
    pub kind: ForeignExchangeKind,
    /// Whether it survives a restart of the server.
    pub durable: bool,
}

/// How an exchange passes messages on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForeignExchangeKind {
    /// To the queues that are bound by the routing key itself.
    Direct,
    /// To all queues.
    Fanout,
    /// To the queues that are bound by a pattern of the routing key.
    Topic,
}

/// How RabbitMQ keeps a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// Replicated on the nodes of a cluster (<https://www.rabbitmq.com/docs/quorum-queues>).
    Quorum,
    /// On one node.
    Classic,
    /// A log that keeps what was read, for readers that come later (<https://www.rabbitmq.com/docs/streams>).
    Stream {
        /// How long at least, such as `1D`. RabbitMQ drops whole segments, so it may be longer.
        max_age: &'static str,
        /// The size of a segment.
        segment_bytes: i32,
    },
    /// For one reader: it has a name from RabbitMQ, and ends with the reader's connection. At most so many messages:
    /// then the oldest are dropped.
    Temporary {
        /// The most messages.
        max_length: i32,
    },
}

/// What becomes of a message that RabbitMQ itself takes out of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Removal {
    /// RabbitMQ's defaults.
    Default,
    /// It goes to [`Queue::DEAD`]. Nothing of ours expires there; this catches what a policy takes out, or RabbitMQ's
    /// own limit of deliveries (20 since 4.0).
    Parked,
    /// It goes to [`Queue::JOBS`] after this time, and stays until that has confirmed it.
    ToJobs(Duration),
    /// It stays, also when it was given back very often.
    Never,
}

/// How long broadcasts are kept at least.
const BROADCAST: QueueKind = QueueKind::Stream { max_age: "1D", segment_bytes: 100_000 };
/// Events that wait for one slow listener at most.
const EVENTS_WAITING: i32 = 10_000;

impl Queue {
    /// Producer to workers: `linkbeat.jobs`. The jobs of small runs, and whatever comes back from a delay.
    pub const JOBS: Self = Self::work("jobs");
    /// The jobs of large runs: `linkbeat.jobs.large`. So a small run does not wait behind them.
    pub const JOBS_LARGE: Self = Self::work("jobs.large");
    /// Jobs that came back because their worker or its session was lost: `linkbeat.suspects`. Taken a few at a time,
    /// so that a job which ends its worker charges few others.
    pub const SUSPECTS: Self = Self::work("suspects");
    /// Jobs that were lost from there again: `linkbeat.isolated`. Taken one at a time.
    pub const ISOLATED: Self = Self::work("isolated");
    /// Workers to recorder: `linkbeat.results`. The results of small runs, and notices of parked jobs.
    pub const RESULTS: Self = Self::work("results");
    /// The results of large runs: `linkbeat.results.large`. So those of a small run do not wait behind them.
    pub const RESULTS_LARGE: Self = Self::work("results.large");
    /// Other apps to producer: `linkbeat.requests`.
    pub const REQUESTS: Self = Self::work("requests");
    /// Requests for large runs: `linkbeat.requests.large`. The producer moves them here and files them one at a time. So
    /// the others do not wait for them.
    pub const REQUESTS_LARGE: Self = Self::work("requests.large");
    /// Messages nobody could handle, for people to look at: `linkbeat.dead`.
    pub const DEAD: Self = Self::own("dead", QueueKind::Quorum, Removal::Never);
    /// What all workers hear: `linkbeat.broadcast`.
    pub(crate) const BROADCAST: Self = Self::own("broadcast", BROADCAST, Removal::Default);

    /// The queues that messages are taken from, each by one reader.
    pub const ALL: [Self; 9] = [
        Self::JOBS,
        Self::JOBS_LARGE,
        Self::SUSPECTS,
        Self::ISOLATED,
        Self::RESULTS,
        Self::RESULTS_LARGE,
        Self::REQUESTS,
        Self::REQUESTS_LARGE,
        Self::DEAD,
    ];

    /// Those that hold jobs.
    const OF_JOBS: [Self; 4] = [Self::JOBS, Self::JOBS_LARGE, Self::SUSPECTS, Self::ISOLATED];

    /// Where the jobs of a run of this size wait for workers.
    pub fn of_jobs(size: RunSize) -> Self {
        match size {
            RunSize::Small => Self::JOBS,
            RunSize::Large => Self::JOBS_LARGE,
        }
    }

    /// Where the results of a run of this size wait for a recorder.
    pub fn of_results(size: RunSize) -> Self {
        match size {
            RunSize::Small => Self::RESULTS,
            RunSize::Large => Self::RESULTS_LARGE,
        }
    }

    const fn work(name: &'static str) -> Self {
        Self::own(name, QueueKind::Quorum, Removal::Parked)
    }

    const fn own(name: &'static str, kind: QueueKind, removal: Removal) -> Self {
        let (name, exchange) = (Cow::Borrowed(name), Exchange::Fanout);
        Self { name, owner: Owner::Broker, shard: None, exchange, kind, removal }
    }

    /// A rung of the ladder of delays, such as `linkbeat.delay.1s`.
    pub(crate) const fn rung(name: &'static str, time: Duration) -> Self {
        Self::own(name, QueueKind::Quorum, Removal::ToJobs(time))
    }

    /// The queue of one listener to the events that match `pattern`.
    pub(crate) fn of_events(pattern: &str) -> Self {
        let kind = QueueKind::Temporary { max_length: EVENTS_WAITING };
        Self { exchange: Exchange::Events(pattern.to_owned()), ..Self::own("", kind, Removal::Default) }
    }

    /// The queue of one listener to an exchange of somebody else.
    pub(crate) fn listening_to(exchange: ForeignExchange) -> Self {
        let kind = QueueKind::Temporary { max_length: EVENTS_WAITING };
        Self::foreign("", Exchange::Foreign(exchange), kind)
    }

    /// A queue of somebody else, by its whole name.
    pub fn foreign(name: impl Into<String>, exchange: Exchange, kind: QueueKind) -> Self {
        let (name, owner, removal) = (Cow::Owned(name.into()), Owner::Foreign, Removal::Default);
        Self { name, owner, shard: None, exchange, kind, removal }
    }

    /// One of several queues of this name, such as `linkbeat.jobs.3`.
    #[must_use]
    pub fn with_shard(self, shard: u16) -> Self {
        Self { shard: Some(shard), ..self }
    }

    /// The queue of this name in another namespace. A foreign queue has none, and stays as it is.
    #[must_use]
    pub fn in_namespace(self, namespace: Namespace) -> Self {
        match self.owner {
            Owner::Foreign => self,
            Owner::Broker | Owner::Namespace(_) => Self { owner: Owner::Namespace(namespace), ..self },
        }
    }

    /// Whether its messages are jobs.
    pub fn holds_jobs(&self) -> bool {
        self.owner != Owner::Foreign && Self::OF_JOBS.iter().any(|queue| queue.name == self.name)
    }

    /// Whether somebody else may have made it, and otherwise than linkbeat would.
    pub(crate) fn is_foreign(&self) -> bool {
        self.owner == Owner::Foreign
    }

    /// Its whole name on a broker of this namespace.
    pub(crate) fn name_in(&self, namespace: &Namespace) -> String {
        match &self.owner {
            Owner::Broker => format!("{namespace}.{self}"),
            Owner::Namespace(namespace) => format!("{namespace}.{self}"),
            Owner::Foreign => self.to_string(),
        }
    }

    /// The namespace to which it belongs on a broker of this namespace.
    pub(crate) fn namespace<'a>(&'a self, of_broker: &'a Namespace) -> &'a Namespace {
        match &self.owner {
            Owner::Namespace(namespace) => namespace,
            Owner::Broker | Owner::Foreign => of_broker,
        }
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(crate) fn kind(&self) -> &QueueKind {
        &self.kind
    }

    pub(crate) fn removal(&self) -> &Removal {
        &self.removal
    }
}

/// The name without a namespace, such as `jobs`.
impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard {
            None => f.write_str(&self.name),
            Some(shard) => write!(f, "{}.{shard}", self.name),
        }
    }
}

/// The name of the topic exchange of events in this namespace.
pub(crate) fn events_exchange(namespace: &Namespace) -> String {
    format!("{namespace}.events")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_queue_it_is() {
        let blog: Namespace = "blog-1.test_2".parse().unwrap();
        let celery = Queue::foreign("celery", Exchange::Direct, QueueKind::Classic);
        let cases = [
            (Queue::JOBS, "blog-1.test_2.jobs", "jobs"),
            (Queue::JOBS.with_shard(3), "blog-1.test_2.jobs.3", "jobs.3"),
            (Queue::JOBS.in_namespace(Namespace::default()), "linkbeat.jobs", "jobs"),
            (celery.clone(), "celery", "celery"),
            (celery.in_namespace(Namespace::default()), "celery", "celery"),
        ];
        for (queue, name, label) in cases {
            assert_eq!((queue.name_in(&blog).as_str(), queue.to_string().as_str()), (name, label));
        }
        assert_eq!(events_exchange(&blog), "blog-1.test_2.events");
    }

    #[test]
    fn jobs_are_jobs_in_whichever_queue() {
        let holding = Queue::ALL.into_iter().filter(Queue::holds_jobs).collect::<Vec<_>>();
        assert_eq!(holding, [Queue::JOBS, Queue::JOBS_LARGE, Queue::SUSPECTS, Queue::ISOLATED]);
        assert!(Queue::JOBS.with_shard(3).holds_jobs());
        assert!(!Queue::foreign("jobs", Exchange::Default, QueueKind::Classic).holds_jobs());
    }
}
