//! Lists of links on their way in: links as this API has them, or a list in any shape that the pages take.

use axum::Json;
use axum::extract::{Request, State};
use chrono::{DateTime, Utc};
use linkbeat_shared::{GivenLinks, Lang, NewLink};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::{MOST_LIST, is_json, parse, read_body};
use super::links::LinkToAdd;
use super::pause;
use super::problem::Problem;
use crate::ports::BadList;
use crate::serve::App;

/// So many links one import in JSON may have.
const MOST: usize = 10_000;

/// What a list that came without a name is called where it is told what is wrong with it.
const NAME: &str = "list";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(import_links))
}

/// Links to be imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Import {
    /// The links. One whose URL is stored already is updated by what is said of it: null takes away, and what is absent
    /// stays. `shown` and `pin` count for new links only.
    #[schema(min_items = 1, max_items = 10000)]
    links: Vec<LinkToAdd>,
}

impl Import {
    fn read(&self, now: DateTime<Utc>) -> Result<Vec<NewLink>, Problem> {
        if !(1..=MOST).contains(&self.links.len()) {
            return Err(Problem::invalid_at("/links", format_args!("1 to {MOST} links are taken at once")));
        }
        let link = |(index, link): (usize, &LinkToAdd)| {
            let link = link.link().and_then(|link| {
                pause::check_of_list(link.paused_until, now)?;
                Ok(link)
            });
            link.map_err(|problem| problem.within(&format!("/links/{index}")))
        };
        self.links.iter().enumerate().map(link).collect()
    }
}

/// Whether an object in JSON is an import, and no list of another shape.
#[derive(Deserialize)]
struct Named {
    links: Option<IgnoredAny>,
}

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
struct Imported {
    /// Links that were not stored before.
    added: u64,
    /// Stored links of which something changed.
    updated: u64,
    /// Stored links that were the same already.
    unchanged: u64,
    /// The ids of all of them, in the order of the list, each once.
    ids: Vec<Uuid>,
}

/// Import links
///
/// As JSON with the member `links`. Or as a list in any shape that the pages take: CSV, YAML, TOML, OPML, HTML, Markdown,
/// JSON, JSON lines, JavaScript, sitemaps or plain URLs, with any Content-Type. What is sent says by itself which one it is. Only an object with `links` must be sent as `text/plain`
/// if it is not this API's own. A list is taken whole
/// or not at all.
#[utoipa::path(post, path = "/links/import", tag = "links",
    request_body(content(
        (Import = "application/json", example = json!({ "links": [{ "url": "https://friend.example/", "name": "A friend" }] })),
        (String = "text/plain"), (String = "application/octet-stream"))),
    responses((status = 200, description = "What became of them", body = Imported)))]
async fn import_links(State(app): State<App>, request: Request) -> Result<Json<Imported>, Problem> {
    let is_json = is_json(request.headers());
    let body = read_body(request, MOST_LIST).await?;
    let links = match is_json && !is_list(&body)? {
        true => parse::<Import>(&body)?.read(app.ports.store.clock().await?)?.into(),
        false => read_list(&app, body.into()).await?,
    };
    let done = app.ports.store.import(links).await?;
    Ok(Json(Imported {
        added: done.added,
        updated: done.updated,
        unchanged: done.unchanged,
        ids: done.ids.into_iter().map(|id| id.0).collect(),
    }))
}

/// Whether JSON is a list of another shape: an array, or an object without our member.
fn is_list(body: &[u8]) -> Result<bool, Problem> {
    match body.trim_ascii_start().first() {
        Some(b'[') => parse::<IgnoredAny>(body).map(|_| true),
        Some(b'{') => parse::<Named>(body).map(|named| named.links.is_none()),
        _ => Ok(false),
    }
}

async fn read_list(app: &App, list: Vec<u8>) -> Result<GivenLinks, Problem> {
    let desk = app.ports.desk.clone();
    let reading = tokio::task::spawn_blocking(move || desk.read_list(NAME, list, Lang::En)).await;
    let read = reading.unwrap_or_else(|error| Err(BadList(format!("the list could not be read: {error}"))));
    read.map_err(|BadList(problem)| Problem::invalid(problem))
}
