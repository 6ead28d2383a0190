use askama::Template;
use axum::extract::State;
use linkbeat_shared::RunState;

use super::RunRow;
use crate::pages::answer::{Page, Problem};
use crate::pages::form::Form;
use crate::pages::parts::{Pager, State as Shown};
use crate::pages::visit::Visit;
use crate::pages::{ROWS, told};
use crate::serve::App;

const STATES: [RunState; 6] = [
    RunState::Running,
    RunState::HeldBack,
    RunState::Incomplete,
    RunState::Finished,
    RunState::Discarded,
    RunState::Cancelled,
];

#[derive(Template)]
#[template(path = "runs.html")]
pub(super) struct Runs {
    v: Visit,
    told: Option<String>,
    rows: Vec<RunRow>,
    pager: Pager,
    /// The value, the word, and whether it is chosen.
    states: Vec<(&'static str, &'static str, bool)>,
}

pub(super) async fn show(State(app): State<App>, v: Visit, query: Form) -> Result<Page<Runs>, Problem> {
    let state = query.get("state").and_then(|state| state.parse().ok());
    let page = query.page(ROWS)?;
    let runs = app.ports.store.browse_runs(state, &page).await?;
    let rows = runs.items.iter().map(|run| RunRow::new(&v, run)).collect();
    let states = STATES.map(|one| (one.as_str(), Shown::of_run(v.t, one).word, state == Some(one)));
    let kept = state.map(|state| format!("state={}", state.as_str())).unwrap_or_default();
    let pager = Pager::new(&v, "/runs", &kept, &page, runs.next.as_ref());
    let told = told::read(v.t, &query);
    Ok(Page(Runs { v, told, rows, pager, states: states.into() }))
}
