//! Schedules: requests that are made again and again.

mod item;
mod said;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use linkbeat_shared::schedule::{ScheduleName, ScheduleSpec, stored_request};
use linkbeat_shared::{RequestId, ScheduleId};
use linkbeat_store::{
    CannotPause, NewSchedule, ScheduleChange, ScheduleDecision, ScheduleSet, ScheduleState, StoredSchedule,
    set_schedule,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Called, NoBody, SentList};
use super::etag::Expected;
use super::idempotency;
use super::paging::Listed;
use super::pause;
use super::problem::Problem;
use super::runs::created;
use super::value::{Limit, Line, Time};
use crate::ports::ScheduleRun;
use crate::serve::App;

use item::{ScheduleItem, TickItem};
use said::ScheduleSaid;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_schedules, add_schedule))
        .routes(routes!(get_schedule, change_schedule, remove_schedule))
        .routes(routes!(pause_schedule))
        .routes(routes!(resume_schedule))
        .routes(routes!(run_schedule_now))
        .routes(routes!(list_ticks))
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

async fn find(app: &App, name: &str) -> Result<StoredSchedule, Problem> {
    let found = app.ports.store.find_schedule(name.trim()).await?;
    found.ok_or_else(|| Problem::not_found(format!("schedule {name}")))
}

fn spec_of(schedule: &StoredSchedule) -> Result<&ScheduleSpec, Problem> {
    schedule.spec.as_ref().map_err(|_| unreadable())
}

fn unreadable() -> Problem {
    Problem::conflict("another linkbeat wrote this schedule, and this one cannot read it")
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
            false => changed_meanwhile(),
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
    change(&app, &name, |schedule, _| schedule.pause(until)).await
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
    change(&app, &name, StoredSchedule::resume).await
}

/// Changes a schedule by what it is now.
async fn change(
    app: &App,
    name: &str,
    decide: impl Fn(&StoredSchedule, DateTime<Utc>) -> ScheduleDecision<CannotPause> + Send + Sync,
) -> Result<Json<ScheduleItem>, Problem> {
    let decide = |schedule: &StoredSchedule, now| decide(schedule, now).map_err(|error| cannot(name, &error));
    match set_schedule(&*app.ports.store, name, decide).await? {
        ScheduleSet::Set => find(app, name).await.map(|schedule| Json(ScheduleItem::new(schedule))),
        ScheduleSet::Gone => Err(Problem::not_found(format!("schedule {name}"))),
        ScheduleSet::Another => Err(changed_meanwhile()),
    }
}

fn cannot(name: &str, error: &CannotPause) -> Problem {
    match error {
        CannotPause::Ended => Problem::conflict(format!("schedule {name} has ended: it has no more ticks")),
        CannotPause::Unreadable(_) => unreadable(),
    }
}

fn changed_meanwhile() -> Problem {
    Problem::conflict("somebody else changed the schedule at this moment; try again")
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
