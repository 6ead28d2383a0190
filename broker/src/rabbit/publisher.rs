//! Publishes with confirms over one session. All callers share it, and a new one is opened whenever it is lost.
//!
//! Each channel carries one message at a time. lapin gives a returned message to whichever confirmation comes next on
//! the channel. With several in flight, one message would get the outcome of another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Confirmation};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answers::{Answers, Leave};
use super::error::{ACCESS_REFUSED, PRECONDITION_FAILED, cause_of, reply_code};
use super::hindered::Hindered;
use super::keep::Kept;
use super::parcel::{Parcel, Receiver};
use super::reopen::Backoff;
use super::session::Session;
use super::topology::Topology;
use super::{BrokerSettings, ConnectError};
use crate::{BrokerClosed, PublishError};

/// Messages on the way at once, each on a channel of its own; further callers wait. Fewer where the server
/// allows fewer channels (2,047 unless its `channel_max` says otherwise).
const IN_FLIGHT: usize = 256;
/// Longest pause before a message is offered again to a queue that was full.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often an answer may be on the way while its session ends.
const MOST_BROKEN: u32 = 3;
/// How long an answer's confirmation is waited for at most: others wait for their answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Names the session to operators.
pub(super) const PURPOSE: &str = "publish";
/// Names a connection for one answer.
const ANSWER: &str = "answer";

/// Publishes for all callers.
pub(super) struct Publisher {
    connection: Kept<PublishSession>,
    settings: Arc<BrokerSettings>,
    hindered: Hindered,
    answers: Answers,
}

impl Publisher {
    pub(super) fn new(connection: Kept<PublishSession>, settings: Arc<BrokerSettings>) -> Self {
        let (hindered, answers) = (Hindered::default(), Answers::default());
        Self { connection, settings, hindered, answers }
    }

    /// Returns once the message is confirmed or can never be; where others are to receive it, also once it was
    /// offered often enough.
    pub(super) async fn publish(&self, parcel: Parcel) -> Result<(), PublishError> {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        let (mut tries, mut broken, mut waiting) = (0, 0, None);
        loop {
            let session = self.connection.session().await?;
            let sent = self.send(&session, &parcel).await;
            if let (Receiver::Asker, Sent::Broken(cause)) = (parcel.receiver, &sent) {
                broken += 1;
                if broken >= MOST_BROKEN {
                    self.answers.shun(parcel.routing_key.as_str());
                    return Err(not_taken(&parcel, cause));
                }
            }
            let hindrance = match session.outcome(sent, &parcel) {
                Outcome::Done(outcome) => {
                    drop(waiting);
                    if outcome.is_ok() {
                        self.hindered.got_through(&parcel);
                    }
                    return outcome;
                }
                Outcome::Again => continue,
                Outcome::Hindered(hindrance) => hindrance,
            };
            tries += 1;
            let hopeless = !matches!(hindrance, Hindrance::Alone(_)) && self.hindered.is_hopeless(&parcel);
            let enough = hopeless || tries >= hindrance.most_tries();
            match parcel.receiver {
                Receiver::Listeners if enough => return self.give_up(&parcel, &hindrance).or(Ok(())),
                Receiver::Asker if enough => return self.give_up(&parcel, &hindrance),
                Receiver::Ours | Receiver::Listeners | Receiver::Asker => {}
            }
            waiting.get_or_insert_with(|| self.hindered.wait(&parcel, &hindrance.to_string()));
            match hindrance {
                // The session may be what is wrong, unless it is an asker's queue.
                Hindrance::Unconfirmed(_) if parcel.receiver != Receiver::Asker => {
                    session.inner.end().now(hindrance);
                }
                _ => sleep(backoff.next()).await,
            }
        }
    }

    /// Sends over the session, or alone what may cost the session.
    async fn send(&self, session: &PublishSession, parcel: &Parcel) -> Sent {
        if parcel.receiver != Receiver::Asker {
            return session.send(parcel, self.settings.confirm_timeout).await;
        }
        let address = parcel.routing_key.as_str();
        let limit = self.settings.confirm_timeout.min(ANSWER_LIMIT);
        match self.answers.leave(address, session.number).await {
            Leave::Shared => session.send(parcel, limit).await,
            Leave::None(why) => Sent::Impossible(why),
            Leave::Alone(_turn) => {
                let sent = Box::pin(self.send_alone(parcel, limit)).await;
                if matches!(sent, Sent::Confirmed) {
                    self.answers.reached(address, session.number);
                }
                sent
            }
        }
    }

    /// Sends over a connection that ends with it.
    async fn send_alone(&self, parcel: &Parcel, limit: Duration) -> Sent {
        let opened = Session::open(&self.settings, ANSWER).await;
        let alone = match opened.map(PublishSession::of) {
            Ok(alone) => alone,
            Err(error) => return Sent::Hindered(Hindrance::Alone(error.to_string())),
        };
        let sent = alone.send(parcel, limit).await;
        alone.inner.close().await;
        match sent {
            Sent::Broken(cause) => Sent::Hindered(Hindrance::Alone(cause)),
            sent => sent,
        }
    }

    fn give_up(&self, parcel: &Parcel, hindrance: &Hindrance) -> Result<(), PublishError> {
        match hindrance {
            Hindrance::Alone(_) => self.answers.shun(parcel.routing_key.as_str()),
            _ => self.hindered.give_up(parcel, &hindrance.to_string()),
        }
        Err(not_taken(parcel, hindrance))
    }

