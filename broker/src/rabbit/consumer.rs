//! Takes messages from one queue, over a channel of the consuming connection.
//!
//! All readers share one connection and have a channel each. RabbitMQ closes a channel for its own faults: a queue
//! that was deleted, a message held too long, a permission that is missing. Only its reader begins again then, and the
//! others go on. A channel cannot hold up the others either: RabbitMQ sends no more than its prefetch, and lapin takes
//! all that comes off the socket. A message is settled on the channel it came by and nowhere else, so every delivery
//! holds its channel.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::try_join_all;
use lapin::options::BasicAckOptions;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::acks::Acks;
use super::channel::PartialSession;
use super::keep::Kept;
use super::lane::{Lane, Unsettled};
use super::lanes::{Lanes, REQUEUE};
use super::parcel;
use super::reopen::Reopen;
use super::republisher::Republisher;
use super::session::Session;
use super::{BrokerSettings, ConnectError};
use crate::broker::lanes;
use crate::delivery::Settle;
use crate::{Delivery, Queue, SessionLost, Subscription};

/// How long a job that goes back may wait for room in its queue.
const PUT_BACK: Duration = Duration::from_secs(3);

type Current = Option<Arc<Reading>>;

/// What is read, and how.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) queue: Queue,
    pub(super) prefetch: u16,
    pub(super) acks: Acks,
}

/// The reader's side.
pub(super) struct RabbitSubscription {
    current: watch::Receiver<Current>,
    wish: Wish,
    republisher: Republisher,
    /// How many lanes are wanted.
    size: watch::Sender<u16>,
    stop: CancellationToken,
    /// Cancelled by the keeper when nothing more will be taken and the rest was given back.
    stopped: CancellationToken,
}

/// The side that keeps a channel open.
pub(super) struct Keeper {
    wish: Wish,
    connection: Kept<Session>,
    size: watch::Receiver<u16>,
    current: watch::Sender<Current>,
    reopen: Reopen,
    republisher: Republisher,
    closed: CancellationToken,
    stop: CancellationToken,
    stopped: CancellationToken,
}

/// A subscription and its keeper. `stop` ends it; a child of `closed`, which ends everything.
pub(super) fn subscription(
    wish: Wish,
    connection: Kept<Session>,
    reopen: Reopen,
    republisher: Republisher,
    stop: CancellationToken,
    closed: CancellationToken,
) -> (RabbitSubscription, Keeper) {
    let (sender, current) = watch::channel(None);
    let (resize, size) = watch::channel(1);
    let stopped = CancellationToken::new();
    let subscription = RabbitSubscription {
        current,
        wish: wish.clone(),
        republisher: republisher.clone(),
        size: resize,
        stop: stop.clone(),
        stopped: stopped.clone(),
    };
    let keeper =
        Keeper { wish, connection, size, current: sender, reopen, republisher, closed, stop, stopped };
    (subscription, keeper)
}

