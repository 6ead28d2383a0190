//! Tells callers how their tasks ended, beside the intake. What cannot be told now stays in the database and is tried
//! again.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{Broker, Event};
use linkbeat_store::{CeleryTask, StoreError, TaskChange, TaskState};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::backend::Untold;
use super::card::Card;
use super::outcome::{Outcome, Status, Told};
use super::{Desk, follow_up};

/// Results told at once.
const AT_ONCE: usize = 16;
/// How long telling one may take.
const LIMIT: Duration = Duration::from_secs(15);
/// How long a claim holds: another producer takes over after that.
const HOLD: Duration = Duration::from_secs(60);
/// How often ended tasks are looked for without a sign of them.
const LOOK: Duration = Duration::from_secs(2);
/// How long a result that could not be told waits, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often old tasks are forgotten, and how many in one go.
const FORGET_EVERY: Duration = Duration::from_secs(60);
const FORGOTTEN: u32 = 1_000;
/// How long a task stays known after it was answered: so long a message of it that comes again is harmless. After that
/// its run is still known.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How long a task that nobody has seen stays called off: as in Celery.
const REVOKED_FOR: Duration = Duration::from_secs(3 * 3_600);

/// Tasks whose beginning is told at this moment.
static STARTING: Semaphore = Semaphore::const_new(AT_ONCE);

/// Wakes [`run`] when a run ends.
pub(super) async fn watch_runs(desk: &Desk, shutdown: &CancellationToken) {
    let watching = async {
        let Ok(mut events) = desk.outbox.broker.events("run.*").await else { return };
        while let Some(event) = events.next().await {
            if !matches!(&event, Event::Published { key, .. } if key == linkbeat_shared::wire::RUN_STARTED) {
                desk.ended.notify_one();
            }
        }
    };
    tokio::select! {
        () = watching => {}
        () = shutdown.cancelled() => {}
    }
}

/// Tells how tasks ended, until `shutdown`.
pub(super) async fn run(desk: &Arc<Desk>, shutdown: &CancellationToken) {
    let (mut telling, mut failing, mut forgotten) = (JoinSet::new(), false, None::<Instant>);
    loop {
        let mut looked = claim(desk, &mut telling).await;
        if looked.is_ok() && forgotten.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
            looked = forget(desk).await;
            forgotten = Some(Instant::now());
        }
        match &looked {
            Ok(()) if failing => tracing::info!("ended tasks are looked up again"),
            Err(error) if !failing => tracing::warn!(%error, "ended tasks cannot be looked up; trying again"),
            Ok(()) | Err(_) => {}
        }
        failing = looked.is_err();
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = desk.ended.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(_) = telling.join_next(), if telling.len() >= AT_ONCE => {}
        }
    }
    // What is under way is told; the rest is told by another producer, or by the next one.
    let _ = timeout(FIRST_PAUSE, async { while telling.join_next().await.is_some() {} }).await;
}

/// Begins to tell as many as there is room for.
async fn claim(desk: &Arc<Desk>, telling: &mut JoinSet<()>) -> Result<(), StoreError> {
    loop {
        while telling.try_join_next().is_some() {}
        let room = AT_ONCE.saturating_sub(telling.len());
        if room == 0 {
            return Ok(());
        }
        let ended = desk.store.ended_tasks(u32::try_from(room).unwrap_or(1), HOLD).await?;
        let all = ended.len() < room;
        for task in ended {
            let desk = desk.clone();
            telling.spawn(async move {
                if let Err(error) = answer(&desk, &task).await {
                    tracing::debug!(task.id = task.id, %error, "a task is answered later");
                }
            });
        }
        if all {
            return Ok(());
        }
    }
}

async fn answer(desk: &Desk, task: &CeleryTask) -> Result<(), StoreError> {
    let mut card = Card::of(task);
    let from = [TaskState::Running, TaskState::Ended];
    let Some(outcome) = Outcome::of(task, &*desk.store).await? else {
        let due_in = LOOK;
        return desk
            .store
            .change_task(&task.id, &from, TaskChange { due_in, ..TaskChange::to(task.state) })
            .await
            .map(drop);
    };
    let told = timeout(LIMIT, tell(desk, task, &mut card, &outcome)).await;
    let told = told.unwrap_or_else(|_| Err(Untold(format!("no answer within {} s", LIMIT.as_secs()))));
    let change = match told {
        Ok(()) => TaskChange::to(TaskState::Answered),
        Err(error) => later(desk, task, &error),
    };
    keep(desk, task, card, change).await
}

