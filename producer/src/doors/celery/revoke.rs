//! Calls tasks off: those that wait, those that run, and those that nobody has seen yet.

use std::time::Duration;

use linkbeat_shared::derived_id;
use linkbeat_store::{NewTask, StoreError, TaskChange, TaskState};
use serde_json::{Value, json};

use super::Desk;
use super::card::Card;
use super::outcome::Outcome;

/// Tasks called off by one order, at most.
const AT_ONCE: usize = 1_000;
/// Tasks that nobody has seen and that stay called off, at most. The order goes to the workers of all apps, so most of
/// these tasks are none of ours.
const KEPT: u64 = 10_000;
/// The longest id of a task.
const MOST_ID_BYTES: usize = 255;

/// Calls tasks off, by one id or several, and says so.
pub(super) async fn revoke(desk: &Desk, ids: &Value) -> Value {
    let ids: Vec<&str> = match ids {
        Value::String(id) => vec![id],
        Value::Array(ids) => ids.iter().filter_map(Value::as_str).take(AT_ONCE).collect(),
        _ => Vec::new(),
    };
    for id in ids.iter().filter(|id| !id.is_empty() && id.len() <= MOST_ID_BYTES && !id.contains('\0')) {
        if let Err(error) = revoke_one(desk, id).await {
            tracing::warn!(%error, "a task could not be called off");
            return json!({ "error": "linkbeat's database cannot be asked now" });
        }
    }
    desk.ended.notify_one();
    json!({ "ok": format!("tasks {} flagged as revoked", ids.join(", ").escape_debug()) })
}

async fn revoke_one(desk: &Desk, id: &str) -> Result<(), StoreError> {
    let known = desk.store.find_tasks(&[id.to_owned()]).await?.pop();
    let Some(task) = known else { return remember(desk, id).await };
    match (task.state, task.run) {
        (TaskState::Running, Some(run)) => {
            desk.store.cancel_run(run).await?;
        }
        (TaskState::Waiting, _) | (TaskState::Running, None) => {
            let outcome = Some(Outcome::revoked().to_json());
            let change = TaskChange { outcome, ..TaskChange::to(TaskState::Ended) };
            desk.store.change_task(id, &[task.state], change).await?;
        }
        (TaskState::Ended | TaskState::Answered | TaskState::Revoked, _) => {}
    }
    Ok(())
}

/// The task may come later.
async fn remember(desk: &Desk, id: &str) -> Result<(), StoreError> {
    if desk.store.count_tasks(TaskState::Revoked).await? >= KEPT {
        tracing::debug!("too many tasks are called off that nobody has seen");
        return Ok(());
    }
    let task = NewTask {
        id: id.to_owned(),
        request_id: derived_id::celery_request(id),
        state: TaskState::Revoked,
        card: Card::default().to_json(),
        outcome: None,
        due_in: Duration::ZERO,
    };
    desk.store.take_task(task).await.map(drop)
}