#[async_trait]
impl Subscription for RabbitSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let live =
                |current: &Current| current.as_ref().is_some_and(|reading| !reading.channel.end().reached());
            let reading = {
                let waiting = self.current.wait_for(live);
                self.stop.run_until_cancelled(waiting).await?.ok()?.clone()?
            };
            let arrived = self.stop.run_until_cancelled(reading.arrival()).await?;
            let Some(delivery) = arrived else { continue };
            // In the dead queue it is where it belongs.
            if delivery.message.headers.unreadable.is_none() || self.wish.queue == Queue::DEAD {
                return Some(delivery);
            }
            self.republisher.park(delivery, &self.wish.queue);
        }
    }

    fn resize(&mut self, prefetch: u16) {
        let lanes = lanes(prefetch, self.wish.prefetch);
        self.size.send_if_modified(|size| std::mem::replace(size, lanes) != lanes);
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
    /// Keeps a channel open until told to stop; then until every delivery is settled.
    pub(super) async fn run(mut self) {
        let _stopped = self.stopped.clone().drop_guard();
        let settings = self.reopen.settings.clone();
        loop {
            let (connection, size) = (self.connection.clone(), self.size.clone());
            let open = || Reading::open(&connection, &settings, &self.wish, *size.borrow());
            let Some(reading) = Box::pin(self.reopen.until_open(open)).await.map(Arc::new) else { return };
            self.current.send_replace(Some(reading.clone()));
            let is_lost = self.attend(&reading).await;
            self.current.send_replace(None);
            if !is_lost {
                return self.wind_up(&reading).await;
            }
            reading.channel.close().await;
            self.reopen.after(reading.channel.end()).await;
        }
    }

    /// Sees to a channel until it is lost, or wanted no longer: then `false`.
    async fn attend(&mut self, reading: &Reading) -> bool {
        let settings = self.reopen.settings.clone();
        let mut stalled = pin!(reading.stalled(settings.heartbeat));
        let mut closed_by_server = pin!(reading.channel.closed_by_server());
        loop {
            tokio::select! {
                () = reading.channel.end().token().cancelled() => return true,
                () = &mut stalled => return true,
                () = &mut closed_by_server => return true,
                () = self.stop.cancelled() => return false,
                () = reading.lanes.change() => {}
                Ok(()) = self.size.changed() => {}
            }
            // Not given up for `stop`: a consumer begun half way would hold messages that nobody sees.
            let size = *self.size.borrow();
            let fitting = reading.within(settings.confirm_timeout, reading.lanes.fit(size));
            self.closed.run_until_cancelled(fitting).await;
        }
    }

    /// Gives back what was on its way. RabbitMQ marks what is given back as redelivered, which would mean that its worker
    /// was lost. So a job is published anew instead. Others may have set properties that linkbeat does not know, so their
    /// messages go back as they came.
    async fn give_back(&self, mut delivery: lapin::message::Delivery) -> lapin::Result<()> {
        let queue = &self.wish.queue;
        if queue.holds_jobs() && !delivery.redelivered {
            let message = parcel::message(&mut delivery, queue, &self.reopen.settings);
            let readable = message.headers.unreadable.is_none();
            let publishing = timeout(PUT_BACK, self.republisher.publish(queue.clone(), message));
            if readable && matches!(publishing.await, Ok(Ok(()))) {
                self.wish.acks.sent();
                return delivery.acker.ack(BasicAckOptions::default()).await.map(drop);
            }
        }
        delivery.acker.nack(REQUEUE).await.map(drop)
    }

    async fn wind_up(&self, reading: &Arc<Reading>) {
        if self.closed.is_cancelled() {
            // All of the connection ends.
            return;
        }
        let limit = self.reopen.settings.confirm_timeout;
        let giving_back = reading.within(limit + PUT_BACK, async {
            let rest = reading.lanes.take_rest().await?;
            // Some were kept back until now.
            self.wish.acks.sent();
            try_join_all(rest.into_iter().map(|delivery| self.give_back(delivery))).await.map(drop)
        });
        self.closed.run_until_cancelled(giving_back).await;
        self.stopped.cancel();
        reading.unsettled.close();
        let settled = async {
            reading.unsettled.wait().await;
            self.wish.acks.carried_out().await;
        };
        tokio::select! {
            () = settled => reading.channel.close().await,
            () = reading.channel.end().token().cancelled() => {}
            () = self.closed.cancelled() => {}
        }
    }
}

/// A channel on which one queue is consumed.
struct Reading {
    channel: PartialSession,
    lanes: Lanes,
    /// One token for each delivery handed out and not settled.
    unsettled: TaskTracker,
    /// How many were handed out.
    arrivals: AtomicU64,
    /// One token while the reader waits for the next.
    waiting: TaskTracker,
    wish: Wish,
    settings: Arc<BrokerSettings>,
}

