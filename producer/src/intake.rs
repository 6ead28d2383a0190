//! Requests from the queue `linkbeat.requests`.

use std::time::Duration;

use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, park};
use linkbeat_shared::wire::{self, ReportMessage, RequestMessage, Unreadable};
use linkbeat_shared::{LinkSelection, ReplyTo, Request};
use linkbeat_store::{SharedStore, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{ProducerError, ProducerSettings, enqueue, file};

/// Requests taken at once; they are filed one by one.
const PREFETCH: u16 = 16;
/// How long a database fault is waited out before the request goes back to the queue.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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
    /// Our own fault: it is tried again.
    Retry(ProducerError),
}

impl Intake {
    /// An intake on these servers.
    pub fn new(settings: ProducerSettings, broker: SharedBroker, store: SharedStore) -> Self {
        Self { settings, broker, store }
    }

    /// Serves requests until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let Ok(mut requests) = self.broker.subscribe(Queue::Requests, PREFETCH).await else { return };
        loop {
            let delivery = tokio::select! {
                () = shutdown.cancelled() => break,
                delivery = requests.next() => delivery,
            };
            let Some(delivery) = delivery else { return };
            tokio::select! {
                // The delivery is dropped unsettled: it goes back, and filing it again finds the same run.
                () = shutdown.cancelled() => break,
                outcome = self.serve(delivery) => if outcome.is_err() { return },
            }
        }
        requests.stop().await;
    }

    async fn serve(&self, delivery: Delivery) -> Result<(), PublishError> {
        match self.handle(&delivery.message).await {
            Outcome::Filed | Outcome::Answered => {
                // A lost session delivers it again, and filing it again finds the same run.
                let _ = delivery.ack().await;
            }
            Outcome::Park(cause) => park(&*self.broker, delivery, Queue::Requests, &cause).await?,
            Outcome::Retry(error) => {
                tracing::warn!(%error, "a request could not be filed; it is tried again");
                tokio::time::sleep(RETRY_AFTER).await;
                let _ = delivery.requeue().await;
            }
        }
        Ok(())
    }

    async fn handle(&self, message: &Message) -> Outcome {
        let reply_to = reply_to(message);
        match self.parse(message, reply_to.clone()) {
            Ok(request) => self.file(request).await,
            Err(error @ Unreadable::Newer(_)) => Outcome::Park(error.to_string()),
            Err(error) => match reply_to {
                None => Outcome::Park(error.to_string()),
                Some(reply_to) => self.refuse(message.id, reply_to, &error).await,
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

    async fn refuse(&self, request: Uuid, reply_to: ReplyTo, error: &Unreadable) -> Outcome {
        tracing::info!(%error, "a request was refused");
        let report = ReportMessage::failed(2, "bad_request", error.to_string());
        let answer = Message::of(Uuid::new_v5(&request, b"reply"), &report).in_answer_to(&reply_to);
        match self.broker.publish(&Target::Reply(reply_to), answer).await {
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
