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
use linkbeat_shared::wire::{AcceptedMessage, ReportMessage, Unreadable};
use linkbeat_shared::{Asker, Lang, LinkSelection, ReplyTo, Request, RequestId, RunSize, derived_id};
use linkbeat_store::{Filed, MOST_ASKERS, OverLimit, StoreError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::asked::{Asked, Glimpse};
use super::{FIRST_PAUSE, LONGEST_PAUSE, RequestCounts, admit};
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
    counts: RequestCounts,
}

/// What became of one request.
enum Outcome {
    /// A run was filed, or had been; the recorder answers when it ends.
    Filed,
    /// It goes beyond a limit, and nobody can be told.
    Dropped,
    /// Whoever asked is told something at once.
    Answered(Answer),
    /// Nobody could be told, or a newer linkbeat can read it: kept for people to look at.
    Park(String),
    /// A large run is asked for, which is filed from a queue of its own.
    SetApart,
    /// Our own fault: it is tried again where time may heal it.
    Retry(ProducerError),
}

/// What whoever asked is told at once.
struct Answer {
    to: ReplyTo,
    message: Message,
    /// It is that the request leads to nothing.
    refused: bool,
    /// The request is kept for people to look at, for this cause.
    park: Option<String>,
}

impl Intake {
    /// An intake that files into this outbox.
    pub fn new(settings: ProducerSettings, outbox: Arc<Outbox>) -> Self {
        let (turns, over_limit) = (Semaphore::new(FILED_AT_ONCE), AtomicU64::new(0));
        let (failing, counts) = (AtomicBool::new(false), RequestCounts::default());
        Self { settings, outbox, turns, over_limit, failing, counts }
    }

