//! Links: listed, added, read, changed, removed.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use linkbeat_shared::{Attributes, LinkId, LinkName, LinkUrl, NewLink, Pin, Tag, Tags, Without};
use linkbeat_store::{LinkChanges, LinkSet, LinkSort, ListedLink, SortLinksBy};
use serde::Deserialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Named, Sent};
use super::etag::Expected;
use super::filter::{LinksParams, SortWord};
use super::link_item::{LinkItem, PinSaid, UrlText};
use super::paging::{Listed, page_of};
use super::pause;
use super::problem::Problem;
use super::value::{Line, Time, given, said};
use crate::serve::App;

/// Links are counted one by one up to this.
const COUNTED: u32 = 10_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_links, add_link)).routes(routes!(
        get_link,
        change_link,
        remove_link
    ))
}

/// List links
///
/// What is not asked for does not matter.
#[utoipa::path(get, path = "/links", tag = "links", params(LinksParams),
    responses((status = 200, description = "A page of links", body = Listed<LinkItem>)))]
async fn list_links(State(app): State<App>, Asked(asked): Asked<LinksParams>) -> Result<Response, Problem> {
    let page = page_of(asked.after.clone(), asked.limit)?;
    let sort =
        LinkSort { by: asked.sort.unwrap_or_default().into(), reverse: asked.reverse.unwrap_or_default() };
    let wants_count = asked.count.unwrap_or_default();
    let query = asked.filter().query()?;
    let store = &app.ports.store;
    if wants_count {
        let (found, count) = store.browse_counted_links(&query, sort, &page, COUNTED).await?;
        return Ok(Listed { count: Some(count.into()), ..Listed::of(found, LinkItem::from) }.into_response());
    }
    Ok(Listed::of(store.browse_links(&query, sort, &page).await?, LinkItem::from).into_response())
}

impl From<SortWord> for SortLinksBy {
    fn from(word: SortWord) -> Self {
        match word {
            SortWord::Added => Self::Added,
            SortWord::Name => Self::Name,
            SortWord::Host => Self::Host,
            SortWord::Verdict => Self::Verdict,
            SortWord::Reason => Self::Reason,
            SortWord::Since => Self::Since,
            SortWord::Reachable => Self::Reachable,
        }
    }
}

/// What is said of a link. What is not said stays as it is, or takes its default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkSaid {
    /// What to fetch: a URL of http or https.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 2048)]
    pub(super) url: Option<UrlText>,
    /// What people call it. A new link without a name is called after its host.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<Line<200>>,
    /// The page on which the backlink must stand, if it is another one. Null: it is the same.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2048)]
    page_url: Option<Option<UrlText>>,
    /// The section of the list that it stands in. Null: none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    group: Option<Option<Line<200>>>,
    /// Its labels: at most 20. They take the place of those that it has. Null: none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Vec<Line<50>>>, max_items = 20)]
    tags: Option<Option<Vec<Line<50>>>>,
    /// Where a small picture of it is. Null: nowhere.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2048)]
    avatar: Option<Option<Line<2_048>>>,
    /// What it is about. Null: nothing is said.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000)]
    description: Option<Option<Line<1_000>>>,
    /// Where a picture of its page is. Null: nowhere.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2048)]
    screenshot: Option<Option<Line<2_048>>>,
    /// Its RSS or Atom feed. Null: it has none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2048)]
    feed: Option<Option<Line<2_048>>>,
    /// Whether runs check it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = bool)]
    active: Option<bool>,
    /// It is paused until then, whatever `active` says. `active` alone takes that away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, format = DateTime)]
    paused_until: Option<Time>,
    /// Whether a backlink is asked of it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = bool)]
    backlink: Option<bool>,
    /// Whether it is shown. The next check may decide otherwise.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = bool)]
    shown: Option<bool>,
    /// Hides or shows it for good. Null leaves it to checks again.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<PinSaid>)]
    pin: Option<Option<PinSaid>>,
}

/// A link to be added. Its URL must be said.
#[derive(Debug, Deserialize)]
#[serde(try_from = "LinkSaid")]
pub(super) struct LinkToAdd(LinkSaid);

