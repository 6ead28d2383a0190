//! Takes messages from one queue, over a connection of its own that is made again whenever it is lost.
//!
//! Publishers may be blocked by RabbitMQ's alarms; acknowledgements on another connection are not. A
//! message is settled on the channel it came by and nowhere else, so every delivery holds its session.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use lapin::Acker;
use lapin::options::BasicAckOptions;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::error::cause_of;
use super::lanes::{Lanes, REQUEUE};
use super::parcel;
use super::reopen::{Missing, Reopen};
use super::session::Session;
use super::{BrokerSettings, ConnectError, topology};
use crate::{Delivery, Queue, SessionLost, Settle, Subscription, lanes};

type Current = Option<Arc<ConsumeSession>>;

/// The reader's side.
pub(super) struct RabbitSubscription {
    current: watch::Receiver<Current>,
    prefetch: u16,
    /// How many lanes are wanted.
    size: watch::Sender<u16>,
    stop: CancellationToken,
    /// Cancelled by the keeper when nothing more will be taken and the rest was given back.
    stopped: CancellationToken,
}

/// The side that keeps a session open.
pub(super) struct Keeper {
    queue: Queue,
    prefetch: u16,
    size: watch::Receiver<u16>,
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
    let (resize, size) = watch::channel(1);
    let (stop, stopped) = (closed.child_token(), CancellationToken::new());
    let reopen = Reopen::new(settings.clone(), format!("consume {}", queue.as_str()), missing, stop.clone());
    let closed = closed.clone();
    let keeper = Keeper {
        queue,
        prefetch,
        size,
        current: sender,
        reopen,
        closed,
        stop: stop.clone(),
        stopped: stopped.clone(),
    };
    (RabbitSubscription { current: receiver, prefetch, size: resize, stop, stopped }, keeper)
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

    fn resize(&mut self, prefetch: u16) {
        let lanes = lanes(prefetch, self.prefetch);
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
    /// Keeps a session open until told to stop; then until every delivery is settled.
    pub(super) async fn run(mut self) {
        let _stopped = self.stopped.clone().drop_guard();
        let (settings, purpose) = (self.reopen.settings.clone(), self.reopen.purpose.clone());
        loop {
            let size = self.size.clone();
            let open =
                || ConsumeSession::open(&settings, &purpose, self.queue, self.prefetch, *size.borrow());
            let Some(session) = self.reopen.until_open(open).await.map(Arc::new) else { return };
            self.current.send_replace(Some(session.clone()));
            let is_lost = self.attend(&session, &settings).await;
            self.current.send_replace(None);
            if !is_lost {
                return self.wind_up(&session).await;
            }
            session.inner.cut();
            self.reopen.after(session.inner.end()).await;
        }
    }

    /// Sees to a session until it is lost, or wanted no longer: then `false`.
    async fn attend(&mut self, session: &ConsumeSession, settings: &BrokerSettings) -> bool {
        let mut stalled = pin!(session.stalled(settings.heartbeat));
        loop {
            tokio::select! {
                () = session.inner.end().token().cancelled() => return true,
                () = &mut stalled => return true,
                () = self.stop.cancelled() => return false,
                () = session.lanes.one_gone() => {}
                Ok(()) = self.size.changed() => {}
            }
            // Not given up for `stop`: a consumer begun half way would hold messages that nobody sees.
            let size = *self.size.borrow();
            let fitting = session.within(settings.confirm_timeout, session.lanes.fit(size));
            self.closed.run_until_cancelled(fitting).await;
        }
    }

    async fn wind_up(&self, session: &Arc<ConsumeSession>) {
        self.current.send_replace(None);
        if !self.closed.is_cancelled() {
            let limit = self.reopen.settings.confirm_timeout;
            let giving_back = session.within(limit, session.lanes.give_back_rest());
            self.closed.run_until_cancelled(giving_back).await;
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
    lanes: Lanes,
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
        size: u16,
    ) -> Result<Self, ConnectError> {
        let inner = topology::open(settings, purpose).await?;
        let steps = async {
            let name = settings.namespace.queue(queue);
            let consuming = async { Lanes::open(inner.channel().await?, name, prefetch, size).await };
            consuming.await.map_err(|error| ConnectError::speaking(inner.url(), &error))
        };
        let lanes = inner.prepare(settings, steps).await?;
        let (unsettled, waiting) = (TaskTracker::new(), TaskTracker::new());
        Ok(Self { inner, lanes, unsettled, arrivals: AtomicU64::new(0), waiting })
    }

    /// The next message; `None` once the session has ended.
    async fn arrival(self: &Arc<Self>) -> Option<Delivery> {
        let end = self.inner.end();
        let _waiting = self.waiting.token();
        match end.token().run_until_cancelled(self.lanes.next()).await? {
            Some(Ok((delivery, in_lane))) => return Some(self.hand_out(delivery, in_lane)),
            Some(Err(error)) => end.now(cause_of(&error)),
            None => end.queue_gone(self.lanes.queue()),
        }
        None
    }

    fn hand_out(
        self: &Arc<Self>,
        mut delivery: lapin::message::Delivery,
        in_lane: TaskTrackerToken,
    ) -> Delivery {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        let message = parcel::message(&mut delivery);
        let _unsettled = [self.unsettled.token(), in_lane];
        let settle = RabbitSettle { acker: delivery.acker, session: self.clone(), _unsettled };
        Delivery::new(message, delivery.redelivered, self.inner.end().token(), Box::new(settle))
    }

    /// Ends the session once RabbitMQ has forgotten its consumers: messages are ready and the reader waits
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
        self.inner.end().now("messages are ready, but RabbitMQ delivers none");
    }

    /// Takes steps that RabbitMQ must answer within a time; otherwise the session ends.
    async fn within(&self, limit: Duration, steps: impl Future<Output = lapin::Result<()>>) {
        match timeout(limit, steps).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.inner.end().now(cause_of(&error)),
            Err(_) => self.inner.end().now("RabbitMQ did not answer about a consumer"),
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

/// Settles one delivery on the channel it came by.
struct RabbitSettle {
    acker: Acker,
    session: Arc<ConsumeSession>,
    _unsettled: [TaskTrackerToken; 2],
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
