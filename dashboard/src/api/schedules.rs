//! Schedules: requests that are made again and again.

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SubsecRound, Utc};
use linkbeat_shared::schedule::{ScheduleName, ScheduleSpec, Timing, read_request, stored_request};
use linkbeat_shared::wire::RequestMessage;
use linkbeat_shared::{Lang, RequestId, ScheduleId};
use linkbeat_store::{NewSchedule, ScheduleChange, ScheduleState, StoredSchedule, Tick};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::{Asked, Called, NoBody, SentList};
use super::etag::Expected;
use super::idempotency;
use super::paging::Listed;
use super::pause;
use super::problem::Problem;
use super::request::RunRequest;
use super::runs::created;
use super::value::{Limit, Line, Time, given, said};
use crate::ports::ScheduleRun;
use crate::serve::App;

/// How often a change is tried that somebody else came before: a producer may just settle a tick.
const TRIES: u32 = 5;
/// So many ticks that come next are told of.
const UPCOMING: usize = 5;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_schedules, add_schedule))
        .routes(routes!(get_schedule, change_schedule, remove_schedule))
        .routes(routes!(pause_schedule))
        .routes(routes!(resume_schedule))
        .routes(routes!(run_schedule_now))
        .routes(routes!(list_ticks))
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Schedule")]
struct ScheduleItem {
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
    fn new(schedule: StoredSchedule) -> Self {
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SchedulesParams {
    /// The name with which the page before ended.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    after: Option<Line<100>>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// List schedules
///
/// In the order of their names.
#[utoipa::path(get, path = "/schedules", tag = "schedules", params(SchedulesParams),
    responses((status = 200, description = "A page of schedules", body = Listed<ScheduleItem>)))]
async fn list_schedules(
    State(app): State<App>,
    Asked(asked): Asked<SchedulesParams>,
) -> Result<Listed<ScheduleItem>, Problem> {
    let limit = asked.limit.unwrap_or_default().0;
    let after = asked.after.as_ref().map(Line::as_str);
    let mut found = app.ports.store.schedules(after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.name.clone());
    Ok(Listed { next, ..Listed::whole(found.into_iter().map(ScheduleItem::new).collect()) })
}

/// A schedule to be added, or what is changed about one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleSaid {
    /// What people call it. It cannot be changed.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Option<Line<100>>,
    /// When it ticks, by the clock on the wall: a pattern of cron, such as `0 3 * * *`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    cron: Option<Line<200>>,
    /// Or in even steps: so many milliseconds.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = u64, minimum = 1, maximum = 31_536_000_000_u64)]
    interval_ms: Option<u64>,
    /// The moment from which these steps are counted. Usual: now.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, format = DateTime)]
    anchor: Option<Time>,
    /// Or once, at this moment.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, format = DateTime)]
    at: Option<Time>,
    /// Where a pattern is read, such as `Europe/Berlin`. Usual: `UTC`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    time_zone: Option<Line<100>>,
    /// What a tick does if an earlier run goes on. Usual: `forbid`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = OverlapWord)]
    overlap: Option<OverlapWord>,
    /// What becomes of ticks that nobody could begin in time. Usual: `once`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = MissedWord)]
    missed: Option<MissedWord>,
    /// How late a tick may begin. Null: as `missed` has it.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 604_800_000)]
    deadline_ms: Option<Option<u64>>,
    /// Ticks begin up to so much later than they are due. Null: they do not.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 86_400_000)]
    jitter_ms: Option<Option<u64>>,
    /// What is asked for. Usual: all stored active links are checked as the settings say.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = RunRequest)]
    request: Option<RunRequest>,
}

/// What a tick does if an earlier run goes on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OverlapWord {
    /// It is skipped.
    Forbid,
    /// Both runs go on.
    Allow,
    /// The older run is cancelled.
    Replace,
}

/// What becomes of ticks that nobody could begin in time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MissedWord {
    /// They are skipped.
    Skip,
    /// The latest of them begins late, once.
    Once,
}

