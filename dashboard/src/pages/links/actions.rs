//! What people do with links: with the checked ones of a page, or with all that match its filter.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use linkbeat_shared::{LinkFilter, LinkId, LinkSelection, NewLink, Pin, Pinned, Request};
use linkbeat_store::{LinkChanges, LinkQuery};

use super::Filter;
use crate::pages::answer::{Page, Problem, see};
use crate::pages::confirm::Confirm;
use crate::pages::form::{Form, PAUSE_END, pause_end_of};
use crate::pages::once::Once;
use crate::pages::parts::minute;
use crate::pages::runs::filed;
use crate::pages::told::{self, Done};
use crate::pages::visit::Visit;
use crate::pages::wording::fill;
use crate::serve::App;

/// Links that are read or changed in one transaction.
const PAGE: u32 = 500;
/// Most links that one form changes, so that it ends while somebody waits. A run of all links has no such limit.
const MOST: usize = 20_000;

/// Which links a form is about.
enum Scope {
    Chosen(Vec<LinkId>),
    AllOf(Box<Filter>),
}

impl Scope {
    /// A filter that cannot be read whole would mean more links than somebody chose, so it is refused.
    fn read(form: &Form) -> Result<Self, Problem> {
        if form.get("scope") != Some("all") {
            return Ok(Self::Chosen(form.all("id").filter_map(|id| id.parse().ok()).collect()));
        }
        let sent = form.below("filter-");
        match Filter::read(&sent) {
            filter if filter.says_all_of(&sent) => Ok(Self::AllOf(Box::new(filter))),
            _ => Err(Problem::Unreadable(|t| t.filter_unreadable)),
        }
    }

    /// What a second form must send to mean the same links.
    fn fields(&self) -> Vec<(String, String)> {
        match self {
            Self::Chosen(ids) => ids.iter().map(|id| ("id".to_owned(), id.to_string())).collect(),
            Self::AllOf(filter) => {
                let filter =
                    filter.fields().into_iter().map(|(name, value)| (format!("filter-{name}"), value));
                filter.chain([("scope".to_owned(), "all".to_owned())]).collect()
            }
        }
    }

    async fn ids(&self, app: &App, v: &Visit) -> Result<Vec<LinkId>, Problem> {
        let ids = match self {
            Self::Chosen(ids) => ids.clone(),
            Self::AllOf(filter) => matching(app, &filter.query).await?,
        };
        match ids.len() {
            0 => Err(Problem::BadInput(v.t.nothing_chosen.to_owned())),
            links if links > MOST => Err(Problem::BadInput(fill(v.t.too_many_links, &[&MOST]))),
            _ => Ok(ids),
        }
    }
}