    /// How many messages wait in the queue of that name. A queue that is gone is made again, and empty.
    pub(super) async fn waiting(&self, queue: &str) -> Result<u64, BrokerClosed> {
        loop {
            let session = self.connection.session().await?;
            match session.patiently(self.settings.confirm_timeout, session.waiting(queue)).await {
                Some(Ok(messages)) => return Ok(messages.into()),
                Some(Err(error)) => session.inner.end().now(cause_of(&error)),
                None => session.inner.end().now(format!("no answer about `{queue}`")),
            }
        }
    }
}

fn not_taken(parcel: &Parcel, cause: &impl ToString) -> PublishError {
    PublishError::NotTaken { address: parcel.routing_key.to_string(), cause: cause.to_string() }
}

/// What became of one try.
enum Sent {
    Confirmed,
    /// No queue of that name.
    Unroutable,
    /// RabbitMQ will never take this message.
    Refused(String),
    /// Nobody can be at that address.
    Impossible(&'static str),
    /// It is not taken now, and the session is as good as ever; or so it seems.
    Hindered(Hindrance),
    /// The session is lost, and the message may have arrived or not.
    Broken(String),
}

/// What follows from one try.
enum Outcome {
    Done(Result<(), PublishError>),
    /// It is sent again, by the next session.
    Again,
    Hindered(Hindrance),
}

/// Why a message is not taken now.
#[derive(Debug, thiserror::Error)]
enum Hindrance {
    /// The queue has reached the length that its policy allows, or it has no leader at the moment.
    #[error("the queue is full, or has no leader at the moment")]
    Nacked,
    /// This user may not write there.
    #[error("{0}")]
    Denied(String),
    /// Nothing was heard of it. Some queue may have lost its quorum.
    #[error("no confirmation within {} s", .0.as_secs_f32())]
    Unconfirmed(Duration),
    /// It was tried on a connection of its own, which was lost or could not be opened.
    #[error("{0}")]
    Alone(String),
}

impl Hindrance {
    /// Tries after which somebody else's address is given up.
    fn most_tries(&self) -> u32 {
        match self {
            Self::Nacked => 6,
            Self::Denied(_) => 1,
            Self::Unconfirmed(_) | Self::Alone(_) => 2,
        }
    }
}

/// A connection for publishing, and its channels that have nothing in flight.
pub(super) struct PublishSession {
    inner: Session,
    idle: Mutex<Vec<Channel>>,
    /// For each channel that may be in use.
    places: Semaphore,
    /// Tells it from those before it.
    number: u64,
}

impl AsRef<Session> for PublishSession {
    fn as_ref(&self) -> &Session {
        &self.inner
    }
}

impl PublishSession {
    /// Connects and declares the topology.
    pub(super) async fn open(settings: &BrokerSettings) -> Result<Self, ConnectError> {
        let inner = Session::open(settings, PURPOSE).await?;
        let all = Topology::all(settings);
        if let Err(error) = inner.prepare(settings, all.declare(&inner)).await {
            inner.close().await;
            return Err(error);
        }
        Ok(Self::of(inner))
    }

    fn of(inner: Session) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        // The other half is for questions, and for channels that are not closed yet.
        let places = usize::from(inner.channel_max() / 2).clamp(1, IN_FLIGHT);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { inner, idle: Mutex::default(), places: Semaphore::new(places), number }
    }

    /// Fails for a queue that is not there.
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

    /// Ends the session where it, or what was declared on it, is no longer good.
    fn outcome(&self, sent: Sent, parcel: &Parcel) -> Outcome {
        match sent {
            Sent::Confirmed => Outcome::Done(Ok(())),
            Sent::Refused(cause) => Outcome::Done(Err(PublishError::Refused(cause))),
            Sent::Impossible(why) => Outcome::Done(Err(not_taken(parcel, &why))),
            Sent::Hindered(hindrance) => Outcome::Hindered(hindrance),
            Sent::Unroutable if parcel.receiver == Receiver::Ours => {
                self.inner.end().queue_gone(&parcel.routing_key);
                Outcome::Again
            }
            Sent::Unroutable => Outcome::Done(Err(PublishError::Unroutable(parcel.routing_key.to_string()))),
            Sent::Broken(cause) => {
                self.inner.end().now(cause);
                Outcome::Again
            }
        }
    }

    async fn send_in_turn(&self, parcel: &Parcel, limit: Duration) -> Sent {
        let Ok(_place) = self.places.acquire().await else { return Sent::Broken("it was closed".to_owned()) };
        match self.patiently(limit, self.send_and_confirm(parcel)).await {
            Some(Ok(Confirmation::Ack(None))) => Sent::Confirmed,
            Some(Ok(Confirmation::Ack(Some(_)))) => Sent::Unroutable,
            Some(Ok(Confirmation::Nack(_))) => Sent::Hindered(Hindrance::Nacked),
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
        // RabbitMQ 3.10 refuses everything on a channel whose first message to a queue found the queue's leader dead,
        // also when there is a new leader. A new channel asks the new one.
        if !matches!(confirmation, Confirmation::Nack(_)) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        }
        Ok(confirmation)
    }
}
