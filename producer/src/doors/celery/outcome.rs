//! How a task stands, as Celery's backends tell it.

use chrono::{DateTime, SecondsFormat, Utc};
use linkbeat_shared::wire::ReportMessage;
use linkbeat_shared::{Lang, Report, RunState};
use linkbeat_store::{CeleryStore, CeleryTask, ReportLinks, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::card::Card;
use super::failure::{Failure, Kind};

/// Most links that are listed in a result.
const MOST_LINKS: u32 = 1_000;

/// The states that callers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Started,
    Success,
    Failure,
    Revoked,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Revoked => "REVOKED",
        }
    }
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) result: Value,
}

impl Outcome {
    /// It ended without a run.
    pub(super) fn failed(failure: &Failure) -> Self {
        let status = if failure.is_revoked() { Status::Revoked } else { Status::Failure };
        Self { status, result: failure.to_json() }
    }

    /// It was called off.
    pub(super) fn revoked() -> Self {
        Self::failed(&Failure::new(Kind::Revoked, "revoked"))
    }

    /// It was not begun before it was out of date.
    pub(super) fn expired() -> Self {
        Self::failed(&Failure::new(Kind::Revoked, "expired"))
    }

    /// How a task that is kept has ended. `None`: its run goes on, as when a parked job of it was put back.
    pub(super) async fn of(task: &CeleryTask, store: &dyn CeleryStore) -> Result<Option<Self>, StoreError> {
        if let Some(outcome) = &task.outcome {
            return Ok(Some(serde_json::from_str(outcome).unwrap_or_else(|_| Self::lost())));
        }
        let Some(run) = task.run else { return Ok(Some(Self::lost())) };
        let Some(summary) = store.summary(run).await? else { return Ok(Some(Self::lost())) };
        match summary.state {
            RunState::Running => return Ok(None),
            RunState::Cancelled => return Ok(Some(Self::revoked())),
            _ => {}
        }
        let links = match summary.counts.all_as_before() {
            true => Vec::new(),
            false => store.report_links(run, ReportLinks::ChangedOrFailed, None, MOST_LINKS).await?,
        };
        let report = ReportMessage::of(&Report::new(summary, links), Lang::En);
        #[expect(clippy::expect_used, reason = "plain structs with string keys always serialize")]
        let result = serde_json::to_value(&report).expect("a report serializes");
        Ok(Some(Self { status: Status::Success, result }))
    }

    fn lost() -> Self {
        Self::failed(&Failure::new(Kind::Runtime, "linkbeat no longer has the run of this task"))
    }

    /// As it is kept.
    pub(super) fn to_json(&self) -> String {
        json!({ "status": self.status, "result": self.result }).to_string()
    }

    /// What an exception says; empty where it succeeded.
    pub(super) fn exception(&self) -> String {
        let (kind, message) = (&self.result["exc_type"], &self.result["exc_message"][0]);
        format!("{}({})", kind.as_str().unwrap_or_default(), super::repr::of(message))
    }
}

/// How a task stands, for those who ask.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) card: &'a Card,
    pub(super) outcome: &'a Outcome,
    /// When it ended.
    pub(super) done_at: Option<DateTime<Utc>>,
}

impl Told<'_> {
    /// The document that `rpc://` and `redis://` carry.
    pub(super) fn to_json(&self) -> Value {
        let Self { id, card, outcome, done_at, .. } = self;
        let done_at = done_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, false));
        let mut document = json!({
            "task_id": id, "status": outcome.status, "result": outcome.result, "traceback": null, "children": [],
            "date_done": done_at,
        });
        if let Value::Object(fields) = &mut document {
            insert_if_some(fields, "group_id", card.group_id.as_deref());
            insert_if_some(fields, "parent_id", card.parent_id.as_deref());
        }
        document
    }
}

fn insert_if_some(fields: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), json!(value));
    }
}