impl ScheduleSaid {
    /// When a schedule ticks that was as `was` says.
    fn spec(&self, was: Option<&ScheduleSpec>, now: DateTime<Utc>) -> Result<ScheduleSpec, Problem> {
        let mut spec = was.map_or_else(
            || json!({ "time_zone": "UTC" }),
            |was| serde_json::to_value(was).unwrap_or_default(),
        );
        match (&self.cron, self.interval_ms, self.at) {
            (None, None, None) if was.is_some() && self.anchor.is_none() => {}
            (None, None, None) => {
                return Err(Problem::invalid("say when it ticks: by `cron`, `interval_ms` or `at`"));
            }
            (Some(cron), None, None) if self.anchor.is_none() => set(&mut spec, "cron", json!(cron.as_str())),
            (None, Some(interval), None) => {
                let anchor = self.anchor.map_or_else(|| now.trunc_subsecs(0), |anchor| anchor.0);
                set(&mut spec, "every", json!({ "interval_ms": interval, "anchor": anchor }));
            }
            (None, None, Some(at)) if self.anchor.is_none() => set(&mut spec, "at", json!(at.0)),
            _ => {
                return Err(Problem::invalid(
                    "say one of `cron`, `interval_ms` and `at`; `anchor` goes with `interval_ms`",
                ));
            }
        }
        let words = [
            ("time_zone", self.time_zone.as_ref().map(|zone| json!(zone.as_str()))),
            ("overlap", self.overlap.map(|word| json!(word))),
            ("missed", self.missed.map(|word| json!(word))),
            ("deadline_ms", self.deadline_ms.map(|deadline| json!(deadline))),
            ("jitter_ms", self.jitter_ms.map(|jitter| json!(jitter))),
        ];
        for (member, value) in words {
            if let Some(value) = value {
                spec[member] = value;
            }
        }
        serde_json::from_value(spec).map_err(Problem::invalid)
    }
}

/// Sets one of the three ways in which a schedule ticks.
fn set(spec: &mut Value, way: &str, value: Value) {
    if let Some(members) = spec.as_object_mut() {
        members.retain(|name, _| !["cron", "every", "at"].contains(&name.as_str()));
        members.insert(way.to_owned(), value);
    }
}

async fn find(app: &App, name: &str) -> Result<StoredSchedule, Problem> {
    let found = app.ports.store.find_schedule(name.trim()).await?;
    found.ok_or_else(|| Problem::not_found(format!("schedule {name}")))
}

fn spec_of(schedule: &StoredSchedule) -> Result<&ScheduleSpec, Problem> {
    schedule
        .spec
        .as_ref()
        .map_err(|_| Problem::conflict("another linkbeat wrote this schedule, and this one cannot read it"))
}

/// Add a schedule
#[utoipa::path(post, path = "/schedules", tag = "schedules",
    request_body(content = ScheduleSaid, example = json!({ "name": "every night", "cron": "0 3 * * *", "time_zone": "Europe/Berlin" })),
    responses((status = 201, description = "The schedule is added", body = ScheduleItem,
        headers(("Location" = String, description = "Where it is")))))]
async fn add_schedule(
    State(app): State<App>,
    SentList(said): SentList<ScheduleSaid>,
) -> Result<Response, Problem> {
    let store = &app.ports.store;
    let name = said.name.as_ref().ok_or_else(|| Problem::invalid_at("/name", "it is missing"))?;
    let name: ScheduleName = name.as_str().parse().map_err(|error| Problem::invalid_at("/name", error))?;
    let now = store.clock().await?;
    let spec = said.spec(None, now)?;
    let id = ScheduleId::new();
    let next = spec
        .next_after(id, now)
        .ok_or_else(|| Problem::invalid("it never ticks: its time lies in the past"))?;
    let request = said.request.unwrap_or_default().read(RequestId::new(), &app)?;
    let request = stored_request(&request).map_err(Problem::invalid)?;
    let called = name.to_string();
    if !store.add_schedule(NewSchedule { id, name, spec, request, next }).await? {
        return Err(Problem::conflict(format!("there is a schedule {called} already")));
    }
    let item = ScheduleItem::new(find(&app, &called).await?);
    let location = app.settings.base_path.join(&format!("/api/v1/schedules/{}", in_path(&called)));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(item)).into_response())
}

