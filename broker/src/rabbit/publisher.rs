//! Publishes with confirms over one session, shared by all callers and made again whenever it is lost.
//!
//! Each channel carries one message at a time. lapin gives a returned message to whichever confirmation
//! comes next on the channel, so with several in flight one message's fate would be told to another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Confirmation};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{PRECONDITION_FAILED, cause_of, reply_code};
use super::parcel::Parcel;
use super::reopen::{Backoff, Missing, Reopen};
use super::session::Session;
use super::{BrokerSettings, ConnectError, topology};
use crate::{BrokerClosed, PublishError};

/// Messages on the way at once; further callers wait. Also the most channels (RabbitMQ allows 2,047).
const IN_FLIGHT: usize = 256;
/// Longest pause before a message is offered again to a queue that was full.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Names the session to operators.
const PURPOSE: &str = "publish";

type Current = Option<Arc<PublishSession>>;

/// The callers' side.
pub(super) struct Publisher {
    current: watch::Receiver<Current>,
    in_flight: Semaphore,
    confirm_timeout: Duration,
    queue_full: AtomicBool,
}

/// The side that keeps a session open.
pub(super) struct Keeper {
    current: watch::Sender<Current>,
    reopen: Reopen,
    closed: CancellationToken,
}

/// A publisher and its keeper.
pub(super) fn publisher(
    settings: &Arc<BrokerSettings>,
    missing: &Missing,
    closed: &CancellationToken,
) -> (Publisher, Keeper) {
    let (sender, receiver) = watch::channel(None);
    let publisher = Publisher {
        current: receiver,
        in_flight: Semaphore::new(IN_FLIGHT),
        confirm_timeout: settings.confirm_timeout,
        queue_full: AtomicBool::new(false),
    };
    let reopen = Reopen::new(settings.clone(), PURPOSE.to_owned(), missing, closed.clone());
    (publisher, Keeper { current: sender, reopen, closed: closed.clone() })
}

impl Publisher {
    /// Returns once the message is confirmed or can never be.
    pub(super) async fn publish(&self, parcel: Parcel) -> Result<(), PublishError> {
        let _place = self.in_flight.acquire().await.map_err(|_| BrokerClosed)?;
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            let session = self.session().await?;
            match session.send(&parcel, self.confirm_timeout).await {
                Sent::Confirmed => {
                    self.note_full(false, &parcel);
                    return Ok(());
                }
                Sent::Unroutable if parcel.ours => session.inner.end().queue_gone(&parcel.routing_key),
                Sent::Unroutable => return Err(PublishError::Unroutable(parcel.routing_key.to_string())),
                Sent::Refused(cause) => return Err(PublishError::Refused(cause)),
                Sent::Full => {
                    self.note_full(true, &parcel);
                    sleep(backoff.next()).await;
                }
                Sent::Unknown(cause) => session.inner.end().now(cause),
            }
        }
    }

    /// How many messages wait in the queue of that name. A queue that is gone is made again, and empty.
    pub(super) async fn waiting(&self, queue: &str) -> Result<u64, BrokerClosed> {
        loop {
            let session = self.session().await?;
            match timeout(self.confirm_timeout, session.waiting(queue)).await {
                Ok(Ok(messages)) => return Ok(messages.into()),
                Ok(Err(error)) => session.inner.end().now(cause_of(&error)),
                Err(_) => session.inner.end().now(format!("no answer about `{queue}`")),
            }
        }
    }

    async fn session(&self) -> Result<Arc<PublishSession>, BrokerClosed> {
        let live = |current: &Current| current.as_ref().is_some_and(|session| !session.inner.end().reached());
        let current = self.current.clone().wait_for(live).await.map_err(|_| BrokerClosed)?.clone();
        current.ok_or(BrokerClosed)
    }

    fn note_full(&self, full: bool, parcel: &Parcel) {
        let queue = parcel.routing_key.as_str();
        match (self.queue_full.swap(full, Ordering::Relaxed), full) {
            (false, true) => tracing::warn!(queue, "RabbitMQ takes no more messages for this queue; waiting"),
            (true, false) => tracing::info!(queue, "RabbitMQ takes messages again"),
            _ => {}
        }
    }
}

