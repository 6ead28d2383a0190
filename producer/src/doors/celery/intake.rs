//! Tasks from one queue: each is kept, filed if its time has come, and acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_broker::{Broker, Delivery, Message, PublishError, park};
use linkbeat_shared::wire::RequestMessage;
use linkbeat_shared::{LinkSelection, Request, derived_id};
use linkbeat_store::{CeleryTask, FiledTask, NewTask, SHORT_LIST, StoreError, TaskChange, TaskState};
use tokio_util::sync::CancellationToken;

use super::card::Card;
use super::failure::{Failure, Kind};
use super::outcome::Outcome;
use super::sent::Sent;
use super::{CelerySettings, Desk, answers, call};
use crate::doors::{FIRST_PAUSE, LONGEST_PAUSE, admit};

/// Tasks taken at once; the others wait in the queue. Filing goes on one by one for each connection to the database.
pub(super) const PREFETCH: u16 = 32;

/// How often a task is looked at anew that others change at the same time.
const TRIES: usize = 5;

/// What becomes of a message.
enum Settled {
    /// The task is kept, and will be answered.
    Kept,
    /// It names no task: for people to look at.
    Park(&'static str),
}

/// Takes tasks from the queue until `shutdown`.
///
/// What our own fault keeps from being filed is held until it is. Meanwhile others are served.
pub(super) async fn run(desk: &Arc<Desk>, queue: &str, shutdown: &CancellationToken) {
    let Ok(mut tasks) = desk.broker.subscribe(&CelerySettings::queue(queue), PREFETCH).await else { return };
    let mut serving = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            delivery = tasks.next() => match delivery {
                Some(delivery) => serving.push(serve(desk, queue, delivery)),
                None => return,
            },
            Some(served) = serving.next() => if served.is_err() { return },
        }
    }
    // What is not kept yet is dropped unsettled: it goes back, and taking it again finds the same task.
    drop(serving);
    tasks.stop().await;
}