/// A name as part of a path.
fn in_path(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(encode).collect()
}

/// Read a schedule
#[utoipa::path(get, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100)),
    responses((status = 200, description = "The schedule", body = ScheduleItem)))]
async fn get_schedule(State(app): State<App>, Called(name): Called) -> Result<Json<ScheduleItem>, Problem> {
    find(&app, &name).await.map(|schedule| Json(ScheduleItem::new(schedule)))
}

/// Change a schedule
///
/// A JSON merge patch (RFC 7396): what it does not name stays as it is. A `request` takes the place of the whole one before.
#[utoipa::path(patch, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100),
        ("If-Match" = Option<String>, Header, description = "The ETag of the schedule as it was read")),
    request_body(content(
        (ScheduleSaid = "application/merge-patch+json", example = json!({ "overlap": "allow", "jitter_ms": 60_000 })),
        (ScheduleSaid = "application/json"))),
    responses((status = 200, description = "The schedule as it is now", body = ScheduleItem)))]
async fn change_schedule(
    State(app): State<App>,
    Called(name): Called,
    headers: HeaderMap,
    SentList(said): SentList<ScheduleSaid>,
) -> Result<Json<ScheduleItem>, Problem> {
    let schedule = find(&app, &name).await?;
    if said.name.is_some() {
        return Err(Problem::invalid_at("/name", "the name of a schedule stays; add another schedule"));
    }
    let now = app.ports.store.clock().await?;
    let was = spec_of(&schedule)?;
    let spec = said.spec(Some(was), now)?;
    let moved = spec.timing != was.timing || spec.time_zone != was.time_zone;
    let next = match schedule.next.filter(|_| !moved) {
        Some(next) => Some(spec.tick(schedule.id, next.due)),
        None if moved => Some(
            spec.next_after(schedule.id, now)
                .ok_or_else(|| Problem::invalid("it never ticks: its time lies in the past"))?,
        ),
        None => None,
    };
    let state = match schedule.state {
        ScheduleState::Ended if next.is_some() => ScheduleState::Active,
        state => state,
    };
    let request = said.request.map(|request| request.read(RequestId::new(), &app)).transpose()?;
    let request = request.as_ref().map(stored_request).transpose().map_err(Problem::invalid)?;
    let paused_until = schedule.paused_until.filter(|_| state == ScheduleState::Paused);
    let change = ScheduleChange { spec: Some(spec), request, state, next, paused: 0, paused_until };
    // Last: what is refused anyway does not depend on it (RFC 9110 §13.2.1).
    let expected = Expected::of(&headers);
    if !expected.is(&ScheduleItem::new(schedule.clone())) {
        return Err(Problem::changed());
    }
    // The store changes it only if it is still what was read here.
    if !app.ports.store.change_schedule(&schedule, change).await? {
        return Err(match expected.is_said() {
            true => Problem::changed(),
            false => Problem::conflict("somebody else changed the schedule at this moment; try again"),
        });
    }
    find(&app, &name).await.map(|schedule| Json(ScheduleItem::new(schedule)))
}

/// Remove a schedule
///
/// Its runs stay.
#[utoipa::path(delete, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100)),
    responses((status = 204, description = "It is removed")))]
async fn remove_schedule(State(app): State<App>, Called(name): Called) -> Result<StatusCode, Problem> {
    let schedule = find(&app, &name).await?;
    app.ports.store.remove_schedule(schedule.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PauseParams {
    /// When it goes on by itself. Usual: when somebody resumes it.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
}

/// Pause a schedule
///
/// Its ticks are skipped and counted. With `until`, a producer lets it go on then.
#[utoipa::path(post, path = "/schedules/{name}/pause", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100), PauseParams),
    responses((status = 200, description = "The schedule as it is now", body = ScheduleItem)))]
