//! Schedules and their ticks, as the API tells them.

use chrono::{DateTime, Utc};
use linkbeat_shared::schedule::{Timing, read_request};
use linkbeat_shared::wire::RequestMessage;
use linkbeat_shared::{Lang, RequestId};
use linkbeat_store::{ScheduleState, StoredSchedule, Tick};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// So many ticks that come next are told of.
const UPCOMING: usize = 5;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Schedule")]
pub(super) struct ScheduleItem {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// Where it stands.
    state: ScheduleWord,
    /// When its pause ends; null: it is not paused, or without an end.
    paused_until: Option<DateTime<Utc>>,
    /// When it ticks, in words. Null: another linkbeat wrote it, and this one cannot read it.
    words: Option<String>,
    /// By the clock on the wall: a pattern of cron.
    cron: Option<String>,
    /// Or in even steps of so many milliseconds.
    interval_ms: Option<u64>,
    /// The moment from which these steps are counted.
    anchor: Option<DateTime<Utc>>,
    /// Or once, at this moment.
    at: Option<DateTime<Utc>>,
    /// Where a pattern is read.
    time_zone: Option<String>,
    /// What a tick does if an earlier run goes on: `forbid`, `allow` or `replace`.
    overlap: Option<String>,
    /// What becomes of ticks that nobody could begin in time: `once` or `skip`.
    missed: Option<String>,
    /// How late a tick may begin. Null: as `missed` has it.
    deadline_ms: Option<u64>,
    /// Ticks begin up to so much later than they are due. Null: they do not.
    jitter_ms: Option<u64>,
    /// What it asks for.
    #[schema(value_type = Object)]
    request: Value,
    /// Its next ticks.
    upcoming: Vec<DateTime<Utc>>,
    /// Its last tick.
    last_due_at: Option<DateTime<Utc>>,
    /// Ticks that became runs.
    fired: u64,
    /// Runs that a person began.
    by_hand: u64,
    /// Ticks that were skipped because an earlier run went on.
    skipped_overlap: u64,
    /// Ticks that were skipped because nobody could begin them in time.
    skipped_missed: u64,
    /// Ticks that were skipped because it was paused.
    skipped_paused: u64,
    /// Ticks whose run could not be filed.
    failed: u64,
    /// When it was added.
    created_at: DateTime<Utc>,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ScheduleWord {
    /// It ticks.
    Active,
    /// A person stopped it for now.
    Paused,
    /// It has no more ticks.
    Ended,
}

impl From<ScheduleState> for ScheduleWord {
    fn from(state: ScheduleState) -> Self {
        match state {
            ScheduleState::Active => Self::Active,
            ScheduleState::Paused => Self::Paused,
            ScheduleState::Ended => Self::Ended,
        }
    }
}

impl ScheduleItem {
    pub(super) fn new(schedule: StoredSchedule) -> Self {
        let spec = schedule.spec.ok();
        let timing = spec.as_ref().map(|spec| &spec.timing);
        let (cron, every, at) = match timing {
            Some(Timing::Cron(pattern)) => (Some(pattern.as_str().to_owned()), None, None),
            Some(Timing::Every { interval, anchor }) => (None, Some((interval.as_millis(), *anchor)), None),
            Some(Timing::At(at)) => (None, None, Some(*at)),
            None => (None, None, None),
        };
        let next = schedule.next.filter(|_| schedule.state == ScheduleState::Active);
        let upcoming = match (&spec, next) {
            (Some(spec), Some(next)) => {
                let later = spec.upcoming(schedule.id, next.due, UPCOMING - 1);
                std::iter::once(next).chain(later).map(|tick| tick.due).collect()
            }
            _ => Vec::new(),
        };
        Self {
            id: schedule.id.0,
            name: schedule.name,
            state: schedule.state.into(),
            paused_until: schedule.paused_until,
            words: spec.as_ref().map(|spec| spec.timing.words(spec.time_zone, Lang::En)),
            cron,
            interval_ms: every.map(|(interval, _)| interval),
            anchor: every.map(|(_, anchor)| anchor),
            at,
            time_zone: spec.as_ref().map(|spec| spec.time_zone.to_string()),
            overlap: spec.as_ref().map(|spec| spec.overlap.as_str().to_owned()),
            missed: spec.as_ref().map(|spec| spec.missed.as_str().to_owned()),
            deadline_ms: spec.as_ref().and_then(|spec| Some(spec.deadline?.as_millis())),
            jitter_ms: spec.as_ref().and_then(|spec| Some(spec.jitter?.as_millis())),
            request: asked_for(&schedule.request),
            upcoming,
            last_due_at: schedule.last_due,
            fired: schedule.counts.fired,
            by_hand: schedule.counts.by_hand,
            skipped_overlap: schedule.counts.overlap,
            skipped_missed: schedule.counts.missed,
            skipped_paused: schedule.counts.paused,
            failed: schedule.counts.failed,
            created_at: schedule.created_at,
        }
    }
}

/// What the stored request asks for. User names and passwords in URLs are left out.
fn asked_for(stored: &str) -> Value {
    let Ok(request) = read_request(stored, RequestId::new()) else { return json!({}) };
    let mut message = serde_json::to_value(RequestMessage::from(&request)).unwrap_or_default();
    if let Some(members) = message.as_object_mut() {
        members.remove("schema");
        members.remove("request_id");
        for link in members.get_mut("links").and_then(Value::as_array_mut).into_iter().flatten() {
            for url in ["url", "page_url"] {
                let public = link[url].as_str().and_then(|url| url.parse::<linkbeat_shared::LinkUrl>().ok());
                if let Some(public) = public {
                    link[url] = public.key().into();
                }
            }
        }
    }
    message
}

/// A tick that was settled.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Tick")]
pub(super) struct TickItem {
    /// When it was due.
    due_at: DateTime<Utc>,
    /// What became of it: `fired`, `by_hand`, `overlap`, `missed` or `failed`.
    outcome: String,
    /// So many ticks up to this one came to the same.
    ticks: u64,
    /// Its run.
    run_id: Option<Uuid>,
    /// When that was decided.
    settled_at: DateTime<Utc>,
}

impl From<Tick> for TickItem {
    fn from(tick: Tick) -> Self {
        Self {
            due_at: tick.due,
            outcome: tick.outcome.as_str().to_owned(),
            ticks: tick.ticks,
            run_id: tick.run.map(|run| run.0),
            settled_at: tick.settled_at,
        }
    }
}