/// The ids of links that match, one more than are taken at most.
async fn matching(app: &App, query: &LinkQuery) -> Result<Vec<LinkId>, Problem> {
    let mut ids: Vec<LinkId> = Vec::new();
    while ids.len() <= MOST {
        let page = app.ports.store.matching_ids(query, ids.last().copied(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        ids.extend(page);
        if is_last {
            break;
        }
    }
    Ok(ids)
}

/// What is to be done with them.
enum Action {
    Check,
    Change(Box<LinkChanges>, Done),
    Remove,
}

impl Action {
    fn read(form: &Form, v: &Visit) -> Result<Self, Problem> {
        let change = |changes: LinkChanges, done: Done| Self::Change(Box::new(changes), done);
        let pin = |to| LinkChanges { pin: Some(Some(Pin { to, note: None })), ..LinkChanges::default() };
        let active = |active| LinkChanges { active: Some(active), ..LinkChanges::default() };
        Ok(match form.get("action") {
            Some("check") => Self::Check,
            Some("hide") => change(pin(Pinned::Hidden), Done::KeptHidden),
            Some("show") => change(pin(Pinned::Shown), Done::KeptShown),
            Some("unpin") => {
                change(LinkChanges { pin: Some(None), ..LinkChanges::default() }, Done::LeftToChecks)
            }
            Some("pause") => {
                change(LinkChanges { paused_until: pause_end_of(form, v)?, ..active(false) }, Done::Paused)
            }
            Some("resume") => change(active(true), Done::Resumed),
            Some("group") => {
                let group =
                    form.get("group").ok_or_else(|| Problem::BadInput(v.t.group_missing.to_owned()))?;
                let group = group.parse().map_err(|_| Problem::BadInput(v.t.group_unusable.to_owned()))?;
                change(LinkChanges { group: Some(group), ..LinkChanges::default() }, Done::Grouped)
            }
            Some("remove") => Self::Remove,
            _ => return Err(Problem::BadInput(v.t.no_action.to_owned())),
        })
    }

    /// Whether a person is asked first: what takes something away, and what touches links that are not on the page.
    fn asks(&self, scope: &Scope) -> bool {
        let takes_away = match self {
            Self::Remove => true,
            Self::Change(changes, _) => matches!(&changes.pin, Some(Some(pin)) if pin.to == Pinned::Hidden),
            Self::Check => false,
        };
        takes_away || matches!(scope, Scope::AllOf(_))
    }
}

pub(super) async fn act(State(app): State<App>, v: Visit, form: Form) -> Result<Response, Problem> {
    let (scope, action) = (Scope::read(&form)?, Action::read(&form, &v)?);
    let back = form.back("/links").to_owned();
    if action.asks(&scope) && !form.is_sure() {
        return Ok(Page(question(&app, v, &form, &scope, &action, &back).await?).into_response());
    }
    if let Action::Check = action {
        return check(&app, &v, &form, &scope).await;
    }
    let ids = scope.ids(&app, &v).await?;
    let (mut number, store) = (0, &app.ports.store);
    let mut done = Done::Removed;
    for page in ids.chunks(PAGE as usize) {
        number += match &action {
            Action::Change(changes, what) => {
                done = *what;
                store.set_links(page, changes).await?
            }
            Action::Remove | Action::Check => store.remove_links(page).await?,
        };
    }
    // The page of a link that was removed is gone.
    let back = if done == Done::Removed && is_of_link(&back) { "/links" } else { &back };
    Ok(see(&v.to(&told::address(back, done, number))))
}

fn is_of_link(back: &str) -> bool {
    back.strip_prefix("/links/").is_some_and(|rest| rest.len() >= 36)
}

/// Files a run of these links.
async fn check(app: &App, v: &Visit, form: &Form, scope: &Scope) -> Result<Response, Problem> {
    let id = match Once::read(app, form, &format!("check {:?}", scope.fields())).await? {
        Once::Filed(run) => return Ok(filed(v, &run)),
        Once::Request(id) => id,
    };
    let links = match scope {
        Scope::AllOf(filter) if filter.is_empty() => LinkSelection::Stored,
        Scope::AllOf(filter) if is_of_groups(filter) => LinkSelection::matching(LinkFilter {
            groups: filter.query.group.iter().cloned().collect(),
            tags: filter.query.tag.iter().cloned().collect(),
        }),
        scope => {
            let ids = scope.ids(app, v).await?;
            let mut links = Vec::with_capacity(ids.len());
            for page in ids.chunks(PAGE as usize) {
                let found = app.ports.store.links_of(page).await?;
                links.extend(found.into_iter().map(|link| NewLink::from_url(link.url)));
            }
            LinkSelection::given(links)
        }
    };
    let request = Request::new(id, links, app.ports.desk.options(), None);
    Ok(filed(v, &app.ports.desk.file(request).await?.run))
}

/// Whether a filter asks for nothing but a group and a tag.
fn is_of_groups(filter: &Filter) -> bool {
    filter.fields().iter().all(|(name, _)| matches!(*name, "group" | "tag"))
}

/// When the pause ends that is asked for.
fn until_of(action: &Action) -> Option<DateTime<Utc>> {
    let Action::Change(changes, _) = action else { return None };
    changes.paused_until
}

async fn question(
    app: &App,
    v: Visit,
    form: &Form,
    scope: &Scope,
    action: &Action,
    back: &str,
) -> Result<Confirm, Problem> {
    let t = v.t;
    let links = match scope {
        Scope::AllOf(filter) => {
            let count =
                app.ports.store.count_links(&filter.query, u32::try_from(MOST).unwrap_or(u32::MAX)).await?;
            super::list::counted(&v, count)
        }
        Scope::Chosen(_) => fill(t.count_exactly, &[&scope.ids(app, &v).await?.len()]),
    };
    let (yes, text, danger) = match action {
        Action::Check => (t.check_now, t.ask_check, false),
        Action::Remove => (t.remove, t.ask_remove, true),
        Action::Change(_, Done::KeptHidden) => (t.keep_hidden, t.ask_hide, false),
        Action::Change(_, Done::KeptShown) => (t.keep_shown, t.ask_show, false),
        Action::Change(_, Done::LeftToChecks) => (t.leave_to_checks, t.ask_unpin, false),
        Action::Change(changes, Done::Paused) if changes.paused_until.is_some() => {
            (t.pause, t.ask_pause_until, false)
        }
        Action::Change(_, Done::Paused) => (t.pause, t.ask_pause, false),
        Action::Change(_, Done::Resumed) => (t.resume, t.ask_resume, false),
        Action::Change(..) => (t.set_group, t.ask_group, false),
    };
    let mut fields = scope.fields();
    for name in ["action", "group", "until", "request", "back"] {
        fields.extend(form.get(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    // The moment that the question names: `2d` once more would be two days from the answer.
    let end = until_of(action).map(|end| end.to_rfc3339_opts(SecondsFormat::Secs, true));
    fields.extend(end.map(|end| (PAUSE_END.to_owned(), end)));
    Ok(Confirm {
        title: format!("{yes}: {links}"),
        text: vec![until_of(action).map_or_else(|| text.to_owned(), |until| fill(text, &[&minute(until)]))],
        action: v.to("/links/actions"),
        fields,
        yes,
        danger,
        back: v.to(back),
        v,
    })
}
