//! The history of a link.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use linkbeat_shared::LinkId;
use linkbeat_shared::history::{Summary, Zone};
use linkbeat_store::{ChangeQuery, LinkDay, LinkHour};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::{Asked, Named};
use super::check_item::{ChangeItem, CheckItem};
use super::paging::{Listed, page_of};
use super::problem::Problem;
use super::value::{After, Limit, Time};
use crate::serve::App;

/// Most days and hours in one answer.
const MOST: u32 = 1_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_checks))
        .routes(routes!(list_link_changes))
        .routes(routes!(list_days))
        .routes(routes!(list_hours))
        .routes(routes!(shown_time))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageParams {
    /// Where the page before ended: its `next`.
    #[param(value_type = Option<String>, max_length = 2000)]
    after: Option<After>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// Refuses ids of links that there never were, or that were removed so long ago that nothing is known of them.
async fn known(app: &App, id: Uuid) -> Result<LinkId, Problem> {
    let link = LinkId(id);
    match app.ports.store.link_shown(link, Utc::now()).await? {
        Some(_) => Ok(link),
        None => Err(Problem::not_found(format!("link {id}"))),
    }
}

/// List the checks of a link
///
/// The latest first, as far back as they are kept.
#[utoipa::path(get, path = "/links/{id}/checks", tag = "links", params(("id" = Uuid, Path, description = "The link"), PageParams),
    responses((status = 200, description = "A page of checks", body = Listed<CheckItem>)))]
async fn list_checks(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<PageParams>,
) -> Result<Listed<CheckItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let link = known(&app, id).await?;
    Ok(Listed::of(app.ports.store.browse_checks(link, &page).await?, CheckItem::from))
}

/// List what became of a link
///
/// The newest first.
#[utoipa::path(get, path = "/links/{id}/changes", tag = "links", params(("id" = Uuid, Path, description = "The link"), PageParams),
    responses((status = 200, description = "A page of changes", body = Listed<ChangeItem>)))]
async fn list_link_changes(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<PageParams>,
) -> Result<Listed<ChangeItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let query = ChangeQuery { link: Some(known(&app, id).await?), ..ChangeQuery::default() };
    Ok(Listed::of(app.ports.store.browse_changes(&query, &page).await?, ChangeItem::from))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DaysParams {
    /// The first day. Usual: 30 days ago.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Day>,
    /// The day after the last one. Usual: tomorrow.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Day>,
}

/// A day of the years that have four digits.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Day(NaiveDate);

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|day| day.to_string() == text);
        day.map(Self).ok_or("a day is written like 2026-12-01")
    }
}

/// A day of a link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Day")]
struct DayItem {
    /// The day.
    day: NaiveDate,
    /// The time zone in which it began and ended.
    zone: String,
    #[serde(flatten)]
    sums: Sums,
}

/// An hour of a link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Hour")]
struct HourItem {
    /// When it began.
    hour: DateTime<Utc>,
    #[serde(flatten)]
    sums: Sums,
}

/// What the checks of some time came to.
#[derive(Debug, Serialize, ToSchema)]
struct Sums {
    /// Checks that found it up.
    up: u64,
    /// Checks that found it down.
    down: u64,
    /// Checks that missed the backlink.
    no_backlink: u64,
    /// Checks that a wall or a rate limit answered.
    blocked: u64,
    /// Checks that linkbeat would not make.
    refused: u64,
    /// How often it counted as good without a check.
    white_listed: u64,
    /// Checks of runs that were held back and not applied.
    held_back: u64,
    /// Percent of the checks that reached the site, rounded down: (`up` + `no_backlink`) / (`up` + `down` +
    /// `no_backlink`). Null: no check can tell.
    reachable: Option<f64>,
    /// Half of the answers took no longer.
    p50_ms: Option<u64>,
    /// 95 % of the answers took no longer.
    p95_ms: Option<u64>,
    /// 99 % of the answers took no longer.
    p99_ms: Option<u64>,
    /// Checks that timed out. They count in the percentiles with their deadline.
    timeouts: u64,
}

