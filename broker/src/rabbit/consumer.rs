//! Takes messages from one queue, over a connection of its own that is made again whenever it is lost.
//!
//! Publishers may be blocked by RabbitMQ's alarms; acknowledgements on another connection are not. A
//! message is settled on the channel it came by and nowhere else, so every delivery holds its session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::error::cause_of;
use super::parcel;
use super::reopen::{Missing, Reopen};
use super::session::Session;
use super::{BrokerSettings, ConnectError, topology};
use crate::{Delivery, Queue, SessionLost, Settle, Subscription};

const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };

type Current = Option<Arc<ConsumeSession>>;

/// The reader's side.
pub(super) struct RabbitSubscription {
    current: watch::Receiver<Current>,
    stop: CancellationToken,
    /// Cancelled by the keeper when nothing more will be taken and the rest was given back.
    stopped: CancellationToken,
}

/// The side that keeps a session open.
pub(super) struct Keeper {
    queue: Queue,
    prefetch: u16,
    current: watch::Sender<Current>,
    reopen: Reopen,
    closed: CancellationToken,
    stop: CancellationToken,
    stopped: CancellationToken,
}

/// A subscription and its keeper.
pub(super) fn subscription(
    settings: &Arc<BrokerSettings>,
    queue: Queue,
    prefetch: u16,
    missing: &Missing,
    closed: &CancellationToken,
) -> (RabbitSubscription, Keeper) {
    let (sender, receiver) = watch::channel(None);
    let (stop, stopped) = (closed.child_token(), CancellationToken::new());
    let reopen = Reopen::new(settings.clone(), format!("consume {}", queue.as_str()), missing, stop.clone());
    let closed = closed.clone();
    let keeper = Keeper {
        queue,
        prefetch,
        current: sender,
        reopen,
        closed,
        stop: stop.clone(),
        stopped: stopped.clone(),
    };
    (RabbitSubscription { current: receiver, stop, stopped }, keeper)
}

#[async_trait]
impl Subscription for RabbitSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let live =
                |current: &Current| current.as_ref().is_some_and(|session| !session.inner.end().reached());
            let waiting = self.current.wait_for(live);
            let session = self.stop.run_until_cancelled(waiting).await?.ok()?.clone()?;
            let arrived = self.stop.run_until_cancelled(session.arrival()).await?;
            if let Some(delivery) = arrived {
                return Some(delivery);
            }
        }
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }
}

impl Drop for RabbitSubscription {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Keeper {
    /// Keeps a session open until told to stop; then until every delivery is settled.
    pub(super) async fn run(mut self) {
        let _stopped = self.stopped.clone().drop_guard();
        let (settings, purpose) = (self.reopen.settings.clone(), self.reopen.purpose.clone());
        loop {
            let open = || ConsumeSession::open(&settings, &purpose, self.queue, self.prefetch);
            let Some(session) = self.reopen.until_open(open).await.map(Arc::new) else { return };
            self.current.send_replace(Some(session.clone()));
            tokio::select! {
                () = session.inner.end().token().cancelled() => {}
                () = session.stalled(settings.heartbeat) => {}
                () = self.stop.cancelled() => return self.wind_up(&session).await,
            }
            self.current.send_replace(None);
            session.inner.cut();
            self.reopen.after(session.inner.end()).await;
        }
    }

    async fn wind_up(&self, session: &Arc<ConsumeSession>) {
        self.current.send_replace(None);
        if !self.closed.is_cancelled() {
            session.give_back_rest(self.reopen.settings.confirm_timeout).await;
            self.stopped.cancel();
            session.unsettled.close();
            tokio::select! {
                () = session.unsettled.wait() => {}
                () = session.inner.end().token().cancelled() => {}
                () = self.closed.cancelled() => {}
            }
        }
        session.inner.close().await;
    }
}

/// A connection on which one queue is consumed.
struct ConsumeSession {
    inner: Session,
    channel: Channel,
    consumer: Consumer,
    /// One token for each delivery handed out and not settled.
    unsettled: TaskTracker,
    /// How many were handed out.
    arrivals: AtomicU64,
    /// One token while the reader waits for the next.
    waiting: TaskTracker,
}

impl ConsumeSession {
    async fn open(
        settings: &BrokerSettings,
        purpose: &str,
        queue: Queue,
        prefetch: u16,
    ) -> Result<Self, ConnectError> {
        let inner = Session::open(settings, purpose).await?;
        let (channel, consumer) = inner.prepare(settings, consume(&inner, settings, queue, prefetch)).await?;
        let (unsettled, waiting) = (TaskTracker::new(), TaskTracker::new());
        Ok(Self { inner, channel, consumer, unsettled, arrivals: AtomicU64::new(0), waiting })
    }