impl Reading {
    /// Waits for the connection first.
    async fn open(
        connection: &Kept<Session>,
        settings: &Arc<BrokerSettings>,
        wish: &Wish,
        size: u16,
    ) -> Result<Self, ConnectError> {
        let (channel, name) = PartialSession::open(connection, settings, &wish.queue).await?;
        let reader = &settings.connection_name;
        // Of other messages, nobody asks whether their holder was lost.
        let gently = wish.queue.holds_jobs();
        let opening = Box::pin(Lanes::open(channel.lapin(), name, reader, wish.prefetch, gently, size));
        let lanes = channel.prepare(settings, opening).await?;
        let (unsettled, waiting) = (TaskTracker::new(), TaskTracker::new());
        let (wish, settings) = (wish.clone(), settings.clone());
        Ok(Self { channel, lanes, unsettled, arrivals: AtomicU64::new(0), waiting, wish, settings })
    }

    /// The next message; `None` once the channel has ended.
    async fn arrival(self: &Arc<Self>) -> Option<Delivery> {
        let _waiting = self.waiting.token();
        match self.channel.end().token().run_until_cancelled(self.lanes.next()).await? {
            Some(Ok((delivery, lane))) => return Some(self.hand_out(delivery, lane)),
            Some(Err(error)) => self.channel.fail(&error),
            None => self.channel.end().queue_gone(self.lanes.queue()),
        }
        None
    }

    fn hand_out(self: &Arc<Self>, mut delivery: lapin::message::Delivery, lane: Arc<Lane>) -> Delivery {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        let message = parcel::message(&mut delivery, &self.wish.queue, &self.settings);
        let unsettled = Some(lane.unsettled(delivery.acker, self.unsettled.token()));
        let settle = RabbitSettle { unsettled, lane, reading: self.clone() };
        Delivery::new(message, delivery.redelivered, self.channel.end().token(), Box::new(settle))
    }

    /// Ends the channel once RabbitMQ has forgotten its consumers: messages are ready and the reader waits
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
            strikes = if in_vain && self.lanes.is_message_ready().await { strikes + 1 } else { 0 };
        }
        self.channel.end().now("messages are ready, but RabbitMQ delivers none");
    }

    /// Takes steps that RabbitMQ must answer within a time; otherwise the channel ends.
    async fn within(&self, limit: Duration, steps: impl Future<Output = lapin::Result<()>>) {
        match timeout(limit, steps).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.channel.fail(&error),
            Err(_) => self.channel.end().now("RabbitMQ did not answer about a consumer"),
        }
    }

    /// Waits until `sending` is written. The heartbeat is its deadline: it ends a session that hangs.
    async fn settle(&self, sending: impl Future<Output = lapin::Result<bool>>) -> Result<(), SessionLost> {
        match self.channel.end().token().run_until_cancelled(sending).await {
            Some(Ok(true)) => return Ok(()),
            Some(Ok(false)) => self.channel.end().now("the channel was closed"),
            Some(Err(error)) => self.channel.fail(&error),
            None => {}
        }
        Err(SessionLost)
    }
}

/// Settles one delivery on the channel it came by.
struct RabbitSettle {
    /// `None` once it is settled.
    unsettled: Option<Unsettled>,
    lane: Arc<Lane>,
    reading: Arc<Reading>,
}

#[async_trait]
impl Settle for RabbitSettle {
    async fn ack(mut self: Box<Self>) -> Result<(), SessionLost> {
        if self.reading.channel.end().reached() {
            return Err(SessionLost);
        }
        self.reading.wish.acks.sent();
        let Some(now) = self.unsettled.take().and_then(|unsettled| self.lane.settle(unsettled)) else {
            // The lane acknowledges it when it has left.
            return Ok(());
        };
        self.reading.settle(now.acker.ack(BasicAckOptions::default())).await
    }
}

impl Drop for RabbitSettle {
    fn drop(&mut self) {
        if let Some(unsettled) = self.unsettled.take().filter(|unsettled| unsettled.acker.usable()) {
            self.lane.gave_back();
            // One poll hands the frame to lapin, which sends it by itself. Should that fail, the end of
            // the channel gives the message back.
            let _ = unsettled.acker.nack(REQUEUE).now_or_never();
        }
    }
}
