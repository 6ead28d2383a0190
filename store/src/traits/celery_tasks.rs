use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::{RequestId, RunId};

use crate::Result;

/// Tasks that Celery clients have sent. The run of a task is the one of its request.
#[async_trait]
pub trait CeleryTasks: Send + Sync + Debug {
    /// Keeps a task that nobody has seen yet: `None`. Gives it as it is if it is known.
    async fn take_task(&self, task: NewTask) -> Result<Option<CeleryTask>>;

    /// Changes a task that is in one of the states `from`, and has the card that the change asks for: whether it was so.
    async fn change_task(&self, id: &str, from: &[TaskState], change: TaskChange) -> Result<bool>;

    /// Claims waiting tasks whose time has come, at most `limit`. Nobody else is given them for `hold`.
    async fn due_tasks(&self, limit: u32, hold: Duration) -> Result<Vec<CeleryTask>>;

    /// Claims tasks whose result is to be told, at most `limit`: those that ended by themselves, and running ones
    /// whose run has ended. Nobody else is given them for `hold`.
    async fn ended_tasks(&self, limit: u32, hold: Duration) -> Result<Vec<CeleryTask>>;

    /// How long until the next waiting task is due; `None` if none waits.
    async fn next_task(&self) -> Result<Option<Duration>>;

    /// Those of these tasks that are known.
    async fn find_tasks(&self, ids: &[String]) -> Result<Vec<CeleryTask>>;

    /// Tasks in this state, at most `limit`, those that are due first first.
    async fn tasks_in(&self, state: TaskState, limit: u32) -> Result<Vec<CeleryTask>>;

    /// How many tasks are in this state.
    async fn count_tasks(&self, state: TaskState) -> Result<u64>;

    /// Forgets tasks in this state that did not change for so long, at most `limit`, and says how many.
    async fn forget_tasks(&self, state: TaskState, unchanged_for: Duration, limit: u32) -> Result<u64>;
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// It waits for its time.
    Waiting,
    /// It has a run, or will have one at once.
    Running,
    /// Its result is to be told.
    Ended,
    /// Its result was told.
    Answered,
    /// It was called off before anybody has seen it.
    Revoked,
}

impl TaskState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Answered => "answered",
            Self::Revoked => "revoked",
        }
    }
}

impl std::str::FromStr for TaskState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Waiting, Self::Running, Self::Ended, Self::Answered, Self::Revoked]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a task"))
    }
}

/// A task to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// The client's id of it.
    pub id: String,
    /// The request that it makes.
    pub request_id: RequestId,
    /// Where it stands.
    pub state: TaskState,
    /// JSON: what must be known of it to carry it out and to answer it.
    pub card: String,
    /// JSON: how it ended, if not as its run did.
    pub outcome: Option<String>,
    /// Nothing is done about it before then.
    pub due_in: Duration,
}

/// What is new about a task. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskChange {
    /// Only if this is its card: otherwise somebody else has changed it since it was read.
    pub if_card: Option<String>,
    /// Where it stands now.
    pub state: TaskState,
    /// JSON, as [`NewTask::card`].
    pub card: Option<String>,
    /// JSON, as [`NewTask::outcome`].
    pub outcome: Option<String>,
    /// Nothing is done about it before then.
    pub due_in: Duration,
}

impl TaskChange {
    /// It is in this state from now on, and nothing else is new.
    pub fn to(state: TaskState) -> Self {
        Self { if_card: None, state, card: None, outcome: None, due_in: Duration::ZERO }
    }
}

/// A task that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CeleryTask {
    /// The client's id of it.
    pub id: String,
    /// The request that it makes.
    pub request_id: RequestId,
    /// The run of that request, if there is one.
    pub run: Option<RunId>,
    /// Where it stands.
    pub state: TaskState,
    /// JSON, as [`NewTask::card`].
    pub card: String,
    /// JSON, as [`NewTask::outcome`].
    pub outcome: Option<String>,
    /// Nothing is done about it before then.
    pub due_at: DateTime<Utc>,
    /// When its state became what it is, by the database's clock.
    pub changed_at: DateTime<Utc>,
}
