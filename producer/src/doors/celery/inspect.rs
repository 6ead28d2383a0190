//! What linkbeat says of itself as a Celery worker.

use linkbeat_store::{CeleryTask, TaskState};
use serde_json::{Map, Value, json};

use super::card::Card;
use super::{Desk, intake};

/// Tasks listed at most.
const LISTED: u32 = 200;
/// Tasks asked for at once, at most.
const ASKED: usize = 1_000;

pub(super) fn stats(desk: &Desk) -> Value {
    json!({
        "total": desk.teller.totals(),
        "pid": std::process::id(),
        "clock": desk.teller.tick().to_string(),
        "uptime": desk.teller.uptime().as_secs(),
        "broker": { "transport": "amqp", "hostname": desk.broker.servers() },
        "prefetch_count": intake::PREFETCH,
        "pool": { "implementation": "linkbeat", "max-concurrency": intake::PREFETCH, "processes": [std::process::id()] },
        "rusage": {},
    })
}

/// The settings under Celery's names. None of them is secret.
pub(super) fn conf(desk: &Desk) -> Value {
    let settings = &desk.settings;
    json!({
        "result_backend": settings.backend.to_string(),
        "result_expires": settings.result_expires_secs,
        "task_track_started": settings.track_started,
        "task_default_queue": settings.default_queue,
        "accept_content": ["json"],
        "enable_utc": true,
        "timezone": "UTC",
    })
}

pub(super) fn queues(desk: &Desk) -> Value {
    let queue = |name: &String| {
        json!({
            "name": name, "routing_key": name, "alias": null, "bindings": [],
            "exchange": { "name": name, "type": "direct", "arguments": null, "durable": true, "passive": false,
                          "auto_delete": false, "delivery_mode": null, "no_declare": false },
            "queue_arguments": null, "binding_arguments": null, "consumer_arguments": null,
            "durable": true, "exclusive": false, "auto_delete": false, "no_ack": false, "no_declare": null,
            "expires": null, "message_ttl": null, "max_length": null, "max_length_bytes": null, "max_priority": null,
        })
    };
    desk.settings.queues.iter().map(queue).collect()
}

pub(super) async fn active(desk: &Desk) -> Value {
    of_ours(desk, TaskState::Running, info).await
}

pub(super) async fn scheduled(desk: &Desk) -> Value {
    of_ours(
        desk,
        TaskState::Waiting,
        |task, card| json!({ "eta": card.eta, "priority": 6, "request": info(task, card) }),
    )
    .await
}

pub(super) async fn revoked(desk: &Desk) -> Value {
    let revoked = desk.store.tasks_in(TaskState::Revoked, LISTED).await;
    revoked
        .map_or_else(|error| failed(&error), |tasks| tasks.into_iter().map(|task| json!(task.id)).collect())
}

/// How these tasks stand: those that are under way here.
pub(super) async fn query(desk: &Desk, ids: &Value) -> Value {
    let ids = match ids {
        Value::String(id) => vec![id.clone()],
        Value::Array(ids) => ids.iter().take(ASKED).filter_map(|id| id.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let found = match desk.store.find_tasks(&ids).await {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    let known = found.into_iter().filter_map(|task| {
        let state = match task.state {
            TaskState::Running => "active",
            TaskState::Waiting => "scheduled",
            TaskState::Ended => "ready",
            TaskState::Answered | TaskState::Revoked => return None,
        };
        let card = Card::of(&task);
        Some((task.id.clone(), json!([state, info(&task, &card)])))
    });
    Value::Object(known.collect::<Map<_, _>>())
}

/// The tasks in this state that this producer took.
async fn of_ours(desk: &Desk, state: TaskState, told: impl Fn(&CeleryTask, &Card) -> Value) -> Value {
    match desk.store.tasks_in(state, LISTED).await {
        Err(error) => failed(&error),
        Ok(tasks) => {
            let cards = tasks.iter().map(|task| (task, Card::of(task)));
            let ours = cards.filter(|(_, card)| card.taken_by == desk.teller.hostname());
            ours.map(|(task, card)| told(task, &card)).collect()
        }
    }
}

fn info(task: &CeleryTask, card: &Card) -> Value {
    json!({
        "id": task.id, "name": card.name, "type": card.name, "args": card.args, "kwargs": card.kwargs,
        "hostname": card.taken_by, "time_start": card.received_at.timestamp_micros() as f64 / 1_000_000.0,
        "acknowledged": true, "worker_pid": std::process::id(),
        "delivery_info": { "exchange": "", "routing_key": card.queue, "priority": null, "redelivered": false },
    })
}

fn failed(error: &linkbeat_store::StoreError) -> Value {
    tracing::debug!(%error, "a question of Celery's control cannot be answered");
    json!({ "error": "linkbeat's database cannot be asked now" })
}
