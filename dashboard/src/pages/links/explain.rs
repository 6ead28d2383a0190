//! Explain: checks a link now, and shows each step as it is taken.
//!
//! It works without script: the answer is one page that is sent piece by piece, and browsers show what has come.

use std::convert::Infallible;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use linkbeat_shared::LinkId;
use linkbeat_store::ListedLink;

use crate::feeds::html;
use crate::pages::answer::{Page, Problem};
use crate::pages::parts::Outside;
use crate::pages::visit::Visit;
use crate::serve::App;

/// Where the steps stand in the page.
const STEPS: &str = "<!--steps-->";

#[derive(Template)]
#[template(path = "explain.html")]
pub(super) struct ExplainPage {
    v: Visit,
    id: LinkId,
    name: String,
    url: Outside,
    /// The steps follow.
    checks: bool,
}

impl ExplainPage {
    fn new(v: Visit, listed: &ListedLink, checks: bool) -> Self {
        let link = &listed.link;
        Self { v, id: link.id, name: link.name.to_string(), url: Outside::new(&link.url), checks }
    }
}

/// Asks whether to check: to look at a page makes no request to anybody.
pub(super) async fn ask(
    State(app): State<App>,
    v: Visit,
    Path(id): Path<String>,
) -> Result<Page<ExplainPage>, Problem> {
    Ok(Page(ExplainPage::new(v, &link(&app, &id).await?, false)))
}

/// Checks, and sends the page meanwhile.
pub(super) async fn carry_out(
    State(app): State<App>,
    v: Visit,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let listed = link(&app, &id).await?;
    let lang = v.lang;
    let page = ExplainPage::new(v, &listed, true).render().map_err(|_| Problem::Broken)?;
    let (before, after) = page.split_once(STEPS).ok_or(Problem::Broken)?;
    let steps = app.ports.desk.explain(&listed.link, lang).map(|line| html(&line) + "\n");
    let steps = steps.take_until(app.stop.clone().cancelled_owned());
    let [before, after] = [before, after].map(|part| stream::iter([part.to_owned()]));
    let pieces = before.chain(steps).chain(after).map(Ok::<_, Infallible>);
    // Proxies send on what has come.
    let headers = [(header::CONTENT_TYPE.as_str(), "text/html; charset=utf-8"), ("x-accel-buffering", "no")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn link(app: &App, id: &str) -> Result<ListedLink, Problem> {
    let id: LinkId = id.parse().map_err(|_| Problem::NotFound)?;
    app.ports.store.listed_link(id).await?.ok_or(Problem::NotFound)
}
