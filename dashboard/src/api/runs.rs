//! Runs: asked for, followed, stopped and decided about.

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use linkbeat_shared::{Counts, Decision, HeldBack, RunId, RunState, RunSummary};
use linkbeat_store::{Decided, Filed, ListedRun, ReportLinks, RunLinkSort};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::{Asked, Named, NoBody, SentList};
use super::check_item::RunLinkItem;
use super::idempotency;
use super::paging::{Listed, page_of};
use super::problem::Problem;
use super::request::RunRequest;
use super::value::{After, Limit, VerdictWord};
use crate::serve::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_runs, file_run))
        .routes(routes!(get_run))
        .routes(routes!(list_run_links))
        .routes(routes!(repeat_run))
        .routes(routes!(cancel_run))
        .routes(routes!(apply_run))
        .routes(routes!(discard_run))
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Run")]
pub(super) struct RunItem {
    /// Its id.
    id: Uuid,
    /// The request that it carries out.
    request_id: Uuid,
    /// Where it stands.
    state: StateWord,
    /// How many links it covers.
    links: u64,
    /// How many of them have a result.
    done: u64,
    /// How many lack a result because their job is parked.
    missing: u64,
    /// When it was filed.
    created_at: DateTime<Utc>,
    /// When it ended; null while it goes on.
    finished_at: Option<DateTime<Utc>>,
    /// What its checks came to.
    #[serde(flatten)]
    counts: CountsItem,
    /// What was seen, if it was held back. Only in the answer about this one run.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<HeldBackItem>,
}

/// What the checks of a run came to.
#[derive(Debug, Serialize, ToSchema)]
struct CountsItem {
    /// Links that were to be checked.
    active: u64,
    /// Links with a verdict.
    checked: u64,
    /// Links that are up.
    up: u64,
    /// Links that are down.
    down: u64,
    /// Links that lack the backlink.
    no_backlink: u64,
    /// Links that a wall or a rate limit answered for.
    blocked: u64,
    /// Links that linkbeat would not fetch.
    refused: u64,
    /// Links taken as good without a look.
    white_listed: u64,
    /// Links whose latest result still counted, so that they were not fetched again.
    reused: u64,
    /// Links that were shown and are hidden now.
    to_not_show: u64,
    /// Links that were hidden and are shown now.
    to_show: u64,
    /// Shown links that are to be hidden, once that is decided.
    would_hide: u64,
    /// Hidden links that are to be shown, once that is decided.
    would_show: u64,
}

/// Why a run was held back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Held back")]
struct HeldBackItem {
    /// Links of the run that had been checked before.
    known: u64,
    /// What a person decided; null: nobody has decided yet.
    decision: Option<&'static str>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    /// Some links have no result yet.
    Running,
    /// Every link has its result.
    Finished,
    /// Every link has its result or is in a parked job.
    Incomplete,
    /// Most links changed alike, and a person is to decide.
    HeldBack,
    /// A person decided that its links stay as they are.
    Discarded,
    /// A person stopped it.
    Cancelled,
}

impl From<RunState> for StateWord {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Running => Self::Running,
            RunState::Finished => Self::Finished,
            RunState::Incomplete => Self::Incomplete,
            RunState::HeldBack => Self::HeldBack,
            RunState::Discarded => Self::Discarded,
            RunState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<StateWord> for RunState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Running => Self::Running,
            StateWord::Finished => Self::Finished,
            StateWord::Incomplete => Self::Incomplete,
            StateWord::HeldBack => Self::HeldBack,
            StateWord::Discarded => Self::Discarded,
            StateWord::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Counts> for CountsItem {
    fn from(counts: Counts) -> Self {
        let Counts {
            active,
            checked,
            up,
            down,
            no_backlink,
            blocked,
            refused,
            white_listed,
            reused,
            to_not_show,
            to_show,
            would_hide,
            would_show,
        } = counts;
        Self {
            active,
            checked,
            up,
            down,
            no_backlink,
            blocked,
            refused,
            white_listed,
            reused,
            to_not_show,
            to_show,
            would_hide,
            would_show,
        }
    }
}

impl From<HeldBack> for HeldBackItem {
    fn from(held: HeldBack) -> Self {
        let word = |decision| if decision == Decision::Applied { "applied" } else { "discarded" };
        Self { known: held.known, decision: held.decision.map(word) }
    }
}

impl From<ListedRun> for RunItem {
    fn from(ListedRun { run, counts }: ListedRun) -> Self {
        Self {
            id: run.id.0,
            request_id: run.request_id.0,
            state: run.state.into(),
            links: run.links,
            done: run.done,
            missing: run.missing,
            created_at: run.created_at,
            finished_at: run.finished_at,
            counts: counts.into(),
            held_back: None,
        }
    }
}

async fn read(app: &App, id: RunId) -> Result<RunItem, Problem> {
    let store = &app.ports.store;
    let missing = || Problem::not_found(format!("run {id}"));
    let run = store.run(id).await?.ok_or_else(missing)?;
    let summary: RunSummary = store.summary(id).await?.ok_or_else(missing)?;
    let item = RunItem::from(ListedRun { run, counts: summary.counts });
    Ok(RunItem { held_back: summary.held_back.map(HeldBackItem::from), ..item })
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunLinksParams {
    /// Which links.
    #[param(inline)]
    which: Option<WhichWord>,
    /// Only those of this verdict that the run did not hide or show.
    #[param(inline)]
    verdict: Option<VerdictWord>,
    /// The order of the list.
    #[param(inline)]
    sort: Option<RunSortWord>,
    /// Where the page before ended: its `next`.
    #[param(value_type = Option<String>, max_length = 2000)]
    after: Option<After>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// Which links of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WhichWord {
    /// All that have a result.
    All,
    /// Those that did not pass, or that the run hid or showed or would.
    ChangedOrFailed,
}

/// The order of the links of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RunSortWord {
    /// As they were added.
    Added,
    /// Those that did not pass first, and of each kind the slowest first.
    WorstFirst,
}

/// List the links of a run
///
/// Those that have a result.
#[utoipa::path(get, path = "/runs/{id}/links", tag = "runs", params(("id" = Uuid, Path, description = "The run"), RunLinksParams),
    responses((status = 200, description = "A page of links", body = Listed<RunLinkItem>)))]
async fn list_run_links(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<RunLinksParams>,
) -> Result<Listed<RunLinkItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let run = RunId(id);
    let store = &app.ports.store;
    store.run(run).await?.ok_or_else(|| Problem::not_found(format!("run {id}")))?;
    let which = match (asked.verdict, asked.which) {
        (Some(verdict), _) => ReportLinks::Of { change: None, verdict: Some(verdict.into()) },
        (None, Some(WhichWord::ChangedOrFailed)) => ReportLinks::ChangedOrFailed,
        (None, Some(WhichWord::All) | None) => ReportLinks::All,
    };
    let sort = match asked.sort {
        Some(RunSortWord::WorstFirst) => RunLinkSort::WorstFirst,
        Some(RunSortWord::Added) | None => RunLinkSort::Added,
    };
    Ok(Listed::of(store.browse_run_links(run, which, sort, &page).await?, RunLinkItem::from))
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
