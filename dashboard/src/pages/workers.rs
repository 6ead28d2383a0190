//! The workers that live, as they told the broker of themselves. A page of its own, because it takes seconds.

use askama::Template;
use axum::extract::State;

use super::answer::{Page, Problem};
use super::parts::When;
use super::visit::Visit;
use super::wording::{Texts, fill};
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

impl Row {
    fn new(t: &Texts, WorkerSeen(worker): WorkerSeen) -> Self {
        Self {
            name: worker.name,
            state: state(t, &worker.state),
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
    let rows = queues.workers().await?.into_iter().map(|worker| Row::new(v.t, worker)).collect();
    Ok(Page(Workers { v, rows }))
}

/// What a worker says when it is paused: this, and the word for why.
pub(super) const PAUSED: &str = "paused: ";

/// How a worker is, as people say it. What a newer worker says stays as it is.
fn state(t: &Texts, said: &str) -> String {
    let why = |why| match why {
        "offline" => t.worker_offline,
        "intercepted" => t.worker_intercepted,
        "proxy" => t.worker_proxy,
        "resources" => t.worker_resources,
        "stalled" => t.worker_stalled,
        other => other,
    };
    match (said, said.strip_prefix(PAUSED)) {
        ("starting", _) => t.worker_starting.to_owned(),
        ("working", _) => t.worker_working.to_owned(),
        (_, Some(word)) => fill(t.worker_paused, &[&why(word)]),
        (other, None) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::Lang;

    use super::*;

    #[test]
    fn the_state_of_a_worker_is_told_in_words() {
        let told = |said| [Lang::En, Lang::Zh].map(|lang| state(Texts::of(lang), said));
        assert_eq!(told("working"), ["working", "工作中"]);
        assert_eq!(told("paused: offline"), ["paused: it is offline", "已暂停：无法联网"]);
        assert_eq!(told("paused: moon"), ["paused: moon", "已暂停：moon"]);
        assert_eq!(told("dreaming"), ["dreaming", "dreaming"]);
    }
}
