//! RabbitMQ as a [`Broker`]: which connections there are, and who uses which.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::acks::Acks;
use super::consumer::Wish;
use super::keep::{Kept, keep};
use super::listener::RabbitListener;
use super::parcel::Parcel;
use super::publisher::{PublishSession, Publisher};
use super::reopen::{Missing, Reopen};
use super::republisher::Republisher;
use super::session::Session;
use super::{BrokerSettings, ConnectError, consumer, listener, publisher};
use crate::{
    Broadcasts, Broker, BrokerClosed, Events, ForeignExchange, Message, PublishError, Queue, Subscription,
    Target,
};

/// Names the consuming connection to operators.
const CONSUME: &str = "consume";

/// Carries messages over RabbitMQ. Lost connections are made again for ever, until it is closed or dropped.
pub struct RabbitBroker {
    settings: Arc<BrokerSettings>,
    publisher: Arc<Publisher>,
    /// Set by the first reader.
    consuming: OnceLock<Kept<Session>>,
    missing: Missing,
    acks: Acks,
    closed: CancellationToken,
    keepers: TaskTracker,
    _close_on_drop: DropGuard,
}

impl RabbitBroker {
    /// For daemons: returns at once and connects in the background, for as long as it takes. Needs a
    /// tokio runtime.
    pub fn new(settings: BrokerSettings) -> Arc<Self> {
        Self::begin(Arc::new(settings), None)
    }

    /// For commands that end: tries once, and says clearly why there is no connection. After that it
    /// reconnects like [`RabbitBroker::new`], so set a deadline for what you publish.
    pub async fn connect(settings: BrokerSettings) -> Result<Arc<Self>, ConnectError> {
        let first = PublishSession::open(&settings).await?;
        Ok(Self::begin(Arc::new(settings), Some(first)))
    }

    fn begin(settings: Arc<BrokerSettings>, first: Option<PublishSession>) -> Arc<Self> {
        let (closed, keepers, missing) = (CancellationToken::new(), TaskTracker::new(), Missing::default());
        let purpose = publisher::PURPOSE.to_owned();
        let reopen = Reopen::new(settings.clone(), purpose, &missing, closed.clone());
        let (connection, keeper) = keep(reopen, &closed);
        let publisher = Arc::new(Publisher::new(connection, settings.clone()));
        let to_open = settings.clone();
        keepers.spawn(async move { keeper.run(first, || PublishSession::open(&to_open)).await });
        let _close_on_drop = closed.clone().drop_guard();
        let (consuming, acks) = (OnceLock::new(), Acks::default());
        Arc::new(Self { settings, publisher, consuming, missing, acks, closed, keepers, _close_on_drop })
    }

    /// The servers, without user names and passwords.
    pub fn servers(&self) -> String {
        self.settings.urls.to_string()
    }

    /// Begins to listen to an exchange of somebody else.
    pub fn listen_to(&self, exchange: ForeignExchange) -> Result<Box<dyn Events>, BrokerClosed> {
        Ok(Box::new(self.listen(Queue::listening_to(exchange), exchange.name)?))
    }

    /// The connection that all readers share.
    fn consuming(&self) -> Kept<Session> {
        let begin = || {
            let (connection, keeper) = keep(self.reopen(CONSUME.to_owned(), &self.closed), &self.closed);
            let settings = self.settings.clone();
            self.keepers.spawn(async move { keeper.run(None, || Session::open(&settings, CONSUME)).await });
            connection
        };
        self.consuming.get_or_init(begin).clone()
    }

    fn reopen(&self, purpose: String, stop: &CancellationToken) -> Reopen {
        Reopen::new(self.settings.clone(), purpose, &self.missing, stop.clone())
    }

    fn listen(&self, queue: Queue, purpose: &str) -> Result<RabbitListener, BrokerClosed> {
        self.check_open()?;
        let stop = self.closed.child_token();
        let reopen = self.reopen(purpose.to_owned(), &stop);
        let (listener, keeper) = listener::listener(queue, self.consuming(), reopen, stop);
        self.keepers.spawn(keeper.run());
        Ok(listener)
    }

    fn republisher(&self) -> Republisher {
        Republisher {
            publisher: self.publisher.clone(),
            settings: self.settings.clone(),
            tasks: self.keepers.clone(),
            closed: self.closed.clone(),
        }
    }

    fn check_open(&self) -> Result<(), BrokerClosed> {
        if self.closed.is_cancelled() { Err(BrokerClosed) } else { Ok(()) }
    }
}

impl fmt::Debug for RabbitBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitBroker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    async fn publish(&self, target: &Target, message: Message) -> Result<(), PublishError> {
        if let Target::Reply(reply) = target
            && !self.may_answer(&reply.queue)
        {
            let (address, cause) = (reply.queue.clone(), "it is a queue of linkbeat's own".to_owned());
            return Err(PublishError::NotTaken { address, cause });
        }
        let parcel = Parcel::new(&self.settings.namespace, target, message)?;
        let published = self.closed.run_until_cancelled(self.publisher.publish(parcel)).await;
        published.unwrap_or(Err(PublishError::Closed(BrokerClosed)))
    }

    async fn subscribe(&self, queue: &Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        self.check_open()?;
        let stop = self.closed.child_token();
        let reopen = self.reopen(format!("{CONSUME} {queue}"), &stop);
        let wish = Wish { queue: queue.clone(), prefetch: prefetch.max(1), acks: self.acks.clone() };
        let (subscription, keeper) = consumer::subscription(
            wish,
            self.consuming(),
            reopen,
            self.republisher(),
            stop,
            self.closed.clone(),
        );
        self.keepers.spawn(keeper.run());
        Ok(Box::new(subscription))
    }

    async fn waiting(&self, queue: &Queue) -> Result<u64, BrokerClosed> {
        let name = queue.name_in(&self.settings.namespace);
        let waiting = self.closed.run_until_cancelled(self.publisher.waiting(&name)).await;
        waiting.unwrap_or(Err(BrokerClosed))
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        Ok(Box::new(self.listen(Queue::BROADCAST, "broadcasts")?))
    }

    async fn events(&self, pattern: &str) -> Result<Box<dyn Events>, BrokerClosed> {
        Ok(Box::new(self.listen(Queue::of_events(pattern), "events")?))
    }

    fn queues(&self) -> Vec<Queue> {
        self.settings.all_queues().collect()
    }

    fn may_answer(&self, address: &str) -> bool {
        !self.settings.owns(address)
    }

    fn ready(&self) -> bool {
        self.missing.is_none()
    }

    fn trouble(&self) -> Option<String> {
        self.missing.why()
    }

    async fn close(&self) {
        self.acks.carried_out().await;
        self.closed.cancel();
        self.keepers.close();
        // Each keeper gives up its good-byes after a few seconds.
        self.keepers.wait().await;
    }
}
