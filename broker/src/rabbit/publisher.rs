//! Publishes with confirms over one session, shared by all callers and made again whenever it is lost.
//!
//! Each channel carries one message at a time. lapin gives a returned message to whichever confirmation
//! comes next on the channel, so with several in flight one message's fate would be told to another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Confirmation};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{ACCESS_REFUSED, PRECONDITION_FAILED, cause_of, reply_code};
use super::hindered::Hindered;
use super::parcel::{Parcel, Receiver};
use super::reopen::{Backoff, Missing, Reopen};
use super::session::Session;
use super::{BrokerSettings, ConnectError, topology};
use crate::{BrokerClosed, PublishError};

/// Messages on the way at once, each on a channel of its own; further callers wait. Fewer where the server
/// allows fewer channels (2,047 unless its `channel_max` says otherwise).
const IN_FLIGHT: usize = 256;
/// Longest pause before a message is offered again to a queue that was full.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Names the session to operators.
const PURPOSE: &str = "publish";

type Current = Option<Arc<PublishSession>>;

/// The callers' side.
pub(super) struct Publisher {
    current: watch::Receiver<Current>,
    confirm_timeout: Duration,
    hindered: Hindered,
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
        confirm_timeout: settings.confirm_timeout,
        hindered: Hindered::default(),
    };
    let reopen = Reopen::new(settings.clone(), PURPOSE.to_owned(), missing, closed.clone());
    (publisher, Keeper { current: sender, reopen, closed: closed.clone() })
}

impl Publisher {
    /// Returns once the message is confirmed or can never be; where others are to receive it, also once it was
    /// offered often enough.
    pub(super) async fn publish(&self, parcel: Parcel) -> Result<(), PublishError> {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        let (mut tries, mut waiting) = (0, None);
        loop {
            let session = self.session().await?;
            let hindrance = match session.send(&parcel, self.confirm_timeout).await {
                Sent::Confirmed => {
                    drop(waiting);
                    self.hindered.got_through(&parcel);
                    return Ok(());
                }
                Sent::Unroutable if parcel.receiver == Receiver::Ours => {
                    session.inner.end().queue_gone(&parcel.routing_key);
                    continue;
                }
                Sent::Unroutable => return Err(PublishError::Unroutable(parcel.routing_key.to_string())),
                Sent::Refused(cause) => return Err(PublishError::Refused(cause)),
                Sent::Broken(cause) => {
                    session.inner.end().now(cause);
                    continue;
                }
                Sent::Hindered(hindrance) => hindrance,
            };
            tries += 1;
            if tries >= hindrance.most_tries() || self.hindered.is_hopeless(&parcel) {
                match parcel.receiver {
                    Receiver::Ours => {}
                    Receiver::Listeners => return self.give_up(&parcel, &hindrance).or(Ok(())),
                    Receiver::Asker => return self.give_up(&parcel, &hindrance),
                }
            }
            waiting.get_or_insert_with(|| self.hindered.wait(&parcel, &hindrance.to_string()));
            match hindrance {
                // The session may be what is wrong.
                Hindrance::Unconfirmed(_) => session.inner.end().now(hindrance),
                Hindrance::Full | Hindrance::Denied(_) => sleep(backoff.next()).await,
            }
        }
    }

    fn give_up(&self, parcel: &Parcel, hindrance: &Hindrance) -> Result<(), PublishError> {
        let (address, cause) = (parcel.routing_key.to_string(), hindrance.to_string());
        self.hindered.give_up(parcel, &cause);
        Err(PublishError::NotTaken { address, cause })
    }

    /// How many messages wait in the queue of that name. A queue that is gone is made again, and empty.
    pub(super) async fn waiting(&self, queue: &str) -> Result<u64, BrokerClosed> {
        loop {
            let session = self.session().await?;
            match session.patiently(self.confirm_timeout, session.waiting(queue)).await {
                Some(Ok(messages)) => return Ok(messages.into()),
                Some(Err(error)) => session.inner.end().now(cause_of(&error)),
                None => session.inner.end().now(format!("no answer about `{queue}`")),
            }
        }
    }

