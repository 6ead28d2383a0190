//! Requests from the queue `linkbeat.requests`.
//!
//! A request is filed and acknowledged. Its jobs are published by the [`Outbox`], so a large run keeps no other
//! request waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_broker::{Delivery, Message, PublishError, Queue, Target, park};
use linkbeat_shared::wire::{self, ReportMessage, RequestMessage, Unreadable};
use linkbeat_shared::{ReplyTo, Request, derived_id};
use linkbeat_store::StoreError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{FIRST_PAUSE, LONGEST_PAUSE, check_size};
use crate::{Outbox, ProducerError, ProducerSettings};

/// Requests taken at once; the others wait in the queue.
const PREFETCH: u16 = 16;
/// Requests filed at once: filing a large run takes long, and a small one need not wait for it.
const FILED_AT_ONCE: usize = 4;

/// Serves the JSON requests of other apps.
#[derive(Debug)]
pub struct Intake {
    settings: ProducerSettings,
    outbox: Arc<Outbox>,
    turns: Semaphore,
    /// The latest request could not be filed.
    failing: AtomicBool,
}

/// What became of one request.
enum Outcome {
    /// A run was filed, or had been; the recorder answers when it ends.
    Filed,
    /// It was not valid, and whoever asked was told so.
    Answered,
    /// Nobody could be told, or a newer linkbeat can read it: kept for people to look at.
    Park(String),
    /// Our own fault: it is tried again where time may heal it.
    Retry(ProducerError),
}

impl Intake {
    /// An intake that files into this outbox.
    pub fn new(settings: ProducerSettings, outbox: Arc<Outbox>) -> Self {
        Self { settings, outbox, turns: Semaphore::new(FILED_AT_ONCE), failing: AtomicBool::new(false) }
    }

    /// Serves requests until `shutdown`.
    ///
    /// What our own fault keeps from being filed is held until it is, however long the database is away: RabbitMQ
    /// parks what is given back to it too often. Meanwhile others are served, as that fault may be one request's.
    pub async fn run(&self, shutdown: CancellationToken) {
        let Ok(mut requests) = self.outbox.broker.subscribe(&Queue::REQUESTS, PREFETCH).await else { return };
        let mut serving = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                delivery = requests.next() => match delivery {
                    Some(delivery) => serving.push(self.serve(delivery)),
                    None => return,
                },
                Some(served) = serving.next() => if served.is_err() { return },
            }
        }
        // What is not filed yet is dropped unsettled: it goes back, and filing it again finds the same run.
        drop(serving);
        requests.stop().await;
    }

    /// Serves one request until it is settled, or comes again by itself because its session was lost.
    async fn serve(&self, delivery: Delivery) -> Result<(), PublishError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.handle_in_turn(&delivery.message).await {
                Outcome::Retry(error) if error.is_transient() => self.log_failure(&error),
                outcome => return self.settle(delivery, outcome).await,
            }
            tokio::select! {
                () = delivery.session().cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    async fn handle_in_turn(&self, message: &Message) -> Outcome {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        self.handle(message).await
    }

    async fn settle(&self, delivery: Delivery, outcome: Outcome) -> Result<(), PublishError> {
        match outcome {
            Outcome::Filed | Outcome::Answered => {
                self.failing.store(false, Ordering::Relaxed);
                // A lost session delivers it again, and filing it again finds the same run.
                let _ = delivery.ack().await;
                Ok(())
            }
            Outcome::Park(cause) => self.park(delivery, &cause).await,
            Outcome::Retry(error) => self.park(delivery, &error.to_string()).await,
        }
    }

    /// Logs the first of several failures.
    fn log_failure(&self, error: &ProducerError) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "a request could not be filed; it is tried again until it is");
        }
    }

    async fn park(&self, delivery: Delivery, cause: &str) -> Result<(), PublishError> {
        tracing::error!(message.id = %delivery.message.id, cause, "a request is parked");
        park(&*self.outbox.broker, delivery, &Queue::REQUESTS, cause).await
    }

    async fn handle(&self, message: &Message) -> Outcome {
        let reply_to = reply_to(message);
        match self.parse(message, reply_to.clone()) {
            Ok(request) => self.file(request).await,
            Err(error @ Unreadable::Newer(_)) => Outcome::Park(error.to_string()),
            Err(error) => match reply_to {
                None => Outcome::Park(error.to_string()),
                Some(reply_to) => self.refuse(message, reply_to, &error).await,
            },
        }
    }

    fn parse(&self, message: &Message, reply_to: Option<ReplyTo>) -> Result<Request, Unreadable> {
        let mut request = wire::decode::<RequestMessage>(&message.body)?.into_request(reply_to)?;
        request.trace.clone_from(&message.headers.trace);
        check_size(&request, self.settings.max_links_per_request)?;
        Ok(request)
    }

    async fn file(&self, request: Request) -> Outcome {
        match self.outbox.file(request).await {
            Ok(_) => Outcome::Filed,
            Err(error) => own_fault(error),
        }
    }

    async fn refuse(&self, request: &Message, reply_to: ReplyTo, error: &Unreadable) -> Outcome {
        tracing::info!(%error, "a request was refused");
        let report = ReportMessage::failed(2, "bad_request", error.to_string());
        let answer = Message::of(derived_id::refusal_reply(request.id), &report);
        let answer = answer.traced(request.headers.trace.as_ref());
        match self.outbox.broker.publish(&Target::Reply(reply_to), answer).await {
            Ok(()) | Err(PublishError::Unroutable(_) | PublishError::NotTaken { .. }) => Outcome::Answered,
            Err(error) => Outcome::Retry(error.into()),
        }
    }
}

fn own_fault(error: StoreError) -> Outcome {
    if error.is_transient() { Outcome::Retry(error.into()) } else { Outcome::Park(error.to_string()) }
}

fn reply_to(message: &Message) -> Option<ReplyTo> {
    let queue = message.reply_to.clone().filter(|queue| !queue.is_empty())?;
    Some(ReplyTo { queue, correlation_id: message.correlation_id.clone() })
}
