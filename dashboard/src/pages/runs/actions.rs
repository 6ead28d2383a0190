//! What people do about runs.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use linkbeat_shared::{Decision, LinkSelection, Request, Run, RunId};
use linkbeat_store::Decided;

use crate::pages::answer::{Page, Problem, see};
use crate::pages::confirm::Confirm;
use crate::pages::form::Form;
use crate::pages::once::Once;
use crate::pages::told::{self, Done};
use crate::pages::visit::Visit;
use crate::serve::App;

/// Checks all active links now.
pub(super) async fn check_all(State(app): State<App>, v: Visit, form: Form) -> Result<Response, Problem> {
    let run = match Once::read(&app, &form, "all").await? {
        Once::Filed(run) => *run,
        Once::Request(id) => {
            let request = Request::new(id, LinkSelection::Stored, app.ports.desk.options(), None);
            app.ports.desk.file(request).await?.run
        }
    };
    Ok(filed(&v, &run))
}

/// Leads to a run that is filed.
pub(in crate::pages) fn filed(v: &Visit, run: &Run) -> Response {
    see(&v.to(&told::address(&format!("/runs/{}", run.id), Done::Filed, run.links)))
}

/// Files a run that is asked the same as this one.
async fn repeat(app: &App, v: &Visit, id: RunId, form: &Form) -> Result<Response, Problem> {
    app.ports.store.run(id).await?.ok_or(Problem::NotFound)?;
    let run = match Once::read(app, form, &format!("repeat {id}")).await? {
        Once::Filed(run) => *run,
        Once::Request(request) => app.ports.desk.repeat_run(id, request).await?.run,
    };
    Ok(filed(v, &run))
}

/// Cancels a run, or decides about one that is held back: these ask first. Or repeats it.
pub(super) async fn act(
    State(app): State<App>,
    v: Visit,
    Path((id, action)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::NotFound)?;
    if action == "repeat" {
        return repeat(&app, &v, id, &form).await;
    }
    let page = format!("/runs/{id}");
    let action = Action::read(&action).ok_or(Problem::NotFound)?;
    if !form.is_sure() {
        return Ok(Page(question(v, &page, action)).into_response());
    }
    let done = match action {
        Action::Cancel => {
            app.ports.store.cancel_run(id).await?.ok_or(Problem::NotFound)?;
            Done::Cancelled
        }
        Action::Decide(decision) => {
            let decided = app.ports.store.decide_run(id, decision).await?.ok_or(Problem::NotFound)?;
            match (decided, decision) {
                (Decided::Now, Decision::Applied) => Done::Applied,
                (Decided::Before(before), Decision::Applied) if before == decision => Done::Applied,
                (Decided::Now, Decision::Discarded) => Done::Discarded,
                (Decided::Before(before), Decision::Discarded) if before == decision => Done::Discarded,
                _ => return Err(Problem::Conflict(v.t.nothing_to_decide.to_owned())),
            }
        }
    };
    Ok(see(&v.to(&told::address(&page, done, 1))))
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Cancel,
    Decide(Decision),
}

impl Action {
    fn read(word: &str) -> Option<Self> {
        match word {
            "cancel" => Some(Self::Cancel),
            "apply" => Some(Self::Decide(Decision::Applied)),
            "discard" => Some(Self::Decide(Decision::Discarded)),
            _ => None,
        }
    }
}

fn question(v: Visit, page: &str, action: Action) -> Confirm {
    let t = v.t;
    let (title, text, yes, word) = match action {
        Action::Cancel => (t.cancel_run_ask, t.cancel_run_text, t.cancel_run, "cancel"),
        Action::Decide(Decision::Applied) => (t.apply_ask, t.apply_text, t.apply, "apply"),
        Action::Decide(Decision::Discarded) => (t.discard_ask, t.discard_text, t.discard, "discard"),
    };
    Confirm {
        title: title.to_owned(),
        text: vec![text.to_owned()],
        action: v.to(&format!("{page}/{word}")),
        fields: Vec::new(),
        yes,
        danger: matches!(action, Action::Cancel),
        back: v.to(page),
        v,
    }
}
