//! Requests from the queue `linkbeat.requests`.
//!
//! A request is filed and acknowledged. Its jobs are published by the [`Outbox`], so a large run keeps no other
//! request waiting. To file a large run takes long. So its request goes to a queue of its own first, from which one is
//! taken at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_broker::{Delivery, Message, PublishError, Queue, Target, move_to, park};
use linkbeat_shared::wire::{self, ReportMessage, RequestMessage, Unreadable};
use linkbeat_shared::{LinkSelection, ReplyTo, Request, RunSize, derived_id};
use linkbeat_store::StoreError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{FIRST_PAUSE, LONGEST_PAUSE, admit};
use crate::{Outbox, ProducerError, ProducerSettings};

/// Requests taken at once; the others wait in the queue.
const PREFETCH: u16 = 16;
/// So many answers that are under way count as requests taken. More of them make room for other requests, so that slow
/// answers keep nobody waiting.
const ANSWERS: usize = 8;
/// Requests for small runs that are filed at once.
const FILED_AT_ONCE: usize = 4;

/// Serves the JSON requests of other apps.
#[derive(Debug)]
pub struct Intake {
    settings: ProducerSettings,
    outbox: Arc<Outbox>,
    turns: Semaphore,
    /// Requests that went beyond a limit.
    over_limit: AtomicU64,
    /// The latest request could not be filed.
    failing: AtomicBool,
}

/// What became of one request.
enum Outcome {
    /// A run was filed, or had been; the recorder answers when it ends.
    Filed,
    /// It goes beyond a limit, and nobody can be told.
    Dropped,
    /// It was not valid, and whoever asked is to be told so.
    Refused(Refusal),
    /// Nobody could be told, or a newer linkbeat can read it: kept for people to look at.
    Park(String),
    /// A large run is asked for, which is filed from a queue of its own.
    SetApart,
    /// Our own fault: it is tried again where time may heal it.
    Retry(ProducerError),
}

/// An answer to a request that was not valid.
struct Refusal {
    to: ReplyTo,
    answer: Message,
}

impl Intake {
    /// An intake that files into this outbox.
    pub fn new(settings: ProducerSettings, outbox: Arc<Outbox>) -> Self {
        let (over_limit, failing) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { settings, outbox, turns: Semaphore::new(FILED_AT_ONCE), over_limit, failing }
    }

    /// Serves requests until `shutdown`.
    ///
    /// What our own fault keeps from being filed is held until it is, however long the database is away: RabbitMQ
    /// parks what is given back to it too often. Meanwhile others are served, as that fault may be one request's.
    pub async fn run(&self, shutdown: CancellationToken) {
        let small = self.take_from(Queue::REQUESTS, PREFETCH, &shutdown);
        let large = self.take_from(Queue::REQUESTS_LARGE, 1, &shutdown);
        tokio::join!(Box::pin(small), Box::pin(large));
    }

