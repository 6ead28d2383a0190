//! What nobody could do: jobs without a result, and the messages that the broker keeps aside.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use linkbeat_store::ParkedJob;
use uuid::Uuid;

use super::ROWS;
use super::answer::{Page, Problem, see};
use super::confirm::Confirm;
use super::form::Form;
use super::parts::{Pager, When};
use super::told::{self, Done};
use super::visit::Visit;
use crate::ports::{ParkedMessage, Queues};
use crate::serve::App;

/// Messages that are looked at.
const MESSAGES: u32 = 100;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/parked", get(show)).route("/parked/messages", get(messages).post(act))
}

struct Job {
    id: String,
    run: String,
    missing: u64,
    cause: Option<String>,
}

impl Job {
    fn new(v: &Visit, job: &ParkedJob) -> Self {
        let run = v.to(&format!("/runs/{}", job.run_id));
        Self { id: job.id.to_string(), run, missing: job.missing, cause: job.cause.clone() }
    }
}

#[derive(Template)]
#[template(path = "parked.html")]
struct Parked {
    v: Visit,
    rows: Vec<Job>,
    has_broker: bool,
    pager: Pager,
}

async fn show(State(app): State<App>, v: Visit, query: Form) -> Result<Page<impl Template>, Problem> {
    let page = query.page(ROWS)?;
    let jobs = app.ports.store.browse_parked(&page).await?;
    let pager = Pager::new(&v, "/parked", "", &page, jobs.next.as_ref());
    let rows = jobs.items.iter().map(|job| Job::new(&v, job)).collect();
    Ok(Page(Parked { v, rows, has_broker: app.ports.queues.is_some(), pager }))
}

struct Message {
    id: Uuid,
    queue: Option<String>,
    cause: String,
    at: Option<When>,
    attempts: u32,
}

impl From<ParkedMessage> for Message {
    fn from(message: ParkedMessage) -> Self {
        let ParkedMessage { id, queue, cause, parked_at, attempts } = message;
        Self { id, queue, cause, at: parked_at.map(When), attempts }
    }
}

#[derive(Template)]
#[template(path = "parked_messages.html")]
struct Messages {
    v: Visit,
    told: Option<String>,
    rows: Vec<Message>,
}

/// They are on a page of their own, because the broker takes seconds to tell them.
async fn messages(State(app): State<App>, v: Visit, query: Form) -> Result<Page<impl Template>, Problem> {
    let parked = queues(&app)?.parked(MESSAGES).await?;
    let told = told::read(v.t, &query);
    Ok(Page(Messages { v, told, rows: parked.into_iter().map(Message::from).collect() }))
}

fn queues(app: &App) -> Result<&dyn Queues, Problem> {
    app.ports.queues.as_deref().ok_or(Problem::NotFound)
}

/// Puts messages back, or drops them once somebody has said yes.
async fn act(State(app): State<App>, v: Visit, form: Form) -> Result<Response, Problem> {
    let ids: Vec<Uuid> = form.all("id").filter_map(|id| id.parse().ok()).collect();
    if ids.is_empty() {
        return Err(Problem::BadInput(v.t.nothing_chosen.to_owned()));
    }
    let (done, number) = match form.get("action") {
        Some("requeue") => (Done::Requeued, queues(&app)?.requeue(ids).await?),
        Some("drop") if form.is_sure() => (Done::Dropped, queues(&app)?.forget(ids).await?),
        Some("drop") => return Ok(Page(question(v, &ids)).into_response()),
        _ => return Err(Problem::BadInput(v.t.no_action.to_owned())),
    };
    Ok(see(&v.to(&told::address("/parked/messages", done, number))))
}

fn question(v: Visit, ids: &[Uuid]) -> Confirm {
    let ids = ids.iter().map(|id| ("id".to_owned(), id.to_string()));
    Confirm {
        title: format!("{}: {}", v.t.drop_messages, ids.len()),
        text: vec![v.t.ask_drop.to_owned()],
        action: v.to("/parked/messages"),
        fields: ids.chain([("action".to_owned(), "drop".to_owned())]).collect(),
        yes: v.t.drop_messages,
        danger: true,
        back: v.to("/parked/messages"),
        v,
    }
}