/// Keeps what was done about a task. If somebody asked again meanwhile, it is to be told again.
async fn keep(desk: &Desk, task: &CeleryTask, card: Card, change: TaskChange) -> Result<(), StoreError> {
    let from = [TaskState::Running, TaskState::Ended];
    let done = TaskChange { if_card: Some(task.card.clone()), card: Some(card.to_json()), ..change };
    if desk.store.change_task(&task.id, &from, done).await? {
        return Ok(());
    }
    let Some(now) = desk.store.find_tasks(std::slice::from_ref(&task.id)).await?.pop() else { return Ok(()) };
    let card = Card { sent: card.sent, counted: card.counted, ..Card::of(&now) };
    let again = TaskChange { card: Some(card.to_json()), ..TaskChange::to(TaskState::Ended) };
    desk.store.change_task(&task.id, &from, again).await?;
    desk.ended.notify_one();
    Ok(())
}

/// Sends what follows, and tells the result. Neither waits for the other: a queue that is not there holds up no result.
async fn tell(desk: &Desk, task: &CeleryTask, card: &mut Card, outcome: &Outcome) -> Result<(), Untold> {
    if !card.counted {
        // An event of a repeated answer would count the task twice.
        desk.teller.ended(&task.id, card, outcome, task.run.is_some());
        card.counted = true;
    }
    let followed = follow(desk, task, card, outcome).await;
    if !card.told && !card.ignore_result {
        let done_at = Some(Utc::now());
        for id in [Some(&task.id), card.chord.as_ref()].into_iter().flatten() {
            desk.backend.tell(&Told { id, card, outcome, done_at }).await?;
        }
        card.told = true;
    }
    followed
}

async fn follow(desk: &Desk, task: &CeleryTask, card: &mut Card, outcome: &Outcome) -> Result<(), Untold> {
    let before = card.clone();
    for next in follow_up::of(&before, outcome).into_iter().skip(before.sent) {
        let (queue, message) = next.message(&task.id, &before, outcome, &desk.settings);
        // A client must not reach with our rights what it cannot reach with its own.
        if desk.settings.queues.contains(&queue) || desk.broker.may_answer(&queue) {
            let sent = follow_up::send(&*desk.broker, queue, message).await;
            sent.map_err(|error| Untold(error.to_string()))?;
        } else {
            tracing::warn!(
                task.id = task.id,
                queue,
                "what follows a task is not sent to a queue of linkbeat's own"
            );
        }
        card.sent += 1;
    }
    Ok(())
}

/// What becomes of a result that could not be told.
fn later(desk: &Desk, task: &CeleryTask, error: &Untold) -> TaskChange {
    let age = match task.state {
        TaskState::Ended => (Utc::now() - task.changed_at).to_std().unwrap_or_default(),
        _ => Duration::ZERO,
    };
    if age > desk.settings.result_expires().max(LONGEST_PAUSE) {
        tracing::error!(task.id = task.id, %error, "the result of a task, or what follows it, could not be sent in time, and is given up");
        return TaskChange::to(TaskState::Answered);
    }
    if task.state != TaskState::Ended || age < FIRST_PAUSE {
        tracing::warn!(task.id = task.id, %error, "the result of a task cannot be told now; trying again");
    }
    TaskChange { due_in: age.clamp(FIRST_PAUSE, LONGEST_PAUSE), ..TaskChange::to(TaskState::Ended) }
}

/// Tells that a task has begun, if that is wanted and there is room for it. Nothing waits for this.
pub(super) fn tell_started(desk: &Arc<Desk>, id: &str, card: &Card) {
    let Some(place) = Some(&STARTING).filter(|_| desk.settings.track_started && !card.ignore_result) else {
        return;
    };
    let Ok(place) = place.try_acquire() else { return };
    let (desk, id, card) = (desk.clone(), id.to_owned(), card.clone());
    tokio::spawn(async move {
        let result = json!({ "pid": std::process::id(), "hostname": desk.teller.hostname() });
        let outcome = Outcome { status: Status::Started, result };
        let told = Told { id: &id, card: &card, outcome: &outcome, done_at: None };
        if !matches!(timeout(LIMIT, desk.backend.tell(&told)).await, Ok(Ok(()))) {
            tracing::debug!(task.id = id, "nobody was told that a task has begun");
        }
        drop(place);
    });
}

async fn forget(desk: &Desk) -> Result<(), StoreError> {
    for (state, kept_for) in [(TaskState::Answered, KNOWN_FOR), (TaskState::Revoked, REVOKED_FOR)] {
        while desk.store.forget_tasks(state, kept_for, FORGOTTEN).await? >= u64::from(FORGOTTEN) {}
    }
    Ok(())
}