async fn pause_schedule(
    State(app): State<App>,
    Called(name): Called,
    Asked(asked): Asked<PauseParams>,
    _: NoBody,
) -> Result<Json<ScheduleItem>, Problem> {
    let until = pause::end_of(&app, "/until", asked.until).await?;
    change(&app, &name, |schedule, _| match schedule.state {
        ScheduleState::Paused if schedule.paused_until == until => Ok(None),
        ScheduleState::Active | ScheduleState::Paused => Ok(Some(schedule.pauses(until))),
        ScheduleState::Ended => Err(has_ended(&schedule.name)),
    })
    .await
}

/// Let a paused schedule go on
///
/// With its next tick.
#[utoipa::path(post, path = "/schedules/{name}/resume", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100)),
    responses((status = 200, description = "The schedule as it is now", body = ScheduleItem)))]
async fn resume_schedule(
    State(app): State<App>,
    Called(name): Called,
    _: NoBody,
) -> Result<Json<ScheduleItem>, Problem> {
    change(&app, &name, |schedule, now| match schedule.state {
        ScheduleState::Active => Ok(None),
        ScheduleState::Ended => Err(has_ended(&schedule.name)),
        ScheduleState::Paused => Ok(Some(schedule.resumes(spec_of(schedule)?, now))),
    })
    .await
}

fn has_ended(name: &str) -> Problem {
    Problem::conflict(format!("schedule {name} has ended: it has no more ticks"))
}

/// Changes a schedule by what it is now. `None`: it is as it should be.
async fn change(
    app: &App,
    name: &str,
    decide: impl Fn(&StoredSchedule, DateTime<Utc>) -> Result<Option<ScheduleChange>, Problem> + Send + Sync,
) -> Result<Json<ScheduleItem>, Problem> {
    for _ in 0..TRIES {
        let schedule = find(app, name).await?;
        let now = app.ports.store.clock().await?;
        let Some(change) = decide(&schedule, now)? else { return Ok(Json(ScheduleItem::new(schedule))) };
        if app.ports.store.change_schedule(&schedule, change).await? {
            return find(app, name).await.map(|schedule| Json(ScheduleItem::new(schedule)));
        }
    }
    Err(Problem::conflict("somebody else changed the schedule at this moment; try again"))
}

/// Run a schedule now
///
/// Besides its ticks. With an `Idempotency-Key`, the same call again is the same run.
#[utoipa::path(post, path = "/schedules/{name}/run-now", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this call", min_length = 1, max_length = 255)),
    responses((status = 201, description = "The run is filed", body = super::runs::RunItem)))]
async fn run_schedule_now(
    State(app): State<App>,
    Called(name): Called,
    headers: HeaderMap,
    _: NoBody,
) -> Result<Response, Problem> {
    let schedule = find(&app, &name).await?;
    let request = idempotency::request_id(&app, &headers, "schedules/run-now", &schedule.id).await?;
    match app.ports.desk.run_schedule(&schedule, request).await? {
        ScheduleRun::Filed(filed) => created(&app, &filed).await,
        ScheduleRun::Overlap(run) => Err(Problem::conflict(format!(
            "run {run} of this schedule still goes on, and it forbids a second one"
        ))),
        ScheduleRun::Gone => Err(Problem::not_found(format!("schedule {name}"))),
    }
}

/// A tick that was settled.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Tick")]
struct TickItem {
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TicksParams {
    /// How many.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// List the latest ticks of a schedule
///
/// The latest first.
#[utoipa::path(get, path = "/schedules/{name}/ticks", tag = "schedules",
    params(("name" = String, Path, description = "The schedule", min_length = 1, max_length = 100), TicksParams),
    responses((status = 200, description = "The ticks", body = Listed<TickItem>)))]
async fn list_ticks(
    State(app): State<App>,
    Called(name): Called,
    Asked(asked): Asked<TicksParams>,
) -> Result<Listed<TickItem>, Problem> {
    let schedule = find(&app, &name).await?;
    let ticks = app.ports.store.ticks(schedule.id, asked.limit.unwrap_or_default().0).await?;
    Ok(Listed::whole(ticks.into_iter().map(TickItem::from).collect()))
}
