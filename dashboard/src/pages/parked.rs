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
use super::parts::{Pager, When, size};
use super::told::{self, Done};
use super::visit::Visit;
use super::wording::fill;
use crate::feeds::among_words;
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
        Self {
            id: job.id.to_string(),
            run,
            missing: job.missing,
            cause: job.cause.as_deref().map(among_words),
        }
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
    run: Option<String>,
    cause: String,
    at: Option<When>,
    attempts: u32,
    size: String,
}

impl Message {
    fn new(v: &Visit, message: ParkedMessage) -> Self {
        let ParkedMessage { id, queue, run, cause, parked_at, attempts, bytes } = message;
        let run = run.map(|run| v.to(&format!("/runs/{run}")));
        Self {
            id,
            queue,
            run,
            cause: among_words(&cause),
            at: parked_at.map(When),
            attempts,
            size: size(bytes),
        }
    }
}

#[derive(Template)]
#[template(path = "parked_messages.html")]
struct Messages {
    v: Visit,
    told: Option<String>,
    rows: Vec<Message>,
    /// How many there are.
    count: String,
    /// That these are not all of them.
    others: Option<String>,
}

/// They are on a page of their own, because the broker takes seconds to tell them.
async fn messages(State(app): State<App>, v: Visit, query: Form) -> Result<Page<impl Template>, Problem> {
    let parked = queues(&app)?.parked(MESSAGES).await?;
    let told = told::read(v.t, &query);
    let rows: Vec<_> = parked.messages.into_iter().map(|message| Message::new(&v, message)).collect();
    let is_part = parked.all > rows.len() as u64;
    Ok(Page(Messages {
        told,
        count: fill(v.t.count_exactly, &[&parked.all]),
        others: is_part.then(|| fill(v.t.oldest_parked, &[&rows.len()])),
        rows,
        v,
    }))
}

fn queues(app: &App) -> Result<&dyn Queues, Problem> {
    app.ports.queues.as_deref().ok_or(Problem::NotFound)
}

/// Puts messages back, or drops them once somebody has said yes.
async fn act(State(app): State<App>, v: Visit, form: Form) -> Result<Response, Problem> {
    let ids: Vec<Uuid> = form.all("id").filter_map(|id| id.parse().ok()).collect();
    if ids.is_empty() {
        return Err(Problem::BadInput(v.t.no_message_chosen.to_owned()));
    }
    let chosen = ids.len() as u64;
    let (done, left, number) = match form.get("action") {
        Some("requeue") => (Done::Requeued, Done::NotAllRequeued, queues(&app)?.requeue(ids).await?),
        Some("drop") if form.is_sure() => {
            (Done::Dropped, Done::NotAllDropped, queues(&app)?.forget(ids).await?)
        }
        Some("drop") => return Ok(Page(question(v, &ids)).into_response()),
        _ => return Err(Problem::BadInput(v.t.no_message_action.to_owned())),
    };
    let done = if number < chosen { left } else { done };
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