impl TryFrom<LinkSaid> for LinkToAdd {
    type Error = &'static str;

    fn try_from(said: LinkSaid) -> Result<Self, &'static str> {
        if said.url.is_some() { Ok(Self(said)) } else { Err("missing field `url`") }
    }
}

impl PartialSchema for LinkToAdd {
    fn schema() -> RefOr<Schema> {
        let mut schema = LinkSaid::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.push("url".to_owned());
        }
        schema
    }
}

impl ToSchema for LinkToAdd {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        LinkSaid::schemas(schemas);
    }
}

fn url(pointer: &str, text: &UrlText) -> Result<LinkUrl, Problem> {
    LinkUrl::parse(text.as_str()).map_err(|error| Problem::invalid_at(pointer, error))
}

/// Reads a text that is one of the words of linkbeat.
fn read<T: FromStr<Err: Display>, const MAX: usize>(
    pointer: &str,
    text: Option<&Line<MAX>>,
) -> Result<Option<T>, Problem> {
    let read = |text: &Line<MAX>| text.as_str().parse().map_err(|error| Problem::invalid_at(pointer, error));
    text.map(read).transpose()
}

/// The same of a text that may be taken away.
fn read_said<T: FromStr<Err: Display>, const MAX: usize>(
    pointer: &str,
    text: Option<&Option<Line<MAX>>>,
) -> Result<Option<T>, Problem> {
    read(pointer, text.and_then(Option::as_ref))
}

impl LinkSaid {
    fn attributes(&self) -> Result<Attributes, Problem> {
        let tags = self.tags.as_ref().map(|tags| {
            let read =
                |tag: &Line<50>| tag.as_str().parse().map_err(|error| Problem::invalid_at("/tags", error));
            let tags = tags.iter().flatten().map(read).collect::<Result<BTreeSet<Tag>, _>>()?;
            Tags::try_from(tags).map_err(|error| Problem::invalid_at("/tags", error))
        });
        Ok(Attributes {
            avatar: read_said("/avatar", self.avatar.as_ref())?,
            description: read_said("/description", self.description.as_ref())?,
            screenshot: read_said("/screenshot", self.screenshot.as_ref())?,
            feed: read_said("/feed", self.feed.as_ref())?,
            tags: tags.transpose()?,
        })
    }

    /// What is null is taken away.
    fn without(&self) -> Without {
        Without {
            page_url: matches!(self.page_url, Some(None)),
            group: matches!(self.group, Some(None)),
            description: matches!(self.description, Some(None)),
            avatar: matches!(self.avatar, Some(None)),
            screenshot: matches!(self.screenshot, Some(None)),
            feed: matches!(self.feed, Some(None)),
        }
    }

    fn page(&self) -> Result<Option<LinkUrl>, Problem> {
        let page = self.page_url.as_ref().and_then(Option::as_ref);
        page.map(|page| url("/page_url", page)).transpose()
    }

    fn pin(&self) -> Result<Option<Option<Pin>>, Problem> {
        self.pin.as_ref().map(|pin| pin.as_ref().map(PinSaid::read).transpose()).transpose()
    }

    /// The changes that it asks for, but for the end of a pause.
    fn changes(&self) -> Result<LinkChanges, Problem> {
        Ok(LinkChanges {
            name: read("/name", self.name.as_ref())?,
            url: self.url.as_ref().map(|text| url("/url", text)).transpose()?,
            page_url: self.page()?,
            active: self.active,
            shown: self.shown,
            backlink: self.backlink,
            pin: self.pin()?,
            group: read_said("/group", self.group.as_ref())?,
            attributes: self.attributes()?,
            without: self.without(),
            ..LinkChanges::default()
        })
    }
}

impl LinkToAdd {
    /// The link that it tells of.
    pub(super) fn link(&self) -> Result<NewLink, Problem> {
        let said = &self.0;
        let told = said.url.as_ref().ok_or_else(|| Problem::invalid_at("/url", "it is missing"))?;
        Ok(NewLink {
            name: read::<LinkName, 200>("/name", said.name.as_ref())?,
            url: url("/url", told)?,
            page_url: said.page()?,
            active: said.active,
            paused_until: said.paused_until.map(|until| until.0),
            shown: said.shown,
            backlink: said.backlink,
            group: read_said("/group", said.group.as_ref())?,
            attributes: said.attributes()?,
            without: said.without(),
            pin: said.pin()?.flatten(),
        })
    }
}

