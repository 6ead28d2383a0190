//! The workers that live, as they told the broker of themselves. A page of its own, because it takes seconds.

use askama::Template;
use axum::extract::State;

use super::answer::{Page, Problem};
use super::parts::When;
use super::visit::Visit;
use crate::ports::WorkerSeen;
use crate::serve::App;

struct Row {
    name: String,
    state: String,
    version: String,
    started: When,
    under_way: u64,
    concurrency: u64,
    checked: u64,
}

impl From<WorkerSeen> for Row {
    fn from(WorkerSeen(worker): WorkerSeen) -> Self {
        Self {
            name: worker.name,
            state: worker.state,
            version: worker.version,
            started: When(worker.started_at),
            under_way: worker.under_way,
            concurrency: worker.concurrency,
            checked: worker.checked,
        }
    }
}

#[derive(Template)]
#[template(path = "workers.html")]
pub(super) struct Workers {
    v: Visit,
    rows: Vec<Row>,
}

pub(super) async fn show(State(app): State<App>, v: Visit) -> Result<Page<Workers>, Problem> {
    let queues = app.ports.queues.as_ref().ok_or(Problem::NotFound)?;
    let rows = queues.workers().await?.into_iter().map(Row::from).collect();
    Ok(Page(Workers { v, rows }))
}
