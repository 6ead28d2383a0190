//! What must be known of a task to answer it. It is kept in the database until the task is answered.

use chrono::{DateTime, Utc};
use linkbeat_shared::TraceContext;
use linkbeat_shared::wire::RequestMessage;
use linkbeat_store::CeleryTask;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Askers of one task, at most. Further ones are not answered.
const MOST_ASKERS: usize = 16;

/// One task, besides its id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Card {
    /// The task's name.
    pub(super) name: String,
    /// The queue that it came from.
    pub(super) queue: String,
    /// Its arguments, as people may see them.
    pub(super) args: String,
    pub(super) kwargs: String,
    /// Queues to which its result goes with the backend `rpc://`.
    pub(super) askers: Vec<String>,
    /// The AMQP user who asks for it; empty: the message does not say.
    pub(super) asker: String,
    /// The worker that took it, as Celery names workers.
    pub(super) taken_by: String,
    /// How often it was asked for.
    pub(super) asks: u64,
    /// Nobody wants its result.
    pub(super) ignore_result: bool,
    pub(super) root_id: Option<String>,
    pub(super) parent_id: Option<String>,
    pub(super) group_id: Option<String>,
    /// How often somebody has sent it again.
    pub(super) retries: i64,
    pub(super) eta: Option<DateTime<Utc>>,
    pub(super) expires: Option<DateTime<Utc>>,
    /// Tasks that follow: when it succeeds, when it fails, and the rest of its chain, of which the last one is next.
    pub(super) callbacks: Vec<Value>,
    pub(super) errbacks: Vec<Value>,
    pub(super) chain: Vec<Value>,
    /// The task that would follow a chord, of which this is a member. It never comes, so whoever waits for it is told.
    pub(super) chord: Option<String>,
    /// So many of those were sent.
    pub(super) sent: usize,
    /// The result was told, and its event.
    pub(super) told: bool,
    pub(super) counted: bool,
    /// When it came.
    pub(super) received_at: DateTime<Utc>,
    /// What it asks for, while it waits for its time.
    pub(super) request: Option<RequestMessage>,
    /// The trace of the message that brought it, while it waits.
    pub(super) trace: Option<(String, Option<String>)>,
}

impl Card {
    /// The card of a task that is kept. One that cannot be read says nothing.
    pub(super) fn of(task: &CeleryTask) -> Self {
        serde_json::from_str(&task.card).unwrap_or_else(|error| {
            tracing::error!(task.id = task.id, %error, "the card of a task cannot be read");
            Self::default()
        })
    }

    /// As it is kept.
    pub(super) fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "plain structs with string keys always serialize")]
        serde_json::to_string(self).expect("a card serializes")
    }

    /// Somebody asks once more. Whoever asks is told, also if the result was told already.
    pub(super) fn join(&mut self, askers: Vec<String>) {
        self.asks += 1;
        self.told = false;
        for asker in askers {
            if !self.askers.contains(&asker) && self.askers.len() < MOST_ASKERS {
                self.askers.push(asker);
            }
        }
    }

    pub(super) fn trace(&self) -> Option<TraceContext> {
        let (parent, state) = self.trace.as_ref()?;
        TraceContext::parse(parent, state.as_deref())
    }

    /// Whether it is out of date.
    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Utc::now())
    }
}