    async fn session(&self) -> Result<Arc<PublishSession>, BrokerClosed> {
        let live = |current: &Current| current.as_ref().is_some_and(|session| !session.inner.end().reached());
        let current = self.current.clone().wait_for(live).await.map_err(|_| BrokerClosed)?.clone();
        current.ok_or(BrokerClosed)
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
    /// RabbitMQ will never take this message.
    Refused(String),
    /// It is not taken now, and the session is as good as ever; or so it seems.
    Hindered(Hindrance),
    /// The session is lost, and the message may have arrived or not.
    Broken(String),
}

/// Why a message is not taken now.
#[derive(Debug, thiserror::Error)]
enum Hindrance {
    /// The queue has reached the length its policy allows.
    #[error("the queue is full")]
    Full,
    /// This user may not write there.
    #[error("{0}")]
    Denied(String),
    /// Nothing was heard of it. Some queue may have lost its quorum.
    #[error("no confirmation within {} s", .0.as_secs_f32())]
    Unconfirmed(Duration),
}

impl Hindrance {
    /// Tries after which somebody else's address is given up.
    fn most_tries(&self) -> u32 {
        match self {
            Self::Full => 6,
            Self::Denied(_) => 1,
            Self::Unconfirmed(_) => 2,
        }
    }
}

/// A connection for publishing, and its channels that have nothing in flight.
pub(super) struct PublishSession {
    inner: Session,
    idle: Mutex<Vec<Channel>>,
    /// For each channel that may be in use.
    places: Semaphore,
}

impl PublishSession {
    /// Connects and declares the topology.
    pub(super) async fn open(settings: &BrokerSettings) -> Result<Self, ConnectError> {
        let inner = topology::open(settings, PURPOSE).await?;
        // The other half is for questions, and for channels that are not closed yet.
        let places = usize::from(inner.channel_max() / 2).clamp(1, IN_FLIGHT);
        Ok(Self { inner, idle: Mutex::default(), places: Semaphore::new(places) })
    }

    async fn waiting(&self, queue: &str) -> lapin::Result<u32> {
        let channel = self.inner.channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let looked = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
        channel.close(200, "OK".into()).await?;
        Ok(looked.message_count())
    }

    /// lapin leaves some of what was under way when a connection ended without an answer, so the end is watched.
    async fn send(&self, parcel: &Parcel, limit: Duration) -> Sent {
        let sent = self.inner.end().token().run_until_cancelled(self.send_in_turn(parcel, limit)).await;
        sent.unwrap_or_else(|| Sent::Broken("the session has ended".to_owned()))
    }

    async fn send_in_turn(&self, parcel: &Parcel, limit: Duration) -> Sent {
        let Ok(_place) = self.places.acquire().await else { return Sent::Broken("it was closed".to_owned()) };
        match self.patiently(limit, self.send_and_confirm(parcel)).await {
            Some(Ok(Confirmation::Ack(None))) => Sent::Confirmed,
            Some(Ok(Confirmation::Ack(Some(_)))) => Sent::Unroutable,
            Some(Ok(Confirmation::Nack(_))) => Sent::Hindered(Hindrance::Full),
            Some(Ok(Confirmation::NotRequested)) => Sent::Broken("confirms are off".to_owned()),
            Some(Err(error)) => match reply_code(&error) {
                Some(PRECONDITION_FAILED) => Sent::Refused(cause_of(&error)),
                Some(ACCESS_REFUSED) => Sent::Hindered(Hindrance::Denied(cause_of(&error))),
                _ => Sent::Broken(cause_of(&error)),
            },
            None => Sent::Hindered(Hindrance::Unconfirmed(limit)),
        }
    }

    /// As long as RabbitMQ takes nothing at all the time does not count: nothing is lost, and another connection
    /// would be blocked as well. `None`: no answer in time.
    async fn patiently<T>(&self, limit: Duration, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        loop {
            match timeout(limit, &mut answer).await {
                Ok(answer) => return Some(answer),
                Err(_) if self.inner.is_blocked() => {}
                Err(_) => return None,
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