/// Add a link
///
/// A link whose URL is stored already is not added.
#[utoipa::path(post, path = "/links", tag = "links",
    request_body(content = LinkToAdd, example = json!({ "url": "https://friend.example/", "name": "A friend", "group": "Friends" })),
    responses((status = 201, description = "The link is added", body = LinkItem,
        headers(("Location" = String, description = "Where it is")))))]
async fn add_link(State(app): State<App>, Sent(link): Sent<LinkToAdd>) -> Result<Response, Problem> {
    pause::end_of(&app, "/paused_until", link.0.paused_until).await?;
    let link = link.link()?;
    let store = &app.ports.store;
    if let Some(known) = store.find_links(&link.url.key()).await?.first() {
        return Err(Problem::conflict(format!("link {} has this URL", known.id)));
    }
    let added = store.import(vec![link].into()).await?;
    let Some(id) = added.ids.first() else { return Err(Problem::conflict("the link is not stored")) };
    let location = app.settings.base_path.join(&format!("/api/v1/links/{id}"));
    let item = LinkItem::from(find(&app, *id).await?);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(item)).into_response())
}

/// Read a link
#[utoipa::path(get, path = "/links/{id}", tag = "links", params(("id" = Uuid, Path, description = "The link")),
    responses((status = 200, description = "The link", body = LinkItem)))]
async fn get_link(State(app): State<App>, Named(id): Named) -> Result<Json<LinkItem>, Problem> {
    Ok(Json(find(&app, LinkId(id)).await?.into()))
}

pub(super) async fn find(app: &App, id: LinkId) -> Result<ListedLink, Problem> {
    let found = app.ports.store.listed_link(id).await?;
    found.ok_or_else(|| Problem::not_found(format!("link {id}")))
}

/// Change a link
///
/// A JSON merge patch (RFC 7396): what it does not name stays as it is. With `If-Match` the link is changed only if it is
/// still as it was read.
#[utoipa::path(patch, path = "/links/{id}", tag = "links",
    params(("id" = Uuid, Path, description = "The link"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the link as it was read")),
    request_body(content(
        (LinkSaid = "application/merge-patch+json", example = json!({ "group": "Friends", "pin": null })),
        (LinkSaid = "application/json"))),
    responses((status = 200, description = "The link as it is now", body = LinkItem)))]
async fn change_link(
    State(app): State<App>,
    Named(id): Named,
    headers: HeaderMap,
    Sent(said): Sent<LinkSaid>,
) -> Result<Json<LinkItem>, Problem> {
    let id = LinkId(id);
    let paused_until = pause::end_of(&app, "/paused_until", said.paused_until).await?;
    let changes = LinkChanges { paused_until, ..said.changes()? };
    if let Some(url) = &changes.url {
        let others = app.ports.store.find_links(&url.key()).await?;
        if let Some(other) = others.iter().find(|other| other.id != id) {
            return Err(Problem::conflict(format!("link {} has this URL", other.id)));
        }
    }
    let expected = Expected::of(&headers);
    let still = move |stored: &ListedLink| expected.is(&LinkItem::from(stored.clone()));
    match app.ports.store.set_link_if(id, &changes, Arc::new(still)).await? {
        LinkSet::Set(link) => Ok(Json(LinkItem::from(*link))),
        LinkSet::Another => Err(Problem::changed()),
        LinkSet::Gone => Err(Problem::not_found(format!("link {id}"))),
    }
}

/// Remove a link
///
/// Its checks stay as history.
#[utoipa::path(delete, path = "/links/{id}", tag = "links", params(("id" = Uuid, Path, description = "The link")),
    responses((status = 204, description = "It is removed")))]
async fn remove_link(State(app): State<App>, Named(id): Named) -> Result<StatusCode, Problem> {
    match app.ports.store.remove_links(&[LinkId(id)]).await? {
        0 => Err(Problem::not_found(format!("link {id}"))),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
