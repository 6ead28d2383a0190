//! A run: one request carried out. It has a beginning, a count of links, and one end.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Lang, RequestId, RunId, TraceContext};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Some of its links have no stored result yet, and some of those are not in parked jobs.
    Running,
    /// Every link has its result.
    Finished,
    /// Every link has its result or is in a job that was parked when the run ended. Where parked jobs are put back
    /// and their results come, the run becomes finished.
    Incomplete,
    /// Every link has its result or is in a parked job, and so many links changed alike that a person is to decide.
    /// Nothing was hidden or shown.
    HeldBack,
    /// It was held back, and a person decided that its links stay as they are.
    Discarded,
    /// Somebody stopped it.
    Cancelled,
}

impl RunState {
    /// The word used in tables and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Incomplete => "incomplete",
            Self::HeldBack => "held_back",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for RunState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Running, Self::Finished, Self::Incomplete, Self::HeldBack, Self::Discarded, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state of a run"))
    }
}

/// A stored run, as far as people and roles follow it. How its links are checked and judged stands in its jobs and in
/// the database, and is not read again with every look at it.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The request it carries out.
    pub request_id: RequestId,
    /// Where it stands.
    pub state: RunState,
    /// How many links it covers: those to check and those on the white list.
    pub links: u64,
    /// How many of them have a stored result.
    pub done: u64,
    /// How many of them lack one because their job is parked; 0 when the run was cancelled.
    pub missing: u64,
    /// Where the report is to be sent when the run ends. There may be more who asked for it: [`Asker`].
    pub reply_to: Option<ReplyTo>,
    /// The trace of the request. Every message of the run carries it.
    pub trace: Option<TraceContext>,
    /// When it was filed.
    pub created_at: DateTime<Utc>,
    /// When its last result was stored, or it was found incomplete or cancelled; `None` while it runs.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Where an answer goes, in AMQP terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// The queue, on the default exchange.
    pub queue: String,
    /// Given back with the answer.
    pub correlation_id: Option<String>,
}

/// Who is told how a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Where the report goes.
    pub reply_to: ReplyTo,
    /// The language of its texts.
    pub lang: Lang,
}
