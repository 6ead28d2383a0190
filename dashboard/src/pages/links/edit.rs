//! What people write about a link.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use linkbeat_shared::{BadName, BadText, Link, LinkId, LinkName, LinkUrl, PublicUrl, Tag, Tags, Without};
use linkbeat_store::{LinkChanges, LinkSet, ListedLink, StillSo};

use crate::pages::answer::{Page, Problem, see};
use crate::pages::form::Form;
use crate::pages::told::{self, Done};
use crate::pages::visit::Visit;
use crate::pages::wording::{Texts, fill};
use crate::serve::App;

/// A field with what stands in it, and what is wrong with that.
struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    longest: usize,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "edit.html")]
pub(super) struct Edit {
    v: Visit,
    id: LinkId,
    called: String,
    /// When the link was last changed by a person, as the form knows it.
    was: String,
    fields: Vec<Field>,
}

impl Edit {
    fn of(v: Visit, listed: &ListedLink, form: Option<&Form>, problems: &[Wrong]) -> Self {
        let (t, link) = (v.t, &listed.link);
        let stored = Written::of(link);
        let field = |name: &'static str, label: &'static str, value: String, longest: usize| Field {
            name,
            label,
            value: form.map_or(value, |form| form.get(name).unwrap_or_default().to_owned()),
            longest,
            problem: problems.iter().find(|wrong| wrong.field == name).map(|wrong| wrong.text.clone()),
        };
        let fields = vec![
            field("name", t.name, stored.name, 200),
            field("url", t.url, stored.url, LONGEST_URL),
            field("page_url", t.links_page_optional, stored.page_url, LONGEST_URL),
            field("group", t.group, stored.group, 200),
            field("tags", t.tags_with_commas, stored.tags, 2_000),
            field("description", t.description, stored.description, 1_000),
        ];
        let was = form.and_then(|form| form.get(WAS)).map_or_else(|| changed_at(listed), str::to_owned);
        Self { id: link.id, called: link.name.to_string(), was, fields, v }
    }

    fn is_wrong(&self) -> bool {
        self.fields.iter().any(|field| field.problem.is_some())
    }
}

const LONGEST_URL: usize = 2_048;
/// The field with what [`changed_at`] said when the form was made.
const WAS: &str = "was";

fn changed_at(link: &ListedLink) -> String {
    link.updated_at.to_rfc3339()
}

/// What stands in the fields at first. URLs are without user name and password.
struct Written {
    name: String,
    url: String,
    page_url: String,
    group: String,
    tags: String,
    description: String,
}

