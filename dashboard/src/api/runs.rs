//! Runs: asked for, followed, stopped and decided about.

mod item;
mod links;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use linkbeat_shared::{Decision, RunId, RunState, RunSummary};
use linkbeat_store::{Decided, Filed, ListedRun};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Named, NoBody, SentList};
use super::idempotency;
use super::paging::{Listed, page_of};
use super::problem::Problem;
use super::request::RunRequest;
use super::value::{After, Limit};
use crate::serve::App;

pub(super) use item::RunItem;
use item::StateWord;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_runs, file_run))
        .routes(routes!(get_run))
        .routes(routes!(links::list_run_links))
        .routes(routes!(repeat_run))
        .routes(routes!(cancel_run))
        .routes(routes!(apply_run))
        .routes(routes!(discard_run))
}

async fn read(app: &App, id: RunId) -> Result<RunItem, Problem> {
    let store = &app.ports.store;
    let missing = || Problem::not_found(format!("run {id}"));
    let run = store.run(id).await?.ok_or_else(missing)?;
    let summary: RunSummary = store.summary(id).await?.ok_or_else(missing)?;
    let item = RunItem::from(ListedRun { run, counts: summary.counts });
    Ok(item.seen(summary.held_back))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunsParams {
    /// Those in this state.
    #[param(inline)]
    state: Option<StateWord>,
    /// Where the page before ended: its `next`.
    #[param(value_type = Option<String>, max_length = 2000)]
    after: Option<After>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// List runs
///
/// The newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(RunsParams),
    responses((status = 200, description = "A page of runs", body = Listed<RunItem>)))]
async fn list_runs(
    State(app): State<App>,
    Asked(asked): Asked<RunsParams>,
) -> Result<Listed<RunItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let runs = app.ports.store.browse_runs(asked.state.map(RunState::from), &page).await?;
    Ok(Listed::of(runs, RunItem::from))
}

/// Ask for a run
///
/// Without `links`, `groups` and `tags` it checks all stored active links. What is not asked takes what the settings of the
/// dashboard say. With an `Idempotency-Key`, the same call again is the same run.
#[utoipa::path(post, path = "/runs", tag = "runs",
    request_body(content = RunRequest, example = json!({ "groups": ["Friends"], "timeout_ms": 5_000 })),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this call", min_length = 1, max_length = 255)),
    responses((status = 201, description = "The run is filed", body = RunItem,
        headers(("Location" = String, description = "Where it is")))))]
async fn file_run(
    State(app): State<App>,
    headers: HeaderMap,
    SentList(asked): SentList<RunRequest>,
) -> Result<Response, Problem> {
    let id = idempotency::request_id(&app, &headers, "runs", &asked).await?;
    let request = asked.read(id, &app)?;
    let filed = app.ports.desk.file(request).await?;
    created(&app, &filed).await
}

/// The answer that a run is filed.
pub(super) async fn created(app: &App, filed: &Filed) -> Result<Response, Problem> {
    let id = filed.run.id;
    let location = app.settings.base_path.join(&format!("/api/v1/runs/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(read(app, id).await?)).into_response())
}

/// Read a run
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run", body = RunItem)))]
async fn get_run(State(app): State<App>, Named(id): Named) -> Result<Json<RunItem>, Problem> {
    read(&app, RunId(id)).await.map(Json)
}

/// Repeat a run
///
/// A new run is asked the same. The stored links are those of today: a run of a group covers the links that are in it by
/// now, and a run of a list those of its links that are still stored. With an `Idempotency-Key`, the same call again is the
/// same run.
#[utoipa::path(post, path = "/runs/{id}/repeat", tag = "runs",
    params(("id" = Uuid, Path, description = "The run that is repeated"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this call", min_length = 1, max_length = 255)),
    responses((status = 201, description = "The new run is filed", body = RunItem,
        headers(("Location" = String, description = "Where it is")))))]
async fn repeat_run(
    State(app): State<App>,
    Named(id): Named,
    headers: HeaderMap,
    _: NoBody,
) -> Result<Response, Problem> {
    let run = app.ports.store.run(RunId(id)).await?;
    let run = run.ok_or_else(|| Problem::not_found(format!("run {id}")))?;
    let request = idempotency::request_id(&app, &headers, "runs/repeat", &id).await?;
    let filed = app.ports.desk.repeat_run(run.id, request).await?;
    created(&app, &filed).await
}

/// Cancel a run
///
/// Results that are still on their way are kept as history and leave their links alone.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "runs", params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run as it is now", body = RunItem)))]
async fn cancel_run(State(app): State<App>, Named(id): Named, _: NoBody) -> Result<Json<RunItem>, Problem> {
    let run = app.ports.store.cancel_run(RunId(id)).await?;
    let run = run.ok_or_else(|| Problem::not_found(format!("run {id}")))?;
    if run.state != RunState::Cancelled {
        return Err(Problem::conflict(format!("run {id} is {} and cannot be cancelled", run.state.as_str())));
    }
    read(&app, run.id).await.map(Json)
}

/// Apply a run that is held back
///
/// Its links are hidden and shown as it proposes. A recorder does that soon.
#[utoipa::path(post, path = "/runs/{id}/apply", tag = "runs", params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run as it is now", body = RunItem)))]
async fn apply_run(State(app): State<App>, Named(id): Named, _: NoBody) -> Result<Json<RunItem>, Problem> {
    decide(&app, RunId(id), Decision::Applied).await
}

/// Discard a run that is held back
///
/// Its links stay as they are.
#[utoipa::path(post, path = "/runs/{id}/discard", tag = "runs", params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run as it is now", body = RunItem)))]
async fn discard_run(State(app): State<App>, Named(id): Named, _: NoBody) -> Result<Json<RunItem>, Problem> {
    decide(&app, RunId(id), Decision::Discarded).await
}

async fn decide(app: &App, id: RunId, decision: Decision) -> Result<Json<RunItem>, Problem> {
    match app.ports.store.decide_run(id, decision).await? {
        None => Err(Problem::not_found(format!("run {id}"))),
        Some(Decided::NotHeld(state)) => {
            Err(Problem::conflict(format!("run {id} is {}: there is nothing to decide", state.as_str())))
        }
        Some(Decided::Before(before)) if before != decision => {
            Err(Problem::conflict(format!("the opposite was decided about run {id} before")))
        }
        Some(Decided::Now | Decided::Before(_)) => read(app, id).await.map(Json),
    }
}
