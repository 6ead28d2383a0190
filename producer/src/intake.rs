//! Requests from the queue `linkbeat.requests`.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, park};
use linkbeat_shared::wire::{self, ReportMessage, RequestMessage, Unreadable};
use linkbeat_shared::{LinkSelection, ReplyTo, Request};
use linkbeat_store::{SharedStore, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{ProducerError, ProducerSettings, enqueue, file};

/// Requests taken at once; they are filed one by one.
const PREFETCH: u16 = 16;
/// How long a fault of our own is waited out before the request is tried again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Serves the JSON requests of other apps.
#[derive(Debug)]
pub struct Intake {
    settings: ProducerSettings,
    broker: SharedBroker,
    store: SharedStore,
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
    /// An intake on these servers.
    pub fn new(settings: ProducerSettings, broker: SharedBroker, store: SharedStore) -> Self {
        Self { settings, broker, store }
    }

    /// Serves requests until `shutdown`.
    ///
    /// What our own fault keeps from being filed is held until it is, however long the database is away: RabbitMQ
    /// parks what is given back to it too often. Meanwhile others are served, as that fault may be one request's.
    pub async fn run(&self, shutdown: CancellationToken) {
        let Ok(mut requests) = self.broker.subscribe(&Queue::REQUESTS, PREFETCH).await else { return };
        let (mut postponed, mut failing) = (FuturesUnordered::new(), false);
        loop {
            let (delivery, pause) = tokio::select! {
                () = shutdown.cancelled() => break,
                delivery = requests.next() => match delivery {
                    Some(delivery) => (delivery, FIRST_PAUSE),
                    None => return,
                },
                Some(due) = postponed.next() => match due {
                    Some(again) => again,
                    None => continue,
                },
            };
            let served = tokio::select! {
                // The delivery is dropped unsettled: it goes back, and filing it again finds the same run.
                () = shutdown.cancelled() => break,
                served = self.serve(delivery) => served,
            };
            match served {
                Ok(None) => failing = false,
                Ok(Some((delivery, error))) => {
                    if !failing {
                        tracing::warn!(%error, "a request could not be filed; it is tried again until it is");
                    }
                    failing = true;
                    postponed.push(postpone(delivery, pause));
                }
                Err(_) => return,
            }
        }
        requests.stop().await;
    }

    /// Settles a request, unless it is to be tried again.
    async fn serve(&self, delivery: Delivery) -> Result<Option<(Delivery, ProducerError)>, PublishError> {
        match self.handle(&delivery.message).await {
            Outcome::Filed | Outcome::Answered => {
                // A lost session delivers it again, and filing it again finds the same run.
                let _ = delivery.ack().await;
            }
            Outcome::Park(cause) => self.park(delivery, &cause).await?,
            Outcome::Retry(error) if error.is_transient() => return Ok(Some((delivery, error))),
            Outcome::Retry(error) => self.park(delivery, &error.to_string()).await?,
        }
        Ok(None)
    }

    async fn park(&self, delivery: Delivery, cause: &str) -> Result<(), PublishError> {
        tracing::error!(message.id = %delivery.message.id, cause, "a request is parked");
        park(&*self.broker, delivery, &Queue::REQUESTS, cause).await
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
        let request = wire::decode::<RequestMessage>(&message.body)?.into_request(reply_to)?;
        let limit = self.settings.max_links_per_request;
        match &request.links {
            LinkSelection::Given(links) if links.len() > limit => Err(Unreadable::Invalid(format!(
                "the request names {} links; at most {limit} are taken at once",
                links.len()
            ))),
            _ => Ok(request),
        }
    }

    async fn file(&self, request: Request) -> Outcome {
        let filed = match file(&self.store, request).await {
            Ok(filed) => filed,
            Err(error) => return own_fault(error),
        };
        match enqueue(&self.broker, &self.store, &filed).await {
            Ok(()) => Outcome::Filed,
            Err(error) => Outcome::Retry(error),
        }
    }

    async fn refuse(&self, request: &Message, reply_to: ReplyTo, error: &Unreadable) -> Outcome {
        tracing::info!(%error, "a request was refused");
        let report = ReportMessage::failed(2, "bad_request", error.to_string());
        let answer = Message::of(Uuid::new_v5(&request.id, b"reply"), &report);
        let answer = answer.traced(request.headers.trace.as_ref());
        match self.broker.publish(&Target::Reply(reply_to), answer).await {
            Ok(()) | Err(PublishError::Unroutable(_) | PublishError::NotTaken { .. }) => Outcome::Answered,
            Err(error) => Outcome::Retry(error.into()),
        }
    }
}

/// Holds a request for so long; gives it back with the pause that follows if it fails again. `None`: its session
/// was lost, and it comes again by itself.
async fn postpone(delivery: Delivery, pause: Duration) -> Option<(Delivery, Duration)> {
    tokio::select! {
        () = delivery.session().cancelled() => return None,
        () = tokio::time::sleep(pause) => {}
    }
    Some((delivery, (pause * 2).min(LONGEST_PAUSE)))
}

fn own_fault(error: StoreError) -> Outcome {
    if error.is_transient() { Outcome::Retry(error.into()) } else { Outcome::Park(error.to_string()) }
}

fn reply_to(message: &Message) -> Option<ReplyTo> {
    let queue = message.reply_to.clone().filter(|queue| !queue.is_empty())?;
    Some(ReplyTo { queue, correlation_id: message.correlation_id.clone() })
}
