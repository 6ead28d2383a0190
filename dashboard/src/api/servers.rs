//! What only the broker knows: parked messages and workers. And the jobs that the database knows to be parked.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use linkbeat_store::Count;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::{Asked, Sent};
use super::paging::{Listed, page_of};
use super::problem::Problem;
use super::value::{After, Limit};
use crate::ports::{CannotAsk, ParkedMessage, Queues, WorkerSeen};
use crate::serve::App;

/// So many messages one call may name.
const MOST_NAMED: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_parked))
        .routes(routes!(requeue_parked))
        .routes(routes!(drop_parked))
        .routes(routes!(list_parked_jobs))
        .routes(routes!(list_workers))
}

impl From<CannotAsk> for Problem {
    fn from(error: CannotAsk) -> Self {
        Self::no_broker(error)
    }
}

fn queues(app: &App) -> Result<&Arc<dyn Queues>, Problem> {
    app.ports.queues.as_ref().ok_or_else(Problem::without_broker)
}

/// A message that nobody could handle.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Parked message")]
struct ParkedItem {
    /// Its id.
    id: Uuid,
    /// The queue it came from, if it is known.
    queue: Option<String>,
    /// The run that it names, if it can be read.
    run_id: Option<Uuid>,
    /// Why it was parked.
    cause: String,
    /// When it was parked.
    parked_at: Option<DateTime<Utc>>,
    /// How often its handling had failed.
    attempts: u32,
    /// How long its content is, in bytes.
    bytes: u64,
}

impl From<ParkedMessage> for ParkedItem {
    fn from(message: ParkedMessage) -> Self {
        let ParkedMessage { id, queue, run, cause, parked_at, attempts, bytes } = message;
        Self { id, queue, run_id: run.map(|run| run.0), cause, parked_at, attempts, bytes }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ParkedParams {
    /// How many, the oldest first.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// List parked messages
///
/// The oldest first, and how many there are. It takes a second or more: the broker is asked for the messages themselves.
#[utoipa::path(get, path = "/parked", tag = "servers", params(ParkedParams),
    responses((status = 200, description = "The messages", body = Listed<ParkedItem>)))]
async fn list_parked(
    State(app): State<App>,
    Asked(asked): Asked<ParkedParams>,
) -> Result<Listed<ParkedItem>, Problem> {
    let parked = queues(&app)?.parked(asked.limit.unwrap_or_default().0).await?;
    let count = Some(Count::Exactly(parked.all).into());
    Ok(Listed { count, ..Listed::whole(parked.messages.into_iter().map(ParkedItem::from).collect()) })
}

/// Which parked messages.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Their ids.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<Uuid>,
}

impl Which {
    fn ids(self) -> Result<Vec<Uuid>, Problem> {
        let fits = (1..=MOST_NAMED).contains(&self.ids.len());
        fits.then_some(self.ids)
            .ok_or_else(|| Problem::invalid_at("/ids", format_args!("1 to {MOST_NAMED} ids are taken")))
    }
}

/// What became of parked messages.
#[derive(Debug, Serialize, ToSchema)]
struct Settled {
    /// So many were found and settled.
    messages: u64,
}

/// Put parked messages back
///
/// Into the queues that they came from, with no attempts counted.
#[utoipa::path(post, path = "/parked/requeue", tag = "servers", request_body = Which,
    responses((status = 200, description = "What became of them", body = Settled)))]
async fn requeue_parked(State(app): State<App>, Sent(which): Sent<Which>) -> Result<Json<Settled>, Problem> {
    let ids = which.ids()?;
    Ok(Json(Settled { messages: queues(&app)?.requeue(ids).await? }))
}

/// Drop parked messages for good
#[utoipa::path(post, path = "/parked/drop", tag = "servers", request_body = Which,
    responses((status = 200, description = "What became of them", body = Settled)))]
async fn drop_parked(State(app): State<App>, Sent(which): Sent<Which>) -> Result<Json<Settled>, Problem> {
    let ids = which.ids()?;
    Ok(Json(Settled { messages: queues(&app)?.forget(ids).await? }))
}

/// A job whose message is parked, as the database knows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Parked job")]
struct ParkedJobItem {
    /// The job.
    id: Uuid,
    /// Its run.
    run_id: Uuid,
    /// So many of its links lack a result.
    missing: u64,
    /// Why it was parked.
    cause: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobsParams {
    /// Where the page before ended: its `next`.
    #[param(value_type = Option<String>, max_length = 2000)]
    after: Option<After>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// List parked jobs
///
/// What the database knows of them, also without a broker.
#[utoipa::path(get, path = "/parked/jobs", tag = "servers", params(JobsParams),
    responses((status = 200, description = "A page of jobs", body = Listed<ParkedJobItem>)))]
async fn list_parked_jobs(
    State(app): State<App>,
    Asked(asked): Asked<JobsParams>,
) -> Result<Listed<ParkedJobItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let jobs = app.ports.store.browse_parked(&page).await?;
    Ok(Listed::of(jobs, |job| ParkedJobItem {
        id: job.id.0,
        run_id: job.run_id.0,
        missing: job.missing,
        cause: job.cause,
    }))
}

/// A worker that lives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Worker")]
struct WorkerItem {
    /// What it is called.
    name: String,
    /// The version of linkbeat that it runs.
    version: String,
    /// How it is: `starting`, `working`, or `paused` with why.
    state: String,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it last said that it lives.
    at: DateTime<Utc>,
    /// Links that it may check at once.
    concurrency: u64,
    /// Checks that are under way.
    under_way: u64,
    /// Checks that it has ended since it started.
    checked: u64,
}

impl From<WorkerSeen> for WorkerItem {
    fn from(WorkerSeen(worker): WorkerSeen) -> Self {
        Self {
            name: worker.name,
            version: worker.version,
            state: worker.state,
            started_at: worker.started_at,
            at: worker.at,
            concurrency: worker.concurrency,
            under_way: worker.under_way,
            checked: worker.checked,
        }
    }
}

/// List the workers that live
///
/// It takes some seconds: workers say every five seconds that they live.
#[utoipa::path(get, path = "/workers", tag = "servers",
    responses((status = 200, description = "The workers", body = Listed<WorkerItem>)))]
async fn list_workers(
    State(app): State<App>,
    Asked(_): Asked<super::about::Nothing>,
) -> Result<Listed<WorkerItem>, Problem> {
    let workers = queues(&app)?.workers().await?;
    Ok(Listed::whole(workers.into_iter().map(WorkerItem::from).collect()))
}
