//! The consumers of one session, called lanes, on one channel. RabbitMQ fixes a consumer's prefetch when it begins. So
//! to take more or fewer messages at once, there are more or fewer lanes of the same prefetch. [`Lane`] says how one leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures::future::{pending, poll_fn, select_all, try_join_all};
use futures::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use tokio::sync::watch;

use super::lane::{Lane, LastCame, Patience};

pub(super) const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };

/// All lanes of a session.
pub(super) struct Lanes {
    channel: Channel,
    queue: String,
    /// Who reads, for operators: consumer tags begin with it.
    reader: String,
    prefetch: u16,
    /// Nothing may be on its way to a lane that leaves.
    gently: bool,
    last_came: LastCame,
    /// How many lanes were begun: a tag is used once.
    begun: AtomicUsize,
    /// Including those that leave and are not gone yet.
    open: watch::Sender<Vec<Arc<Lane>>>,
    /// Where the next look for a message begins, so that no lane waits for ever behind the others.
    turn: AtomicUsize,
}

impl Lanes {
    /// Begins to consume the queue of that name by so many lanes of `prefetch` messages each. `gently`: RabbitMQ marks none
    /// of its messages when lanes leave.
    pub(super) async fn open(
        channel: Channel,
        queue: String,
        reader: &str,
        prefetch: u16,
        gently: bool,
        count: u16,
    ) -> lapin::Result<Self> {
        channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
        let (begun, turn) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (reader, open) = (reader.to_owned(), watch::Sender::default());
        let last_came = LastCame::now();
        let lanes = Self { channel, queue, reader, prefetch, gently, last_came, begun, open, turn };
        lanes.fit(count).await?;
        Ok(lanes)
    }

    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// The next message of any lane, and the lane by which it came; `None` when RabbitMQ has
    /// ended a consumer, as it does when the queue is deleted. Cancel safe.
    pub(super) async fn next(&self) -> Option<lapin::Result<(Delivery, Arc<Lane>)>> {
        let mut open = self.open.subscribe();
        loop {
            let mut lanes = open.borrow_and_update().clone();
            lanes.retain(|lane| !lane.drained.is_cancelled());
            let (lane, item) = tokio::select! {
                arrived = first_of(&lanes, self.turn.fetch_add(1, Ordering::Relaxed)) => arrived,
                _ = open.changed() => continue,
            };
            match item {
                Some(delivery) => {
                    lane.came();
                    return Some(delivery.map(|delivery| (delivery, Arc::clone(lane))));
                }
                None if lane.is_leaving() => lane.drained.cancel(),
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
            let staying: Vec<_> = open.iter().filter(|lane| lane.is_staying()).collect();
            let retiring = open.iter().find(|lane| lane.is_retiring());
            match (staying.last(), retiring) {
                (Some(last), _) if staying.len() > wanted => last.retire(self.patience(Patience::FEWER)),
                (_, Some(retiring)) if staying.len() < wanted => retiring.stay().await?,
                _ if staying.len() < wanted && open.len() < wanted => self.begin().await?,
                _ => break,
            }
        }
        let open = self.open.borrow().clone();
        for lane in open.iter().filter(|lane| lane.may_leave()) {
            self.end(lane).await?;
        }
        Ok(())
    }

    /// Waits until [`Lanes::fit`] has something to do: a lane may leave, or is gone.
    pub(super) async fn change(&self) {
        let open = self.open.borrow().clone();
        let changing = open.iter().filter(|lane| !lane.is_staying());
        let changing: Vec<_> = changing
            .map(|lane| if lane.is_retiring() { lane.done_waiting().boxed() } else { lane.gone().boxed() })
            .collect();
        if changing.is_empty() {
            return pending().await;
        }
        select_all(changing).await;
    }

    /// Ends all lanes, and gives what they took and nobody has seen.
    pub(super) async fn take_rest(&self) -> lapin::Result<Vec<Delivery>> {
        let open = self.open.borrow().clone();
        let rest = try_join_all(open.iter().map(|lane| self.rest_of(lane))).await?;
        Ok(rest.into_iter().flatten().collect())
    }

    async fn rest_of(&self, lane: &Lane) -> lapin::Result<Vec<Delivery>> {
        if lane.drained.is_cancelled() {
            return Ok(Vec::new());
        }
        let (mut rest, mut has_ended) = (Vec::new(), false);
        if !lane.is_leaving() {
            lane.retire(self.patience(Patience::STOP));
            has_ended = lane.take_before_leaving(&mut rest).await?;
            self.end(lane).await?;
        }
        // A consumer tells its end once. Whoever asked again would wait for ever.
        let mut consumer = lane.consumer.clone();
        while !has_ended {
            match consumer.next().await {
                Some(delivery) => rest.push(delivery?),
                None => has_ended = true,
            }
        }
        lane.drained.cancel();
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
        let consumer = self.channel.basic_consume(queue, tag.as_str().into(), options, arguments).await?;
        let lane = Arc::new(Lane::new(consumer, self.prefetch, self.last_came.clone()));
        self.open.send_modify(|open| open.push(lane));
        Ok(())
    }

    async fn end(&self, lane: &Lane) -> lapin::Result<()> {
        // Said first: the end of its messages must not be taken for the end of the queue.
        lane.leave();
        self.channel.basic_cancel(lane.tag(), BasicCancelOptions::default()).await?;
        lane.left().await
    }

    fn patience(&self, patience: Patience) -> Patience {
        if self.gently { patience } else { Patience::NONE }
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
