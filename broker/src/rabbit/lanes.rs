//! The consumers of one session, called lanes, on one channel. RabbitMQ fixes a consumer's prefetch when it begins. So
//! to take more or fewer messages at once, there are more or fewer lanes of the same prefetch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures::future::{pending, poll_fn, select_all};
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub(super) const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };

/// All lanes of a session.
pub(super) struct Lanes {
    channel: Channel,
    queue: String,
    /// Who reads, for operators: consumer tags begin with it.
    reader: String,
    /// How many lanes were begun: a tag is used once.
    begun: AtomicUsize,
    /// Including those that leave and are not gone yet.
    open: watch::Sender<Vec<Arc<Lane>>>,
    /// Where the next look for a message begins, so that no lane waits for ever behind the others.
    turn: AtomicUsize,
}

/// One consumer.
struct Lane {
    consumer: Consumer,
    /// It takes no further messages.
    leaving: CancellationToken,
    /// It leaves, and all it took was handed out.
    drained: CancellationToken,
    /// One token for each delivery handed out and not settled.
    unsettled: TaskTracker,
}

impl Lanes {
    /// Begins to consume the queue of that name by so many lanes of `prefetch` messages each.
    pub(super) async fn open(
        channel: Channel,
        queue: String,
        reader: &str,
        prefetch: u16,
        count: u16,
    ) -> lapin::Result<Self> {
        channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
        let (begun, turn) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let lanes =
            Self { channel, queue, reader: reader.to_owned(), begun, open: watch::Sender::default(), turn };
        lanes.fit(count).await?;
        Ok(lanes)
    }

    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// The next message of any lane, and a token to keep until it is settled; `None` when RabbitMQ has
    /// ended a consumer, as it does when the queue is deleted. Cancel safe.
    pub(super) async fn next(&self) -> Option<lapin::Result<(Delivery, TaskTrackerToken)>> {
        let mut open = self.open.subscribe();
        loop {
            let mut lanes = open.borrow_and_update().clone();
            lanes.retain(|lane| !lane.drained.is_cancelled());
            let (lane, item) = tokio::select! {
                arrived = first_of(&lanes, self.turn.fetch_add(1, Ordering::Relaxed)) => arrived,
                _ = open.changed() => continue,
            };
            match item {
                Some(delivery) => return Some(delivery.map(|delivery| (delivery, lane.unsettled.token()))),
                None if lane.leaving.is_cancelled() => lane.drained.cancel(),
                None => return None,
            }
        }
    }

    /// Opens or ends lanes until `wanted` take messages. Those that leave make room only once they are
    /// gone, so there are never more than ever were wanted.
    pub(super) async fn fit(&self, wanted: u16) -> lapin::Result<()> {
        let wanted = usize::from(wanted);
        loop {
            self.open.send_modify(|open| open.retain(|lane| !lane.is_gone()));
            let open = self.open.borrow().clone();
            let staying: Vec<_> = open.iter().filter(|lane| !lane.leaving.is_cancelled()).collect();
            match staying.last() {
                Some(last) if staying.len() > wanted => self.end(last).await?,
                _ if staying.len() < wanted && open.len() < wanted => self.begin().await?,
                _ => return Ok(()),
            }
        }
    }

    /// Waits until a lane that leaves is gone.
    pub(super) async fn one_gone(&self) {
        let mut leaving = self.open.borrow().clone();
        leaving.retain(|lane| lane.leaving.is_cancelled());
        if leaving.is_empty() {
            return pending().await;
        }
        let going: Vec<_> = leaving.iter().map(|lane| lane.gone().boxed()).collect();
        select_all(going).await;
    }

    /// Ends all lanes, and gives what they took and nobody has seen.
    pub(super) async fn take_rest(&self) -> lapin::Result<Vec<Delivery>> {
        let open = self.open.borrow().clone();
        for lane in &open {
            if !lane.leaving.is_cancelled() {
                self.end(lane).await?;
            }
        }
        let mut rest = Vec::new();
        for lane in &open {
            if lane.drained.is_cancelled() {
                continue;
            }
            let mut consumer = lane.consumer.clone();
            while let Some(delivery) = consumer.next().await {
                rest.push(delivery?);
            }
            lane.drained.cancel();
        }
        Ok(rest)
    }

    /// Whether messages wait in the queue.
    pub(super) async fn is_message_ready(&self) -> bool {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let looked = self.channel.queue_declare(self.queue.as_str().into(), passive, FieldTable::default());
        looked.await.is_ok_and(|queue| queue.message_count() > 0)
    }

    async fn begin(&self) -> lapin::Result<()> {
        let options = BasicConsumeOptions::default();
        let (queue, arguments) = (self.queue.as_str().into(), FieldTable::default());
        let tag = format!("{} {}", self.reader, self.begun.fetch_add(1, Ordering::Relaxed));
        let lane = Lane {
            consumer: self.channel.basic_consume(queue, tag.as_str().into(), options, arguments).await?,
            leaving: CancellationToken::new(),
            drained: CancellationToken::new(),
            unsettled: TaskTracker::new(),
        };
        self.open.send_modify(|open| open.push(Arc::new(lane)));
        Ok(())
    }

    async fn end(&self, lane: &Lane) -> lapin::Result<()> {
        // Said first: the end of its messages must not be taken for the end of the queue.
        lane.leaving.cancel();
        self.channel.basic_cancel(lane.consumer.tag(), BasicCancelOptions::default()).await
    }
}

impl Lane {
    fn is_gone(&self) -> bool {
        self.drained.is_cancelled() && self.unsettled.is_empty()
    }

    async fn gone(&self) {
        self.drained.cancelled().await;
        self.unsettled.close();
        self.unsettled.wait().await;
    }
}

/// What comes first from any of the lanes; looks at the one whose turn it is first.
async fn first_of(lanes: &[Arc<Lane>], turn: usize) -> (&Arc<Lane>, Option<lapin::Result<Delivery>>) {
    let start = turn.checked_rem(lanes.len()).unwrap_or(0);
    let in_turn = lanes[start..].iter().chain(&lanes[..start]);
    let mut consumers: Vec<_> = in_turn.map(|lane| (lane, lane.consumer.clone())).collect();
    poll_fn(|cx| {
        for (lane, consumer) in &mut consumers {
            if let Poll::Ready(item) = consumer.poll_next_unpin(cx) {
                return Poll::Ready((*lane, item));
            }
        }
        Poll::Pending
    })
    .await
}