    async fn take_from(&self, queue: Queue, prefetch: u16, shutdown: &CancellationToken) {
        let Ok(mut requests) = self.outbox.broker.subscribe(&queue, prefetch).await else { return };
        let (mut serving, mut answering) = (FuturesUnordered::new(), FuturesUnordered::new());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                delivery = requests.next() => match delivery {
                    Some(delivery) => serving.push(self.serve(&queue, delivery)),
                    None => return,
                },
                Some(served) = serving.next() => match served {
                    Ok(refused) => answering.extend(refused.map(|(delivery, refusal)| self.answer(&queue, delivery, refusal))),
                    Err(_) => return,
                },
                Some(answered) = answering.next() => if answered.is_err() { return },
            }
            let more = u16::try_from(answering.len().saturating_sub(ANSWERS)).unwrap_or(u16::MAX);
            requests.resize(prefetch.saturating_add(more));
        }
        // What is not filed yet is dropped unsettled: it goes back, and filing it again finds the same run.
        drop((serving, answering));
        requests.stop().await;
    }

    /// Serves one request until it is settled, or comes again by itself because its session was lost. Or it is refused:
    /// answering may take long, and keeps no other request from being served.
    async fn serve(
        &self,
        from: &Queue,
        delivery: Delivery,
    ) -> Result<Option<(Delivery, Refusal)>, PublishError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.handle_in_turn(from, &delivery.message).await {
                Outcome::Retry(error) if error.is_transient() => self.log_failure(&error),
                Outcome::Refused(refusal) => return Ok(Some((delivery, refusal))),
                Outcome::Filed | Outcome::Dropped => {
                    self.acknowledge(delivery).await;
                    return Ok(None);
                }
                Outcome::SetApart => return self.set_apart(from, delivery).await.map(|()| None),
                Outcome::Park(cause) => return self.park(from, delivery, &cause).await.map(|()| None),
                Outcome::Retry(error) => {
                    return self.park(from, delivery, &error.to_string()).await.map(|()| None);
                }
            }
            tokio::select! {
                () = delivery.session().cancelled() => return Ok(None),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    async fn handle_in_turn(&self, from: &Queue, message: &Message) -> Outcome {
        if *from == Queue::REQUESTS_LARGE {
            return self.handle(from, message).await;
        }
        // It is never closed.
        let _turn = self.turns.acquire().await;
        self.handle(from, message).await
    }

    /// Moves a request to the queue of those for large runs, with who asked.
    async fn set_apart(&self, from: &Queue, delivery: Delivery) -> Result<(), PublishError> {
        let mut message = delivery.message.clone();
        message.headers.asker = asker(from, &delivery.message).to_owned();
        move_to(&*self.outbox.broker, delivery, &Target::Queue(Queue::REQUESTS_LARGE), message).await
    }

    async fn answer(&self, from: &Queue, delivery: Delivery, refusal: Refusal) -> Result<(), PublishError> {
        match self.outbox.broker.publish(&Target::Reply(refusal.to), refusal.answer).await {
            Ok(()) | Err(PublishError::Unroutable(_)) => {}
            Err(error @ PublishError::NotTaken { .. }) => {
                tracing::info!(message.id = %delivery.message.id, %error, "nobody takes the answer");
            }
            Err(error) => return self.park(from, delivery, &error.to_string()).await,
        }
        self.acknowledge(delivery).await;
        Ok(())
    }

    async fn acknowledge(&self, delivery: Delivery) {
        self.failing.store(false, Ordering::Relaxed);
        // A lost session delivers it again, and filing it again finds the same run.
        let _ = delivery.ack().await;
    }

    /// Logs the first of several failures.
    fn log_failure(&self, error: &ProducerError) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "a request could not be filed; it is tried again until it is");
        }
    }

    async fn park(&self, from: &Queue, delivery: Delivery, cause: &str) -> Result<(), PublishError> {
        tracing::error!(message.id = %delivery.message.id, cause, "a request is parked");
        park(&*self.outbox.broker, delivery, from, cause).await
    }

    async fn handle(&self, from: &Queue, message: &Message) -> Outcome {
        let reply_to = self.reply_to(message);
        match self.parse(message, reply_to.clone()) {
            Ok(request) if *from == Queue::REQUESTS && is_large(&request.links) => Outcome::SetApart,
            Ok(request) => self.file(request, from, message).await,
            Err(error @ Unreadable::Newer(_)) => Outcome::Park(error.to_string()),
            Err(error) => match reply_to {
                None => Outcome::Park(error.to_string()),
                Some(to) => {
                    tracing::info!(%error, "a request was refused");
                    refuse(message, to, &ReportMessage::failed(2, "bad_request", error.to_string()))
                }
            },
        }
    }

    fn parse(&self, message: &Message, reply_to: Option<ReplyTo>) -> Result<Request, Unreadable> {
        let mut request = wire::decode::<RequestMessage>(&message.body)?.into_request(reply_to)?;
        request.trace.clone_from(&message.headers.trace);
        admit(&request, &self.settings)?;
        Ok(request)
    }

    /// Where the answer goes. A request that names a queue which may have none is carried out all the same.
    fn reply_to(&self, message: &Message) -> Option<ReplyTo> {
        let queue = message.reply_to.clone().filter(|queue| !queue.is_empty())?;
        let listed = &self.settings.reply_queues;
        let allowed = listed.is_empty() || listed.iter().any(|pattern| pattern.matches(&queue));
        if !allowed || !self.outbox.broker.may_answer(&queue) {
            tracing::warn!(message.id = %message.id, reply_to = queue, "a request gets no answer: this queue may have none");
            return None;
        }
        Some(ReplyTo { queue, correlation_id: message.correlation_id.clone() })
    }

    async fn file(&self, request: Request, from: &Queue, message: &Message) -> Outcome {
        let name = asker(from, message);
        match self.outbox.file_for(request, self.settings.account(name).as_ref()).await {
            Ok(_) => Outcome::Filed,
            Err(StoreError::OverLimit(limit)) => {
                let so_far = self.over_limit.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::warn!(asker = ?name, %limit, so_far, "a request goes beyond a limit");
                let report = ReportMessage::over_limit(limit.to_string(), limit.ask_again_in());
                match self.reply_to(message) {
                    Some(to) => refuse(message, to, &report),
                    // Nobody can be told. To keep it for people would let the app fill the disk.
                    None => Outcome::Dropped,
                }
            }
            Err(error) => own_fault(error),
        }
    }
}

fn refuse(request: &Message, to: ReplyTo, report: &ReportMessage) -> Outcome {
    let answer = Message::of(derived_id::refusal_reply(request.id), report);
    Outcome::Refused(Refusal { to, answer: answer.traced(request.headers.trace.as_ref()) })
}

/// Whether it may be one. How many links are stored is known later.
fn is_large(links: &LinkSelection) -> bool {
    match links {
        LinkSelection::Stored => true,
        LinkSelection::Given(links) => RunSize::of(links.named() as u64) == RunSize::Large,
    }
}

/// Who asks; empty: nobody says. A producer has found it before it set the request apart.
fn asker<'a>(from: &Queue, message: &'a Message) -> &'a str {
    if *from == Queue::REQUESTS_LARGE {
        &message.headers.asker
    } else {
        message.headers.user.as_deref().unwrap_or_default()
    }
}

fn own_fault(error: StoreError) -> Outcome {
    if error.is_transient() { Outcome::Retry(error.into()) } else { Outcome::Park(error.to_string()) }
}