impl From<&Summary> for Sums {
    fn from(summary: &Summary) -> Self {
        let counts = &summary.counts;
        // A duration is far below what a float holds exactly.
        let quantile = |per_mille| summary.latency.quantile(per_mille).map(|found| found.ms.round() as u64);
        Self {
            up: counts.up,
            down: counts.down,
            no_backlink: counts.no_backlink,
            blocked: counts.blocked,
            refused: counts.refused,
            white_listed: counts.white_listed,
            held_back: counts.held_back,
            reachable: counts.reachable().map(|share| share.percent()),
            p50_ms: quantile(500),
            p95_ms: quantile(950),
            p99_ms: quantile(990),
            timeouts: summary.latency.timeouts(),
        }
    }
}

/// List the days of a link
///
/// The earliest first. A day without checks is left out. An answer has 1,000 days at most.
#[utoipa::path(get, path = "/links/{id}/days", tag = "links", params(("id" = Uuid, Path, description = "The link"), DaysParams),
    responses((status = 200, description = "The days", body = Listed<DayItem>)))]
async fn list_days(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<DaysParams>,
) -> Result<Listed<DayItem>, Problem> {
    let link = known(&app, id).await?;
    let today = Utc::now().date_naive();
    let from = asked.from.map_or(today - TimeDelta::days(30), |day| day.0);
    let until = asked.until.map_or(today + TimeDelta::days(2), |day| day.0);
    let days = app.ports.store.link_days(link, Zone::UTC, from, until, MOST).await?;
    let item = |LinkDay { day, zone, summary }: LinkDay| DayItem { day, zone, sums: (&summary).into() };
    Ok(Listed::whole(days.into_iter().map(item).collect()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HoursParams {
    /// From this moment on. Usual: two days ago.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Before this moment. Usual: now.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
}

/// List the hours of a link
///
/// The earliest first, as far back as they are kept. An hour without checks is left out. An answer has 1,000 hours at most.
#[utoipa::path(get, path = "/links/{id}/hours", tag = "links", params(("id" = Uuid, Path, description = "The link"), HoursParams),
    responses((status = 200, description = "The hours", body = Listed<HourItem>)))]
async fn list_hours(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<HoursParams>,
) -> Result<Listed<HourItem>, Problem> {
    let link = known(&app, id).await?;
    let until = asked.until.map_or_else(Utc::now, |time| time.0);
    let from = asked.from.map_or(until - TimeDelta::days(2), |time| time.0);
    let hours = app.ports.store.link_hours(link, from, until, MOST).await?;
    let item = |LinkHour { hour, summary }: LinkHour| HourItem { hour, sums: (&summary).into() };
    Ok(Listed::whole(hours.into_iter().map(item).collect()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShownParams {
    /// From this moment on. Usual: 30 days ago.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
}

/// For how much of the time a link was shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Shown")]
struct ShownItem {
    /// From when on this is known.
    from: DateTime<Utc>,
    /// Until when: now, or when the link was removed.
    until: DateTime<Utc>,
    /// Percent of that time in which it was shown, rounded down. Null: the time is too short.
    shown: Option<f64>,
    /// How often it was hidden or shown. Counted up to 10,000.
    changes: usize,
}

/// Read for how much of the time a link was shown
#[utoipa::path(get, path = "/links/{id}/shown", tag = "links", params(("id" = Uuid, Path, description = "The link"), ShownParams),
    responses((status = 200, description = "The share", body = ShownItem)))]
async fn shown_time(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<ShownParams>,
) -> Result<Json<ShownItem>, Problem> {
    let from = asked.from.map_or_else(|| Utc::now() - TimeDelta::days(30), |time| time.0);
    let shown = app.ports.store.link_shown(LinkId(id), from).await?;
    let shown = shown.ok_or_else(|| Problem::not_found(format!("link {id}")))?;
    let (from, until) = (from.max(shown.known_since), shown.known_until);
    let share = shown.share(from, until).map(|share| share.percent());
    Ok(Json(ShownItem { from, until, shown: share, changes: shown.changes.len() }))
}
