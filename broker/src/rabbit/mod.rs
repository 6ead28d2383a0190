//! RabbitMQ over lapin: one connection for publishing, and one for each subscription.
//!
//! Everything worth knowing is logged here. lapin's own log lines (target `lapin`) repeat it, and hold
//! the bodies of returned messages, so whoever sets up logging should turn them off.

mod broadcasts;
mod consumer;
mod error;
mod hindered;
mod inspect;
mod lanes;
mod parcel;
mod publisher;
mod reopen;
mod session;
mod settings;
mod tls;
mod topology;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use error::ConnectError;
pub use inspect::{
    BrokerInspection, BrokerItem, BrokerItemKind, BrokerItemState, NodeInspection, inspect_broker,
};
pub use settings::{BadBrokerUrl, BadNamespace, BrokerSettings, BrokerUrl, BrokerUrls, Namespace};
pub use tls::{BadBrokerTls, BrokerTls};

use crate::delay::RUNGS;
use crate::{Broadcasts, Broker, BrokerClosed, Message, PublishError, Queue, Subscription, Target};
use parcel::Parcel;
use publisher::{PublishSession, Publisher};
use reopen::Missing;

/// Carries messages over RabbitMQ. Lost connections are made again for ever, until it is closed or dropped.
pub struct RabbitBroker {
    settings: Arc<BrokerSettings>,
    publisher: Publisher,
    missing: Missing,
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
        let (publisher, keeper) = publisher::publisher(&settings, &missing, &closed);
        keepers.spawn(keeper.run(first));
        let _close_on_drop = closed.clone().drop_guard();
        Arc::new(Self { settings, publisher, missing, closed, keepers, _close_on_drop })
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
        let parcel = Parcel::new(&self.settings.namespace, target, message)?;
        let published = self.closed.run_until_cancelled(self.publisher.publish(parcel)).await;
        published.unwrap_or(Err(PublishError::Closed(BrokerClosed)))
    }

    async fn subscribe(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Subscription>, BrokerClosed> {
        if self.closed.is_cancelled() {
            return Err(BrokerClosed);
        }
        let (subscription, keeper) =
            consumer::subscription(&self.settings, queue, prefetch.max(1), &self.missing, &self.closed);
        self.keepers.spawn(keeper.run());
        Ok(Box::new(subscription))
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerClosed> {
        let name = self.settings.namespace.queue(queue);
        let waiting = self.closed.run_until_cancelled(self.publisher.waiting(&name)).await;
        waiting.unwrap_or(Err(BrokerClosed))
    }

    async fn delayed(&self) -> Result<u64, BrokerClosed> {
        let counting = async {
            let mut delayed = 0;
            for rung in RUNGS {
                let name = topology::rung_name(&self.settings.namespace, rung);
                delayed += self.publisher.waiting(&name).await?;
            }
            Ok(delayed)
        };
        self.closed.run_until_cancelled(counting).await.unwrap_or(Err(BrokerClosed))
    }

    async fn broadcasts(&self) -> Result<Box<dyn Broadcasts>, BrokerClosed> {
        if self.closed.is_cancelled() {
            return Err(BrokerClosed);
        }
        let (broadcasts, keeper) = broadcasts::broadcasts(&self.settings, &self.missing, &self.closed);
        self.keepers.spawn(keeper.run());
        Ok(Box::new(broadcasts))
    }

    fn ready(&self) -> bool {
        self.missing.is_none()
    }

    async fn close(&self) {
        self.closed.cancel();
        self.keepers.close();
        // Each keeper gives up its good-byes after a few seconds.
        self.keepers.wait().await;
    }
}
