//! linkbeat itself: its health, its settings, and how much history there is.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use linkbeat_store::{CleanUp, Removed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::Asked;
use super::paging::Listed;
use super::problem::Problem;
use super::value::VerdictWord;
use crate::serve::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(read_health))
        .routes(routes!(read_totals))
        .routes(routes!(list_groups))
        .routes(routes!(list_settings))
        .routes(routes!(read_history))
}

/// The query of a call that takes none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// How linkbeat is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Health")]
struct Health {
    /// The version of this dashboard.
    version: &'static str,
    /// The time by the database's clock. So the database answers.
    database_time: DateTime<Utc>,
}

/// Read how linkbeat is
///
/// A database that is away is a problem with the status 503.
#[utoipa::path(get, path = "/health", tag = "about", responses((status = 200, description = "It is well", body = Health)))]
async fn read_health(State(app): State<App>, Asked(_): Asked<Nothing>) -> Result<Json<Health>, Problem> {
    let database_time = app.ports.store.clock().await?;
    Ok(Json(Health { version: env!("CARGO_PKG_VERSION"), database_time }))
}

/// How many links are of one kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Total")]
struct TotalItem {
    /// Whether runs check them.
    active: bool,
    /// Whether they are shown.
    shown: bool,
    /// Their latest verdict; null: they were never checked.
    verdict: Option<VerdictWord>,
    /// How many they are.
    links: u64,
}

/// Count the links of each kind
///
/// It reads all links. So the answer may be as old as a minute, if to count takes long.
#[utoipa::path(get, path = "/links/totals", tag = "links",
    responses((status = 200, description = "The totals", body = Listed<TotalItem>)))]
async fn read_totals(State(app): State<App>, Asked(_): Asked<Nothing>) -> Result<Listed<TotalItem>, Problem> {
    let totals = app.totals().await?;
    let item = |total: &linkbeat_store::LinkTotal| TotalItem {
        active: total.active,
        shown: total.shown,
        verdict: total.verdict.map(VerdictWord::from),
        links: total.links,
    };
    Ok(Listed::whole(totals.iter().map(item).collect()))
}

/// A group of links.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Group")]
struct GroupItem {
    /// Its name.
    name: String,
    /// How many links are in it.
    links: u64,
}

/// List the groups of links
///
/// In the order of their names, 1,000 at most. It reads all links. So the answer may be as old as a minute, if to count takes long.
#[utoipa::path(get, path = "/links/groups", tag = "links",
    responses((status = 200, description = "The groups", body = Listed<GroupItem>)))]
async fn list_groups(State(app): State<App>, Asked(_): Asked<Nothing>) -> Result<Listed<GroupItem>, Problem> {
    let groups = app.groups().await?;
    Ok(Listed::whole(
        groups.iter().map(|(name, links)| GroupItem { name: name.to_string(), links: *links }).collect(),
    ))
}

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Setting")]
struct SettingItem {
    /// Its path, such as `check.timeout`.
    name: String,
    /// Its value, as far as it may be shown.
    value: String,
    /// Where that comes from: a flag, a variable, the file, or the default.
    origin: String,
}

/// List the settings
///
/// Those of the process that serves the dashboard. Secrets are left out.
#[utoipa::path(get, path = "/settings", tag = "about",
    responses((status = 200, description = "The settings", body = Listed<SettingItem>)))]
async fn list_settings(
    State(app): State<App>,
    Asked(_): Asked<Nothing>,
) -> Result<Listed<SettingItem>, Problem> {
    let settings = app.ports.facts.settings.iter().cloned();
    let item = |setting: crate::ports::Setting| SettingItem {
        name: setting.name,
        value: setting.value,
        origin: setting.origin,
    };
    Ok(Listed::whole(settings.map(item).collect()))
}

/// How much history there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "History")]
struct HistoryItem {
    /// Bytes of the whole database on disk.
    database_bytes: u64,
    /// Bytes of it that can be used again. Only SQLite tells.
    free_bytes: Option<u64>,
    /// Bytes of the checks. Only PostgreSQL tells.
    checks_bytes: Option<u64>,
    /// Bytes of the days.
    days_bytes: Option<u64>,
    /// Bytes of the hours.
    hours_bytes: Option<u64>,
    /// Checks that are kept.
    checks: u64,
    /// When the oldest run was filed whose checks are kept.
    oldest: Option<DateTime<Utc>>,
    /// Checks stored for each day of the last week.
    checks_a_day: f64,
    /// Runs whose checks are not counted in days and hours yet.
    to_roll_up: u64,
    /// When nothing was left to count.
    rolled_at: Option<DateTime<Utc>>,
    /// When nothing was left to remove.
    cleaned_at: Option<DateTime<Utc>>,
    /// What the last clean-up did that removed anything.
    removed: Option<RemovedItem>,
}

/// What a clean-up removed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Removed")]
struct RemovedItem {
    /// When it had ended.
    at: DateTime<Utc>,
    /// Weeks of checks, as a whole. Only PostgreSQL keeps them so.
    weeks: u64,
    /// Checks one by one. Only SQLite removes them so.
    checks: u64,
    /// Hours of links.
    hours: u64,
    /// Runs with their counts.
    runs: u64,
}

impl From<CleanUp> for RemovedItem {
    fn from(CleanUp { at, removed }: CleanUp) -> Self {
        let Removed { weeks, checks, hours, runs } = removed;
        Self { at, weeks, checks, hours, runs }
    }
}

/// Read how much history there is
#[utoipa::path(get, path = "/history", tag = "about",
    responses((status = 200, description = "What is kept", body = HistoryItem)))]
async fn read_history(
    State(app): State<App>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<HistoryItem>, Problem> {
    let status = app.ports.store.history_status().await?;
    Ok(Json(HistoryItem {
        database_bytes: status.database_bytes,
        free_bytes: status.free_bytes,
        checks_bytes: status.checks_bytes,
        days_bytes: status.days_bytes,
        hours_bytes: status.hours_bytes,
        checks: status.checks,
        oldest: status.oldest,
        checks_a_day: status.checks_a_day,
        to_roll_up: status.to_roll_up,
        rolled_at: status.rolled_at,
        cleaned_at: status.cleaned_at,
        removed: status.removed.map(RemovedItem::from),
    }))
}
