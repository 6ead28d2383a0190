//! What the dashboard needs of the rest of linkbeat. The command line brings it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use linkbeat_shared::history::Zone;
use linkbeat_shared::wire::WorkerMessage;
use linkbeat_shared::{GivenLinks, Lang, Link, Request, RequestId, RequestOptions, RunId};
use linkbeat_store::{DashboardStore, Filed, StoreError, StoredSchedule};
use uuid::Uuid;

/// All that the dashboard reads from and writes to.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn DashboardStore>,
    /// Where requests are filed.
    pub desk: Arc<dyn Desk>,
    /// What the process knows by its settings.
    pub facts: Arc<Facts>,
    /// The broker's queues; `None`: no broker is set.
    pub queues: Option<Arc<dyn Queues>>,
}

/// What the process knows by its settings.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Where days of history begin.
    pub zone: Zone,
    /// So many days before its end a certificate is told of.
    pub warn_certificate_days: u32,
    /// Every setting. Secrets are left out.
    pub settings: Vec<Setting>,
}

/// A setting for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its path, such as `check.timeout`.
    pub name: String,
    /// Its value, as far as it may be shown.
    pub value: String,
    /// Where that comes from: `flag`, `default`, the variable, or the file.
    pub origin: String,
}

/// Makes requests runs.
#[async_trait]
pub trait Desk: Send + Sync + Debug {
    /// Files a request as a run, and sees to it that its jobs are published. The same request id twice is one run.
    async fn file(&self, request: Request) -> Result<Filed, CannotFile>;

    /// What a request asks of its links if nobody says otherwise: the section `check` of the settings.
    fn options(&self) -> RequestOptions;

    /// Files a run that is asked the same as this one. The same request id twice is one run.
    async fn repeat_run(&self, run: RunId, request: RequestId) -> Result<Filed, CannotFile>;

    /// Files a run of a schedule now, besides its ticks.
    async fn run_schedule(
        &self,
        schedule: &StoredSchedule,
        request: RequestId,
    ) -> Result<ScheduleRun, CannotFile>;

    /// Reads a list of links in any of the shapes that linkbeat takes. The name may say which: `friends.yml`. What is bad
    /// about it is said in this language. It is work for a thread that may block.
    fn read_list(&self, name: &str, list: Vec<u8>, lang: Lang) -> Result<GivenLinks, BadList>;

    /// Checks a link now, for whoever asks and nobody else: the steps in words, as they are taken, and at last the
    /// verdict and its rule. Nothing is stored. The check ends when nobody reads on. A desk without a worker tells
    /// nothing.
    fn explain(&self, _link: &Link, _lang: Lang) -> BoxStream<'static, String> {
        stream::empty().boxed()
    }
}

/// What became of a run of a schedule that somebody asked for.
#[derive(Debug)]
pub enum ScheduleRun {
    /// It is filed.
    Filed(Filed),
    /// This run still goes on, and the schedule forbids a second one.
    Overlap(RunId),
    /// The schedule is not there any more.
    Gone,
}

/// Why a request is no run.
#[derive(Debug, thiserror::Error)]
pub enum CannotFile {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is filed, but its jobs could not be published. A producer publishes them later.
    #[error("the broker cannot be reached: {0}")]
    Broker(String),
    /// What is stored of the request cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Why a list is not taken: a sentence for each bad row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadList(pub String);

/// What the broker knows: messages that nobody could handle, and workers. Each call asks the broker anew, which takes
/// seconds.
#[async_trait]
pub trait Queues: Send + Sync + Debug {
    /// Parked messages, the oldest first, at most `limit`.
    async fn parked(&self, limit: u32) -> Result<ParkedMessages, CannotAsk>;

    /// Puts these messages back into the queues that they came from. Returns how many were found.
    async fn requeue(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk>;

    /// Forgets these messages for good. Returns how many were found.
    async fn forget(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk>;

    /// How many messages wait in each queue.
    async fn depths(&self) -> Result<Vec<QueueDepth>, CannotAsk>;

    /// The workers that live.
    async fn workers(&self) -> Result<Vec<WorkerSeen>, CannotAsk>;
}

/// Messages that nobody could handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessages {
    /// Those that were asked for.
    pub messages: Vec<ParkedMessage>,
    /// How many there are.
    pub all: u64,
}

/// A message that nobody could handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// Its id.
    pub id: Uuid,
    /// The queue it came from, if it is known.
    pub queue: Option<String>,
    /// The run that it names, if it can be read.
    pub run: Option<RunId>,
    /// Why it was parked.
    pub cause: String,
    /// When it was parked.
    pub parked_at: Option<DateTime<Utc>>,
    /// How often its handling had failed.
    pub attempts: u32,
    /// How long its content is, in bytes.
    pub bytes: u64,
}

/// How many messages wait in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// Its name without the namespace, such as `jobs`.
    pub name: String,
    /// Messages that nobody has taken.
    pub messages: u64,
    /// It holds messages that nobody could handle.
    pub parked: bool,
}

/// A worker, as it told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSeen(pub WorkerMessage);

/// Why the broker cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotAsk(pub String);