impl Written {
    fn of(link: &Link) -> Self {
        let said = &link.attributes;
        let tags: Vec<_> =
            said.tags.iter().flat_map(|tags| tags.iter()).map(|tag| tag.as_str().to_owned()).collect();
        Self {
            name: link.name.to_string(),
            url: PublicUrl::from(&link.url).to_string(),
            page_url: link
                .page_url
                .as_ref()
                .map(|page| PublicUrl::from(page).to_string())
                .unwrap_or_default(),
            group: link.group.as_ref().map(ToString::to_string).unwrap_or_default(),
            tags: tags.join(", "),
            description: said.description.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// What is wrong with a field.
struct Wrong {
    field: &'static str,
    text: String,
}

pub(super) async fn show(
    State(app): State<App>,
    v: Visit,
    Path(id): Path<String>,
) -> Result<Page<Edit>, Problem> {
    let listed = find(&app, &id).await?;
    Ok(Page(Edit::of(v, &listed, None, &[])))
}

/// Takes what was written whole, or nothing of it. A link that somebody else has changed since the form was made is left as
/// it is.
pub(super) async fn take(
    State(app): State<App>,
    v: Visit,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let listed = find(&app, &id).await?;
    let link = &listed.link;
    let read = match changes(v.t, link, &form) {
        Ok(changes) => match taken(&app, &v, link, &changes).await? {
            None => Ok(changes),
            Some(wrong) => Err(vec![wrong]),
        },
        Err(wrong) => Err(wrong),
    };
    match read {
        Ok(changes) => {
            let was = form.get(WAS).map(str::to_owned);
            let still: StillSo = Arc::new(move |now| was.as_ref().is_none_or(|was| *was == changed_at(now)));
            match app.ports.store.set_link_if(link.id, &changes, still).await? {
                LinkSet::Set(_) => {
                    Ok(see(&v.to(&told::address(&format!("/links/{}", link.id), Done::Changed, 1))))
                }
                LinkSet::Another => Err(Problem::Conflict(v.t.edited_meanwhile.to_owned())),
                LinkSet::Gone => Err(Problem::NotFound),
            }
        }
        Err(wrong) => {
            let page = Page(Edit::of(v, &listed, Some(&form), &wrong));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn find(app: &App, id: &str) -> Result<ListedLink, Problem> {
    let id: LinkId = id.parse().map_err(|_| Problem::NotFound)?;
    app.ports.store.listed_link(id).await?.ok_or(Problem::NotFound)
}

/// That another link has the URL to which this one would move.
async fn taken(app: &App, v: &Visit, link: &Link, changes: &LinkChanges) -> Result<Option<Wrong>, Problem> {
    let Some(url) = &changes.url else { return Ok(None) };
    let found = app.ports.store.find_links(&url.key()).await?;
    let other = found.iter().find(|other| other.id != link.id && other.url.key() == url.key());
    Ok(other.map(|other| Wrong { field: "url", text: fill(v.t.url_taken, &[&other.name]) }))
}

/// The changes that the fields ask for.
fn changes(t: &Texts, link: &Link, form: &Form) -> Result<LinkChanges, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut keep = |field: &'static str, text: String| wrong.push(Wrong { field, text });
    let stored = Written::of(link);
    let mut changes = LinkChanges::default();
    match LinkName::parse(form.get("name").unwrap_or_default()) {
        Ok(name) => changes.name = Some(name),
        Err(BadName::Empty) => keep("name", t.field_needed.to_owned()),
        Err(BadName::TooLong) => keep("name", fill(t.field_too_long, &[&200])),
        Err(BadName::ControlCharacter) => keep("name", t.field_control.to_owned()),
    }
    // What stands there is without user name and password: unchanged, the stored one stays as it is.
    match form.get("url") {
        None => keep("url", t.field_needed.to_owned()),
        Some(url) if url == stored.url => {}
        Some(url) => match LinkUrl::parse(url) {
            Ok(url) => changes.url = Some(url),
            Err(_) => keep("url", t.field_bad_url.to_owned()),
        },
    }
    let mut without_page = false;
    match form.get("page_url") {
        None => without_page = true,
        Some(page) if page == stored.page_url => {}
        Some(page) => match LinkUrl::parse(page) {
            Ok(page) => changes.page_url = Some(page),
            Err(_) => keep("page_url", t.field_bad_url.to_owned()),
        },
    }
    match form.get("group").map(str::parse).transpose() {
        Ok(group) => changes.group = group,
        Err(error) => keep("group", bad_text(t, &error)),
    }
    match form.get("description").map(str::parse).transpose() {
        Ok(description) => changes.attributes.description = description,
        Err(error) => keep("description", bad_text(t, &error)),
    }
    // A tag may hold a comma, so tags that were left alone are not read.
    match form.get("tags").unwrap_or_default() {
        unchanged if unchanged == stored.tags => {}
        sent => match tags(sent) {
            Ok(tags) => changes.attributes.tags = Some(tags),
            Err(Some(error)) => keep("tags", bad_text(t, &error)),
            Err(None) => keep("tags", fill(t.too_many_tags, &[&Tags::MAX])),
        },
    }
    changes.without = Without {
        page_url: without_page,
        group: changes.group.is_none(),
        description: changes.attributes.description.is_none(),
        ..Without::default()
    };
    if wrong.is_empty() { Ok(changes) } else { Err(wrong) }
}

/// The labels that a text names. `Err(None)`: too many.
fn tags(text: &str) -> Result<Tags, Option<BadText>> {
    let texts = text.split([',', ';', '，', '；']).filter(|tag| !tag.trim().is_empty());
    let tags: BTreeSet<Tag> = texts.map(str::parse).collect::<Result<_, BadText>>().map_err(Some)?;
    Tags::try_from(tags).map_err(|_| None)
}

fn bad_text(t: &Texts, error: &BadText) -> String {
    match error {
        BadText::Empty => t.field_needed.to_owned(),
        BadText::TooLong(most) => fill(t.field_too_long, &[most]),
        BadText::ControlCharacter => t.field_control.to_owned(),
    }
}
