//! Tasks that wait for their time. They wait in the database, so nobody holds their messages meanwhile, and they can be
//! called off and listed.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::Request;
use linkbeat_store::{CeleryTask, StoreError, TaskChange, TaskState};
use tokio_util::sync::CancellationToken;

use super::card::Card;
use super::failure::{Failure, Kind};
use super::outcome::Outcome;
use super::{Desk, intake};

/// Tasks claimed at once.
const PAGE: u32 = 16;
/// How long a claim holds: another producer takes over after that.
const HOLD: Duration = Duration::from_secs(60);
/// The longest time between two looks. Another producer may have kept a task that is due before the next one here.
const LOOK: Duration = Duration::from_secs(1);

/// Files waiting tasks when they are due, until `shutdown`.
pub(super) async fn run(desk: &Arc<Desk>, shutdown: &CancellationToken) {
    let mut failing = false;
    let working = async {
        loop {
            let looked = look(desk).await;
            let wait = match &looked {
                Ok(next) => next.unwrap_or(LOOK).min(LOOK),
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "tasks that are due cannot be looked up; trying again");
                    }
                    LOOK
                }
            };
            failing = looked.is_err();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = desk.waiting.notified() => {}
            }
        }
    };
    tokio::select! {
        () = working => {}
        () = shutdown.cancelled() => {}
    }
}

/// Files what is due, and says how long it is to the next one.
async fn look(desk: &Arc<Desk>) -> Result<Option<Duration>, StoreError> {
    loop {
        let due = desk.store.due_tasks(PAGE, HOLD).await?;
        if due.is_empty() {
            return desk.store.next_task().await;
        }
        for task in due {
            begin(desk, &task).await?;
        }
    }
}

async fn begin(desk: &Arc<Desk>, task: &CeleryTask) -> Result<(), StoreError> {
    let mut card = Card::of(task);
    let end = async |outcome: Outcome| {
        let change = TaskChange { outcome: Some(outcome.to_json()), ..TaskChange::to(TaskState::Ended) };
        desk.store.change_task(&task.id, &[TaskState::Waiting], change).await?;
        desk.ended.notify_one();
        Ok(())
    };
    if card.is_expired() {
        return end(Outcome::expired()).await;
    }
    let parsed = card.request.take().map(|message| message.into_request(None));
    let Some(Ok(request)) = parsed else {
        // It was parsed before it was kept.
        return end(Outcome::failed(&Failure::new(Kind::Runtime, "linkbeat lost what this task asks for")))
            .await;
    };
    let request = Request { trace: card.trace(), ..request };
    intake::file(desk, &task.id, &card, TaskState::Waiting, request).await?;
    let change = TaskChange { card: Some(card.to_json()), ..TaskChange::to(TaskState::Running) };
    desk.store.change_task(&task.id, &[TaskState::Waiting], change).await?;
    // Its run may have ended meanwhile.
    desk.ended.notify_one();
    Ok(())
}
