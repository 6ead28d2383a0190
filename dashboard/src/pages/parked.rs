//! Jobs that nobody could do.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use linkbeat_store::ParkedJob;

use super::ROWS;
use super::answer::{Page, Problem};
use super::form::Form;
use super::parts::Pager;
use super::visit::Visit;
use crate::serve::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/parked", get(show))
}

struct Row {
    id: String,
    run: String,
    missing: u64,
    cause: Option<String>,
}

impl Row {
    fn new(v: &Visit, job: &ParkedJob) -> Self {
        let run = v.to(&format!("/runs/{}", job.run_id));
        Self { id: job.id.to_string(), run, missing: job.missing, cause: job.cause.clone() }
    }
}

#[derive(Template)]
#[template(path = "parked.html")]
struct Parked {
    v: Visit,
    rows: Vec<Row>,
    pager: Pager,
}

async fn show(State(app): State<App>, v: Visit, query: Form) -> Result<Page<impl Template>, Problem> {
    let page = query.page(ROWS)?;
    let jobs = app.ports.store.browse_parked(&page).await?;
    let pager = Pager::new(&v, "/parked", "", &page, jobs.next.as_ref());
    let rows = jobs.items.iter().map(|job| Row::new(&v, job)).collect();
    Ok(Page(Parked { v, rows, pager }))
}
