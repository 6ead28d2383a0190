//! What is done to many links at once, and lists on their way out.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use linkbeat_shared::{GroupName, Link, LinkId, LinkSelection, NewLink, Pin, Pinned, Request};
use linkbeat_store::{LinkChanges, LinkQuery, LinkSort, PageOf, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::{Asked, Sent};
use super::filter::{ExportFormat, ExportParams, LinkFilter};
use super::idempotency;
use super::link_item::LinkItem;
use super::pause;
use super::problem::Problem;
use super::value::{Line, Time, given};
use crate::serve::App;

/// So many links are changed in one transaction, and read at once.
const PART: u32 = 1_000;
/// So many links one call may change: what it does must end within a minute or so.
const MOST: usize = 100_000;
/// So many links one call may name.
const MOST_NAMED: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(act_on_links))
}

/// What is not hashed and buffered, because it may be large.
pub(super) fn streams() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export_links))
}

/// What is done to many links.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Action {
    /// What is done.
    action: ActionWord,
    /// These links. Links that are not there are passed by.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 10000)]
    ids: Option<Vec<Uuid>>,
    /// Or all links that match.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = LinkFilter)]
    filter: Option<LinkFilter>,
    /// The group, for the action `group`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    group: Option<Line<200>>,
    /// When the links are active again, for the action `deactivate`. Usual: when somebody activates them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, format = DateTime)]
    paused_until: Option<Time>,
}

/// What is done to links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ActionWord {
    /// They are checked now, as far as they are active.
    Check,
    /// They are hidden. The next check may decide otherwise.
    Hide,
    /// They are shown. The next check may decide otherwise.
    Show,
    /// They are hidden and stay so, whatever checks find.
    KeepHidden,
    /// They are shown and stay so, whatever checks find.
    KeepShown,
    /// Checks decide again whether they are shown.
    LeaveToChecks,
    /// Runs check them.
    Activate,
    /// Runs check them no longer, or not until `paused_until`.
    Deactivate,
    /// They go to a group.
    Group,
    /// They are removed. Their checks stay as history.
    Remove,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
struct Done {
    /// So many links.
    links: u64,
    /// The run that checks them, for the action `check`.
    run_id: Option<Uuid>,
}

fn pinned(to: Pinned) -> Option<Pin> {
    Some(Pin { to, note: None })
}

/// Act on many links
///
/// On those that are named, or on all that match. One call acts on 100,000 links at most.
#[utoipa::path(post, path = "/links/actions", tag = "links",
    request_body(content = Action, example = json!({ "action": "hide", "filter": { "group": "Friends", "verdict": "down" } })),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this call, for the action `check`", min_length = 1, max_length = 255)),
    responses((status = 200, description = "What was done", body = Done)))]
async fn act_on_links(
    State(app): State<App>,
    headers: HeaderMap,
    Sent(action): Sent<Action>,
) -> Result<Json<Done>, Problem> {
    idempotency::key(&headers)?;
    let paused_until = pause::end_of(&app, "/paused_until", action.paused_until).await?;
    let changes = LinkChanges { paused_until, ..action.changes()? };
    let ids = meant(&app, &action).await?;
    let store = &app.ports.store;
    match (action.action, changes) {
        (ActionWord::Check, _) => check(&app, &headers, &action, &ids).await.map(Json),
        (ActionWord::Remove, _) => {
            let mut links = 0;
            for part in ids.chunks(PART as usize) {
                links += store.remove_links(part).await?;
            }
            Ok(Json(Done { links, run_id: None }))
        }
        (_, changes) => {
            let mut links = 0;
            for part in ids.chunks(PART as usize) {
                links += store.set_links(part, &changes).await?;
            }
            Ok(Json(Done { links, run_id: None }))
        }
    }
}

impl Action {
    /// What is changed by it, but for the end of a pause.
    fn changes(&self) -> Result<LinkChanges, Problem> {
        let changes = LinkChanges::default();
        let group = self.group.as_ref().map(|group| group.as_str().parse::<GroupName>()).transpose();
        let group = group.map_err(|error| Problem::invalid_at("/group", error))?;
        if self.paused_until.is_some() && self.action != ActionWord::Deactivate {
            return Err(Problem::invalid_at("/paused_until", "only `deactivate` takes it"));
        }
        Ok(match (self.action, group) {
            (ActionWord::Group, Some(group)) => LinkChanges { group: Some(group), ..changes },
            (ActionWord::Group, None) => {
                return Err(Problem::invalid_at("/group", "the action needs a group"));
            }
            (_, Some(_)) => return Err(Problem::invalid_at("/group", "this action takes no group")),
            (ActionWord::Hide, None) => LinkChanges { shown: Some(false), ..changes },
            (ActionWord::Show, None) => LinkChanges { shown: Some(true), ..changes },
            (ActionWord::KeepHidden, None) => LinkChanges { pin: Some(pinned(Pinned::Hidden)), ..changes },
            (ActionWord::KeepShown, None) => LinkChanges { pin: Some(pinned(Pinned::Shown)), ..changes },
            (ActionWord::LeaveToChecks, None) => LinkChanges { pin: Some(None), ..changes },
            (ActionWord::Activate, None) => LinkChanges { active: Some(true), ..changes },
            (ActionWord::Deactivate, None) => LinkChanges { active: Some(false), ..changes },
            (ActionWord::Check | ActionWord::Remove, None) => changes,
        })
    }
}