    /// The same, which counts its requests here.
    pub(crate) fn counting(self, counts: RequestCounts) -> Self {
        Self { counts, ..self }
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
                    Ok(answered) => {
                        answering.extend(answered.map(|(delivery, answer)| self.answer(&queue, delivery, answer)));
                    }
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

    /// Serves one request until it is settled, or comes again by itself because its session was lost. Or somebody is to be
    /// told: that may take long, and keeps no other request from being served.
    async fn serve(
        &self,
        from: &Queue,
        delivery: Delivery,
    ) -> Result<Option<(Delivery, Answer)>, PublishError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.handle_in_turn(from, &delivery.message).await {
                Outcome::Retry(error) if error.is_transient() => self.log_failure(&error),
                Outcome::Answered(answer) => {
                    if answer.refused {
                        self.counts.refused();
                    } else {
                        self.counts.filed();
                    }
                    return Ok(Some((delivery, answer)));
                }
                Outcome::Dropped => {
                    self.counts.refused();
                    self.acknowledge(delivery).await;
                    return Ok(None);
                }
                Outcome::Filed => {
                    self.counts.filed();
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

    async fn answer(&self, from: &Queue, delivery: Delivery, answer: Answer) -> Result<(), PublishError> {
        match self.outbox.broker.publish(&Target::Reply(answer.to), answer.message).await {
            Ok(()) | Err(PublishError::Unroutable(_)) => {}
            Err(error @ PublishError::NotTaken { .. }) => {
                tracing::info!(message.id = %delivery.message.id, %error, "nobody takes the answer");
            }
            Err(error) => return self.park(from, delivery, &error.to_string()).await,
        }
        match answer.park {
            Some(cause) => self.park(from, delivery, &cause).await?,
            None => self.acknowledge(delivery).await,
        }
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
        self.counts.parked();
        tracing::error!(message.id = %delivery.message.id, cause, "a request is parked");
        park(&*self.outbox.broker, delivery, from, cause).await
    }

    async fn handle(&self, from: &Queue, message: &Message) -> Outcome {
        let reply_to = self.reply_to(message);
        match self.parse(message, reply_to.clone()) {
            Ok(Asked::Run { request, .. }) if *from == Queue::REQUESTS && is_large(&request.links) => {
                Outcome::SetApart
            }
            Ok(Asked::Run { request, accepted }) => self.file(message, from, *request, accepted).await,
            Ok(Asked::Cancel { request, lang }) => self.cancel(message, request, reply_to, lang).await,
            Err(error) => match reply_to {
                None => Outcome::Park(error.to_string()),
                Some(to) => refuse(message, to, &error),
            },
        }
    }

    fn parse(&self, message: &Message, reply_to: Option<ReplyTo>) -> Result<Asked, Unreadable> {
        let asked = Asked::read(&message.body, reply_to, self.settings.max_links_per_request)?;
        Ok(match asked {
            Asked::Run { mut request, accepted } => {
                request.trace.clone_from(&message.headers.trace);
                admit(&request, &self.settings)?;
                Asked::Run { request, accepted }
            }
            cancel @ Asked::Cancel { .. } => cancel,
        })
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

    async fn file(&self, message: &Message, from: &Queue, request: Request, accepted: bool) -> Outcome {
        let (id, to, name) = (request.id, request.reply_to.clone(), asker(from, message));
        let filed = self.outbox.file_for(request, self.settings.account(name).as_ref()).await;
        match (filed, to) {
            (Ok(filed), Some(to)) if !filed.heard => too_many_askers(message, to, &filed),
            (Ok(filed), Some(to)) if accepted => {
                let id = derived_id::accepted_reply(message.id);
                Outcome::Answered(Answer::new(
                    message,
                    to,
                    Message::of(id, &AcceptedMessage::from(&filed.run)),
                ))
            }
            (Ok(_), _) => Outcome::Filed,
            (Err(StoreError::OverLimit(limit)), to) => self.over_limit(message, (name, id), to, &limit),
            (Err(error), _) => own_fault(error),
        }
    }

    fn over_limit(
        &self,
        message: &Message,
        (name, id): (&str, RequestId),
        to: Option<ReplyTo>,
        limit: &OverLimit,
    ) -> Outcome {
        let so_far = self.over_limit.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(asker = ?name, %limit, so_far, "a request goes beyond a limit");
        // If nobody can be told, it is dropped: to keep it for people would let the app fill the disk.
        let Some(to) = to else { return Outcome::Dropped };
        let report = ReportMessage::over_limit(Some(id.0), limit.to_string(), limit.ask_again_in());
        let answer = Message::of(derived_id::refusal_reply(message.id), &report);
        Outcome::Answered(Answer { refused: true, ..Answer::new(message, to, answer) })
    }

    /// Stops a run. The recorder answers with the report, as it does to whoever asked for the run.
    async fn cancel(&self, message: &Message, id: RequestId, to: Option<ReplyTo>, lang: Lang) -> Outcome {
        let asker = to.clone().map(|reply_to| Asker { reply_to, lang });
        match (self.outbox.store.cancel_request(id, asker).await, to) {
            (Ok(Some(filed)), Some(to)) if !filed.heard => too_many_askers(message, to, &filed),
            (Ok(None), Some(to)) => {
                let told = format!("there is no run of the request {id}");
                Outcome::Answered(Answer::refusal(message, to, "unknown_request", Some(id.0), told))
            }
            (Ok(_), _) => Outcome::Filed,
            (Err(error), _) => own_fault(error),
        }
    }
}

impl Answer {
    fn new(request: &Message, to: ReplyTo, message: Message) -> Self {
        Self { to, message: message.traced(request.headers.trace.as_ref()), refused: false, park: None }
    }

    /// That it leads to no run, or to no report.
    fn refusal(request: &Message, to: ReplyTo, error: &str, id: Option<Uuid>, told: String) -> Self {
        tracing::info!(error, told, "a request was refused");
        let report = ReportMessage::failed(2, error, id, told);
        let message = Message::of(derived_id::refusal_reply(request.id), &report);
        Self { refused: true, ..Self::new(request, to, message) }
    }
}

/// What a newer linkbeat can read is kept for it as well.
fn refuse(request: &Message, to: ReplyTo, error: &Unreadable) -> Outcome {
    let newer = matches!(error, Unreadable::Newer(_));
    let (word, told) = (if newer { "newer_schema" } else { "bad_request" }, error.to_string());
    let answer = Answer::refusal(request, to, word, Glimpse::of(&request.body).request_id, told);
    Outcome::Answered(Answer { park: newer.then(|| error.to_string()), ..answer })
}

fn too_many_askers(request: &Message, to: ReplyTo, filed: &Filed) -> Outcome {
    let told = format!("{MOST_ASKERS} others wait for the report of this request already");
    Outcome::Answered(Answer::refusal(request, to, "too_many_askers", Some(filed.run.request_id.0), told))
}

/// Whether it may be one. How many links are stored is known later.
fn is_large(links: &LinkSelection) -> bool {
    match links {
        LinkSelection::Stored | LinkSelection::Matching(_) => true,
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