async fn serve(desk: &Arc<Desk>, queue: &str, delivery: Delivery) -> Result<(), PublishError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match take(desk, queue, &delivery.message).await {
            Ok(Settled::Kept) => {
                desk.failing.store(false, Ordering::Relaxed);
                // A lost session delivers it again, which finds the same task.
                let _ = delivery.ack().await;
                return Ok(());
            }
            Ok(Settled::Park(cause)) => {
                tracing::error!(message.id = %delivery.message.id, queue, cause, "a task is parked");
                return park(&*desk.outbox.broker, delivery, &CelerySettings::queue(queue), cause).await;
            }
            Err(error) if error.is_transient() => {
                if !desk.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, queue, "a task could not be kept; it is tried again until it is");
                }
            }
            Err(error) => {
                return park(
                    &*desk.outbox.broker,
                    delivery,
                    &CelerySettings::queue(queue),
                    &error.to_string(),
                )
                .await;
            }
        }
        tokio::select! {
            () = delivery.session().cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

async fn take(desk: &Arc<Desk>, queue: &str, message: &Message) -> Result<Settled, StoreError> {
    let Some(Sent { id, mut card, arguments }) = Sent::read(message, queue) else {
        return Ok(Settled::Park("the message names no task with an id of at most 255 bytes"));
    };
    card.taken_by = desk.teller.hostname().to_owned();
    card.asker = message.headers.user.clone().unwrap_or_default();
    let asked = asked(desk, &id, &card, arguments);
    let mut request = None;
    let (state, outcome, due_in) = match asked {
        Err(failure) => (TaskState::Ended, Some(Outcome::failed(&failure)), Duration::ZERO),
        Ok(_) if card.is_expired() => (TaskState::Ended, Some(Outcome::expired()), Duration::ZERO),
        Ok((asked, parsed)) => match card.eta.and_then(|eta| (eta - Utc::now()).to_std().ok()) {
            Some(due_in) => {
                card.request = Some(asked);
                (TaskState::Waiting, None, due_in)
            }
            None => {
                request = Some(Request { trace: message.headers.trace.clone(), ..parsed });
                (TaskState::Running, None, Duration::ZERO)
            }
        },
    };
    let task = NewTask {
        request_id: derived_id::celery_request(&id),
        id: id.clone(),
        state,
        card: card.to_json(),
        outcome: outcome.as_ref().map(Outcome::to_json),
        due_in,
    };
    let mut seen = match request.as_ref().filter(|request| is_short(request)) {
        Some(request) => match keep_and_file(desk, &task, &card, request.clone()).await? {
            Kept::Filed => return Ok(Settled::Kept),
            Kept::Known(known) => Some(known),
            Kept::Not => None,
        },
        None => None,
    };
    for _ in 0..TRIES {
        let known = match seen.take() {
            Some(known) => Some(*known),
            None => desk.store.take_task(task.clone()).await?,
        };
        let Some(known) = known else {
            desk.teller.received(&id, &card);
            begin(desk, &id, &card, state, request).await?;
            break;
        };
        if again(desk, known, &card, request.as_ref()).await? {
            break;
        }
    }
    Ok(Settled::Kept)
}

/// What became of a task that was to be kept and filed in one step.
enum Kept {
    Filed,
    /// It is known.
    Known(Box<CeleryTask>),
    /// It is to be done step by step.
    Not,
}

/// Whether it is filed in no time, so that the task need not be kept before.
fn is_short(request: &Request) -> bool {
    matches!(&request.links, LinkSelection::Given(links) if links.named() <= SHORT_LIST)
}

/// Keeps the task and files its run in one transaction, if no other filing is waited for.
async fn keep_and_file(
    desk: &Arc<Desk>,
    task: &NewTask,
    card: &Card,
    request: Request,
) -> Result<Kept, StoreError> {
    let Ok(turn) = desk.filing.try_acquire() else { return Ok(Kept::Not) };
    let account = desk.limits.account(&card.asker);
    let filed = desk.outbox.file_task(task.clone(), request, account.as_ref()).await;
    drop(turn);
    match filed {
        Ok(FiledTask::New(filed)) => {
            desk.teller.received(&task.id, card);
            if !filed.existed {
                tell_begun(desk, &task.id, card);
            }
            Ok(Kept::Filed)
        }
        Ok(FiledTask::Known(known)) => Ok(Kept::Known(Box::new(known))),
        Err(error) if error.is_transient() => Err(error),
        // Nothing was kept. Step by step it is known what is to be told.
        Err(_) => Ok(Kept::Not),
    }
}

fn tell_begun(desk: &Arc<Desk>, id: &str, card: &Card) {
    desk.teller.started(id, card);
    answers::tell_started(desk, id, card);
}

/// What the task asks for, as it is kept and as it is filed.
fn asked(
    desk: &Desk,
    id: &str,
    card: &Card,
    arguments: Result<super::sent::Arguments, Failure>,
) -> Result<(RequestMessage, Request), Failure> {
    if !desk.settings.tasks.contains(&card.name) {
        return Err(Failure::new(
            Kind::NotRegistered,
            format!(
                "linkbeat has no task `{}`, only {}: correct the name or the queue, or add the name to celery.tasks",
                card.name.escape_debug(),
                desk.settings.tasks.join(", ")
            ),
        ));
    }
    let message = call::request(&card.name, id, arguments?)?;
    let request = message.clone().into_request(None).map_err(|error| call::invalid(&error))?;
    admit(&request, &desk.limits).map_err(|error| call::invalid(&error))?;
    Ok((message, request))
}

/// A task that was kept just now.
async fn begin(
    desk: &Arc<Desk>,
    id: &str,
    card: &Card,
    state: TaskState,
    request: Option<Request>,
) -> Result<(), StoreError> {
    match (state, request) {
        (TaskState::Running, Some(request)) => file(desk, id, card, TaskState::Running, request).await?,
        (TaskState::Waiting, _) => desk.waiting.notify_one(),
        _ => desk.ended.notify_one(),
    }
    Ok(())
}

/// Files the task's run. What can never be filed ends the task.
pub(super) async fn file(
    desk: &Arc<Desk>,
    id: &str,
    card: &Card,
    state: TaskState,
    request: Request,
) -> Result<(), StoreError> {
    // It is never closed.
    let turn = desk.filing.acquire().await;
    let filed = desk.outbox.file_for(request, desk.limits.account(&card.asker).as_ref()).await;
    drop(turn);
    match filed {
        Ok(filed) => {
            if !filed.existed {
                tell_begun(desk, id, card);
            }
            Ok(())
        }
        Err(error) if error.is_transient() => Err(error),
        Err(StoreError::OverLimit(limit)) => {
            tracing::warn!(task.id = id, asker = ?card.asker, %limit, "a task goes beyond a limit");
            end(desk, id, state, &Failure::value_error(limit.to_string())).await
        }
        Err(error) => {
            tracing::error!(task.id = id, %error, "the run of a task cannot be filed");
            let failure =
                Failure::new(Kind::Runtime, "linkbeat's database refused the run of this task; see its log");
            end(desk, id, state, &failure).await
        }
    }
}

/// Ends a task that leads to no run.
async fn end(desk: &Arc<Desk>, id: &str, state: TaskState, failure: &Failure) -> Result<(), StoreError> {
    let outcome = Some(Outcome::failed(failure).to_json());
    let change = TaskChange { outcome, ..TaskChange::to(TaskState::Ended) };
    desk.store.change_task(id, &[state], change).await?;
    desk.ended.notify_one();
    Ok(())
}

/// A task that is known: its message came again, or somebody else asks for it. `false`: somebody else has changed it
/// meanwhile, so it must be looked at anew.
async fn again(
    desk: &Arc<Desk>,
    known: CeleryTask,
    now: &Card,
    request: Option<&Request>,
) -> Result<bool, StoreError> {
    let id = known.id.as_str();
    let mut card = Card::of(&known);
    card.join(now.askers.clone());
    let mut change = TaskChange { if_card: Some(known.card.clone()), ..TaskChange::to(known.state) };
    match known.state {
        TaskState::Revoked => {
            card = now.clone();
            change.state = TaskState::Ended;
            change.outcome = Some(Outcome::revoked().to_json());
        }
        TaskState::Waiting => change.due_in = (known.due_at - Utc::now()).to_std().unwrap_or_default(),
        TaskState::Running => {}
        TaskState::Ended | TaskState::Answered => change.state = TaskState::Ended,
    }
    change.card = Some(card.to_json());
    if !desk.store.change_task(id, &[known.state], change).await? {
        return Ok(false);
    }
    match (known.state, request) {
        (TaskState::Revoked, _) => desk.teller.received(id, &card),
        // Whoever took it before may have been lost before it was filed.
        (TaskState::Running, Some(request)) => {
            file(desk, id, &card, TaskState::Running, request.clone()).await?;
        }
        _ => {}
    }
    desk.ended.notify_one();
    Ok(true)
}
