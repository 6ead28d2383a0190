//! What people do about runs.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use linkbeat_shared::{Decision, LinkSelection, Request, RequestId, RunId};
use linkbeat_store::Decided;

use crate::pages::answer::{Page, Problem, see};
use crate::pages::confirm::Confirm;
use crate::pages::form::Form;
use crate::pages::told::{self, Done};
use crate::pages::visit::Visit;
use crate::serve::App;

/// Checks all active links now.
pub(super) async fn check_all(State(app): State<App>, v: Visit, _form: Form) -> Result<Response, Problem> {
    let request = Request::new(RequestId::new(), LinkSelection::Stored, app.ports.desk.options(), None);
    let filed = app.ports.desk.file(request).await?;
    Ok(see(&v.to(&told::address(&format!("/runs/{}", filed.run.id), Done::Filed, filed.run.links))))
}

/// Cancels a run, or decides about one that is held back. Each asks first.
pub(super) async fn act(
    State(app): State<App>,
    v: Visit,
    Path((id, action)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::NotFound)?;
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
