use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LinkItem, Message, ReportData, schema_of};
use crate::{Lang, LinkReport, RequestId, RunId, RunState, RunSummary};

/// Routing key of the event that a run was filed.
pub const RUN_STARTED: &str = "run.started";
/// Routing key of the event that more links of a run have a result.
pub const RUN_PROGRESS: &str = "run.progress";
/// Routing key of the event that a run came to its end.
pub const RUN_FINISHED: &str = "run.finished";
/// Routing key of the event that a run ended while links of it are in parked jobs.
pub const RUN_INCOMPLETE: &str = "run.incomplete";
/// Routing key of the event that a run was held back: a person is to decide.
pub const RUN_HELD_BACK: &str = "run.held_back";
/// Routing key of the event that a person discarded a run that was held back.
pub const RUN_DISCARDED: &str = "run.discarded";
/// Routing key of the event that somebody stopped a run.
pub const RUN_CANCELLED: &str = "run.cancelled";
/// Routing key of the event that a shown link was hidden.
pub const LINK_HIDDEN: &str = "link.hidden";
/// Routing key of the event that a hidden link was shown.
pub const LINK_SHOWN: &str = "link.shown";

/// `linkbeat.event/1`, on the topic exchange `linkbeat.events`, the routing key being `event`.
/// An event may come twice; its AMQP `message_id` is the same then.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventMessage {
    /// `linkbeat.event/1`
    pub schema: String,
    /// `run.started`, `run.progress`, `run.finished`, `run.incomplete`, `run.held_back`, `run.discarded`, `run.cancelled`, `link.hidden`
    /// or `link.shown`.
    pub event: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The run in which it happened.
    pub run_id: Uuid,
    /// The request that the run carries out.
    #[serde(default)]
    pub request_id: Option<Uuid>,
    /// The link, for `link.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkItem>,
    /// The report without its links, for `run.progress` and the end of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportData>,
}

impl Message for EventMessage {
    const SCHEMA: &'static str = "linkbeat.event";
    const MAX_BYTES: usize = 1 << 20;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl EventMessage {
    /// A run was filed.
    pub fn run_started(run_id: RunId, request_id: RequestId, at: DateTime<Utc>) -> Self {
        Self {
            schema: schema_of::<Self>(),
            event: RUN_STARTED.into(),
            at,
            run_id: run_id.0,
            request_id: Some(request_id.0),
            link: None,
            report: None,
        }
    }

    /// A run came to its end, of whatever kind; `None` while it goes on.
    pub fn run_ended(run: &RunSummary) -> Option<Self> {
        let event = match run.state {
            RunState::Running => return None,
            RunState::Finished => RUN_FINISHED,
            RunState::Incomplete => RUN_INCOMPLETE,
            RunState::HeldBack => RUN_HELD_BACK,
            RunState::Discarded => RUN_DISCARDED,
            RunState::Cancelled => RUN_CANCELLED,
        };
        let at = run.finished_at.unwrap_or(run.created_at);
        Some(Self::of_run(event, run, at))
    }

    /// How far a run has come.
    pub fn run_progress(run: &RunSummary, at: DateTime<Utc>) -> Self {
        Self::of_run(RUN_PROGRESS, run, at)
    }

    fn of_run(event: &str, run: &RunSummary, at: DateTime<Utc>) -> Self {
        let report = Some(ReportData::without_links(run));
        Self { report, event: event.into(), ..Self::run_started(run.run_id, run.request_id, at) }
    }

    /// A link was hidden or shown; `event` is [`LINK_HIDDEN`] or [`LINK_SHOWN`].
    pub fn link_changed(
        event: &str,
        run_id: RunId,
        request_id: RequestId,
        link: &LinkReport,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            link: Some(LinkItem::of(link, Lang::En)),
            event: event.to_owned(),
            ..Self::run_started(run_id, request_id, at)
        }
    }
}