/// The links that are meant. They are all found before the first is changed: what is changed may match no more.
async fn meant(app: &App, action: &Action) -> Result<Vec<LinkId>, Problem> {
    let query = match (&action.ids, &action.filter) {
        (Some(ids), None) if (1..=MOST_NAMED).contains(&ids.len()) => {
            return Ok(ids.iter().copied().map(LinkId).collect());
        }
        (Some(_), None) => {
            return Err(Problem::invalid_at("/ids", format_args!("1 to {MOST_NAMED} links can be named")));
        }
        (None, Some(filter)) => filter.clone().query()?,
        _ => return Err(Problem::invalid("say which links: by `ids`, or by `filter`")),
    };
    let mut ids: Vec<LinkId> = Vec::new();
    loop {
        let part = app.ports.store.matching_ids(&query, ids.last().copied(), PART).await?;
        let more = part.len() == PART as usize;
        ids.extend(part);
        if ids.len() > MOST {
            return Err(Problem::invalid_at(
                "/filter",
                format_args!("more than {MOST} links match; narrow it down"),
            ));
        }
        if !more {
            return Ok(ids);
        }
    }
}

async fn check(app: &App, headers: &HeaderMap, action: &Action, ids: &[LinkId]) -> Result<Done, Problem> {
    let id = idempotency::request_id(app, headers, "links/actions", action).await?;
    let mut links: Vec<NewLink> = Vec::with_capacity(ids.len());
    for part in ids.chunks(PART as usize) {
        let found = app.ports.store.links_of(part).await?;
        links.extend(
            found.into_iter().filter(|link| link.active).map(|Link { url, .. }| NewLink::from_url(url)),
        );
    }
    if links.is_empty() {
        return Ok(Done { links: 0, run_id: None });
    }
    let request = Request::new(id, LinkSelection::given(links), app.ports.desk.options(), None);
    let filed = app.ports.desk.file(request).await?;
    Ok(Done { links: filed.run.links, run_id: Some(filed.run.id.0) })
}

/// Export links
///
/// All that match, in the order in which they were added, as they come from the database.
#[utoipa::path(get, path = "/links/export", tag = "links", params(ExportParams),
    responses((status = 200, description = "The links", content(
        (String = "application/jsonl"), (String = "text/csv")))))]
async fn export_links(
    State(app): State<App>,
    Asked(asked): Asked<ExportParams>,
) -> Result<Response, Problem> {
    let format = asked.format.unwrap_or_default();
    let query = asked.filter().query()?;
    // A database that is away is told as a problem, and not in the middle.
    app.ports.store.matching_ids(&query, None, 1).await?;
    let (kind, name) = match format {
        ExportFormat::Jsonl => ("application/jsonl", "links.jsonl"),
        ExportFormat::Csv => ("text/csv", "links.csv"),
    };
    let mut response = Body::from_stream(lines(app, query, format)).into_response();
    let named = format!("attachment; filename=\"{name}\"");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(named) = named.parse() {
        response.headers_mut().insert(CONTENT_DISPOSITION, named);
    }
    Ok(response)
}

fn lines(
    app: App,
    query: LinkQuery,
    format: ExportFormat,
) -> impl Stream<Item = Result<Vec<u8>, StoreError>> {
    let header = if format == ExportFormat::Csv { CSV_HEADER } else { "" };
    let first = Some(PageOf { after: None, limit: PART });
    let pages = stream::try_unfold((app, query, first), move |(app, query, page)| async move {
        let Some(page) = page else { return Ok(None) };
        let found = app.ports.store.browse_links(&query, LinkSort::default(), &page).await?;
        let next = found.next.map(|cursor| PageOf { after: Some(cursor), limit: PART });
        let lines: String = found.items.into_iter().map(|link| line(&LinkItem::from(link), format)).collect();
        Ok(Some((lines.into_bytes(), (app, query, next))))
    });
    stream::once(async move { Ok(header.as_bytes().to_vec()) }).chain(pages).into_stream()
}

const CSV_HEADER: &str = "name,url,page_url,group,tags,avatar,description,screenshot,feed,active,backlink,shown,verdict,reason,status,last_checked_at,paused_until\r\n";

fn line(link: &LinkItem, format: ExportFormat) -> String {
    match format {
        ExportFormat::Jsonl => format!("{}\n", serde_json::to_string(link).unwrap_or_default()),
        ExportFormat::Csv => link.csv(),
    }
}
