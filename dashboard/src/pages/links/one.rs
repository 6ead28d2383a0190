//! One link: how it stands and why, its latest checks, how it did, and every change.

use askama::Template;
use axum::extract::{Path, State};
use linkbeat_shared::LinkId;
use linkbeat_store::{ChangeQuery, ListedCheck, ListedLink, PageOf};

use super::period::{self, History, Period};
use super::why;
use crate::feeds::without_user;
use crate::pages::answer::{Page, Problem};
use crate::pages::changes::ChangeRow;
use crate::pages::form::Form;
use crate::pages::parts::{Outside, State as Shown, Waterfall, When, length, milliseconds, minute};
use crate::pages::told;
use crate::pages::visit::Visit;
use crate::serve::App;

/// Checks of the strip.
const CHECKS: u32 = 60;
/// Changes that the page itself lists.
const CHANGES: u32 = 20;

/// A check of the strip.
struct Bar {
    href: String,
    class: &'static str,
    /// What a screen reader says, and the line below the strip.
    name: String,
    /// The one that a tab reaches.
    is_stop: bool,
    state: Shown,
    at: When,
    why: Option<String>,
    status: Option<u16>,
    elapsed: Option<String>,
}

impl Bar {
    fn new(v: &Visit, check: &ListedCheck, is_stop: bool) -> Self {
        let state = Shown::of_check(v.t, check.verdict);
        let why = check.reason.as_ref().map(|reason| v.lang.reason_of(reason, check.details.failed));
        let elapsed = check.elapsed_ms.map(milliseconds);
        let told =
            [Some(minute(check.checked_at)), Some(state.word.to_owned()), why.clone(), elapsed.clone()];
        Self {
            href: v.to(&format!("/runs/{}", check.run_id)),
            class: state.class(),
            name: told.into_iter().flatten().collect::<Vec<_>>().join(", "),
            is_stop,
            state,
            at: When(check.checked_at),
            why,
            status: check.status,
            elapsed,
        }
    }
}

/// What is said of a link, and what its latest check saw.
struct Facts {
    host: String,
    group: Option<String>,
    tags: Vec<String>,
    description: Option<String>,
    feed: Option<Outside>,
    page_url: Option<Outside>,
    asks_backlink: bool,
    title: Option<String>,
    language: Option<String>,
    status: Option<u16>,
    elapsed: Option<String>,
    checked: Option<When>,
    redirects: Vec<Outside>,
    certificate: Option<(When, String, String)>,
    notes: Vec<&'static str>,
    added: When,
}

impl Facts {
    fn new(v: &Visit, listed: &ListedLink) -> Self {
        let (link, state) = (&listed.link, &listed.link.state);
        let details = &state.details;
        let tags = link.attributes.tags.iter().flat_map(|tags| tags.iter()).map(ToString::to_string);
        let certificate = details.certificate.as_ref().map(|certificate| {
            let left = length(v.t, certificate.expires_at - v.now);
            (When(certificate.expires_at), left, certificate.issuer.clone())
        });
        Self {
            host: listed.host.clone(),
            group: link.group.as_ref().map(ToString::to_string),
            tags: tags.collect(),
            description: link.attributes.description.as_ref().map(ToString::to_string),
            feed: link.attributes.feed.as_ref().map(|feed| Outside::new(&without_user(feed.as_str()))),
            page_url: link.page_url.as_ref().map(Outside::new),
            asks_backlink: link.backlink,
            title: details.title.as_deref().map(str::to_owned),
            language: details.language.as_deref().map(str::to_owned),
            status: state.status,
            elapsed: state.elapsed_ms.map(milliseconds),
            checked: state.last_checked_at.map(When),
            redirects: details.redirects.iter().map(Outside::new).collect(),
            certificate,
            notes: why::notes(v.lang, listed),
            added: When(listed.created_at),
        }
    }
}

#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage {
    v: Visit,
    told: Option<String>,
    id: LinkId,
    name: String,
    url: Outside,
    state: Shown,
    is_shown: bool,
    is_active: bool,
    is_pinned: bool,
    sentences: Vec<String>,
    facts: Facts,
    waterfall: Option<Waterfall>,
    /// The earliest first.
    bars: Vec<Bar>,
    period: Period,
    history: History,
    changes: Vec<ChangeRow>,
}

impl LinkPage {
    fn periods(&self) -> Vec<(String, &'static str, bool)> {
        let tab = |period: Period| {
            let href = self.v.to(&format!("/links/{}?period={}#history", self.id, period.as_str()));
            (href, period.word(self.v.t), period == self.period)
        };
        Period::ALL.into_iter().map(tab).collect()
    }

    fn here(&self) -> String {
        format!("/links/{}", self.id)
    }
}

pub(super) async fn show(
    State(app): State<App>,
    v: Visit,
    Path(id): Path<String>,
    query: Form,
) -> Result<Page<LinkPage>, Problem> {
    let id: LinkId = id.parse().map_err(|_| Problem::NotFound)?;
    let store = &app.ports.store;
    let listed = store.listed_link(id).await?.ok_or(Problem::NotFound)?;
    let of_link = ChangeQuery { link: Some(id), ..ChangeQuery::default() };
    let period = Period::read(query.get("period"));
    let first = |limit| PageOf { after: None, limit };
    let (page_of_checks, page_of_changes) = (first(CHECKS), first(CHANGES));
    let checks = async { Ok::<_, Problem>(store.browse_checks(id, &page_of_checks).await?.items) };
    let changes = async { Ok::<_, Problem>(store.browse_changes(&of_link, &page_of_changes).await?.items) };
    let (checks, changes, history) = tokio::try_join!(checks, changes, period::read(&app, &v, id, period))?;
    let bars = checks.iter().enumerate().rev().map(|(age, check)| Bar::new(&v, check, age == 0)).collect();
    let (link, state) = (&listed.link, &listed.link.state);
    Ok(Page(LinkPage {
        told: told::read(v.t, &query),
        id,
        name: link.name.to_string(),
        url: Outside::new(&link.url),
        state: Shown::of_link(v.t, state.verdict),
        is_shown: state.shown,
        is_active: link.active,
        is_pinned: link.pin.is_some(),
        sentences: why::sentences(&v, &listed),
        facts: Facts::new(&v, &listed),
        waterfall: state.phases.map(|phases| Waterfall::new(v.t, phases)),
        bars,
        period,
        history,
        changes: changes.iter().map(|change| ChangeRow::new(&v, change)).collect(),
        v,
    }))
}