    /// The next message; `None` once the session has ended.
    async fn arrival(self: &Arc<Self>) -> Option<Delivery> {
        let end = self.inner.end();
        let _waiting = self.waiting.token();
        let mut consumer = self.consumer.clone();
        match end.token().run_until_cancelled(consumer.next()).await? {
            Some(Ok(delivery)) => return Some(self.hand_out(delivery)),
            Some(Err(error)) => end.now(cause_of(&error)),
            None => end.queue_gone(self.consumer.queue()),
        }
        None
    }

    fn hand_out(self: &Arc<Self>, mut delivery: lapin::message::Delivery) -> Delivery {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        let message = parcel::message(&mut delivery);
        let settle =
            RabbitSettle { acker: delivery.acker, session: self.clone(), _unsettled: self.unsettled.token() };
        Delivery::new(message, delivery.redelivered, self.inner.end().token(), Box::new(settle))
    }

    /// Ends the session once RabbitMQ has forgotten the consumer: messages are ready and the reader waits
    /// with empty hands, yet for two periods in a row nothing came. 3.10 was seen to do that to readers of
    /// a quorum queue that was deleted and made again at once.
    async fn stalled(&self, period: Duration) {
        let mut strikes = 0;
        while strikes < 2 {
            let before = self.arrivals.load(Ordering::Relaxed);
            sleep(period).await;
            let in_vain = !self.waiting.is_empty()
                && self.unsettled.is_empty()
                && self.arrivals.load(Ordering::Relaxed) == before;
            strikes = if in_vain && self.is_message_ready().await { strikes + 1 } else { 0 };
        }
        self.inner.end().now("messages are ready, but RabbitMQ delivers none");
    }

    async fn is_message_ready(&self) -> bool {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let looked = self.channel.queue_declare(self.consumer.queue(), passive, FieldTable::default()).await;
        looked.is_ok_and(|queue| queue.message_count() > 0)
    }

    /// Ends the consumer and gives back what it took and nobody has seen.
    async fn give_back_rest(&self, limit: Duration) {
        let giving_back = async {
            let tag = self.consumer.tag();
            self.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
            let mut consumer = self.consumer.clone();
            while let Some(delivery) = consumer.next().await {
                delivery?.acker.nack(REQUEUE).await?;
            }
            Ok::<_, lapin::Error>(())
        };
        match timeout(limit, giving_back).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.inner.end().now(cause_of(&error)),
            Err(_) => self.inner.end().now("RabbitMQ did not answer the end of the consumer"),
        }
    }

    /// Waits until `sending` is written. The heartbeat is its deadline: it ends a session that hangs.
    async fn settle(&self, sending: impl Future<Output = lapin::Result<bool>>) -> Result<(), SessionLost> {
        let end = self.inner.end();
        match end.token().run_until_cancelled(sending).await {
            Some(Ok(true)) => return Ok(()),
            Some(Ok(false)) => end.now("the channel was closed"),
            Some(Err(error)) => end.now(cause_of(&error)),
            None => {}
        }
        Err(SessionLost)
    }
}

async fn consume(
    session: &Session,
    settings: &BrokerSettings,
    queue: Queue,
    prefetch: u16,
) -> Result<(Channel, Consumer), ConnectError> {
    let failed = |error| ConnectError::speaking(session.url(), &error);
    let channel = session.channel().await.map_err(failed)?;
    topology::declare(&channel, session.url(), settings).await?;
    channel.basic_qos(prefetch, BasicQosOptions { global: false }).await.map_err(failed)?;
    let name = settings.namespace.queue(queue);
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(name.into(), "".into(), options, FieldTable::default()).await;
    Ok((channel, consumer.map_err(failed)?))
}

/// Settles one delivery on the channel it came by.
struct RabbitSettle {
    acker: Acker,
    session: Arc<ConsumeSession>,
    _unsettled: TaskTrackerToken,
}

#[async_trait]
impl Settle for RabbitSettle {
    async fn ack(self: Box<Self>) -> Result<(), SessionLost> {
        self.session.settle(self.acker.ack(BasicAckOptions::default())).await
    }

    async fn requeue(self: Box<Self>) -> Result<(), SessionLost> {
        self.session.settle(self.acker.nack(REQUEUE)).await
    }
}

impl Drop for RabbitSettle {
    fn drop(&mut self) {
        if self.acker.usable() {
            // One poll hands the frame to lapin, which sends it by itself. Should that fail, the end of
            // the session gives the message back.
            let _ = self.acker.nack(REQUEUE).now_or_never();
        }
    }
}