impl Keeper {
    /// Keeps a session open until the broker is closed; begins with `first` if there is one.
    pub(super) async fn run(mut self, mut first: Option<PublishSession>) {
        let settings = self.reopen.settings.clone();
        loop {
            let session = match first.take() {
                Some(session) => {
                    self.reopen.succeeded();
                    session
                }
                None => match self.reopen.until_open(|| PublishSession::open(&settings)).await {
                    Some(session) => session,
                    None => return,
                },
            };
            let session = Arc::new(session);
            self.current.send_replace(Some(session.clone()));
            tokio::select! {
                () = session.inner.end().token().cancelled() => {}
                () = self.closed.cancelled() => {
                    self.current.send_replace(None);
                    return session.inner.close().await;
                }
            }
            self.current.send_replace(None);
            session.inner.cut();
            self.reopen.after(session.inner.end()).await;
        }
    }
}

/// What became of one try.
enum Sent {
    Confirmed,
    /// No queue of that name.
    Unroutable,
    /// The queue has reached the length its policy allows.
    Full,
    /// RabbitMQ will never take this message.
    Refused(String),
    /// It may have arrived or not.
    Unknown(String),
}

/// A connection for publishing, and its channels that have nothing in flight.
pub(super) struct PublishSession {
    inner: Session,
    idle: Mutex<Vec<Channel>>,
}

impl PublishSession {
    /// Connects and declares the topology.
    pub(super) async fn open(settings: &BrokerSettings) -> Result<Self, ConnectError> {
        let inner = topology::open(settings, PURPOSE).await?;
        Ok(Self { inner, idle: Mutex::default() })
    }

    async fn waiting(&self, queue: &str) -> lapin::Result<u32> {
        let channel = self.inner.channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let looked = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
        channel.close(200, "OK".into()).await?;
        Ok(looked.message_count())
    }

    async fn send(&self, parcel: &Parcel, limit: Duration) -> Sent {
        let mut sending = std::pin::pin!(self.send_and_confirm(parcel));
        loop {
            match timeout(limit, &mut sending).await {
                Ok(Ok(Confirmation::Ack(None))) => return Sent::Confirmed,
                Ok(Ok(Confirmation::Ack(Some(_)))) => return Sent::Unroutable,
                Ok(Ok(Confirmation::Nack(_))) => return Sent::Full,
                Ok(Ok(Confirmation::NotRequested)) => return Sent::Unknown("confirms are off".to_owned()),
                Ok(Err(error)) if reply_code(&error) == Some(PRECONDITION_FAILED) => {
                    return Sent::Refused(cause_of(&error));
                }
                Ok(Err(error)) => return Sent::Unknown(cause_of(&error)),
                // Nothing is lost, and another connection would be blocked as well.
                Err(_) if self.inner.is_blocked() => {}
                Err(_) => return Sent::Unknown(format!("no confirmation within {} s", limit.as_secs_f32())),
            }
        }
    }

    /// When this is dropped half way, its channel is closed with it, and never used for another message.
    async fn send_and_confirm(&self, parcel: &Parcel) -> lapin::Result<Confirmation> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let channel = match idle {
            Some(channel) => channel,
            None => {
                let channel = self.inner.channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                channel
            }
        };
        let written = channel
            .basic_publish(
                parcel.exchange.clone(),
                parcel.routing_key.clone(),
                BasicPublishOptions { mandatory: parcel.mandatory, immediate: false },
                &parcel.body,
                parcel.properties.clone(),
            )
            .await?;
        let confirmation = written.await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        Ok(confirmation)
    }
}
