//! One consumer, and how it leaves.
//!
//! RabbitMQ marks messages as redelivered that are on their way to a consumer when it is cancelled (measured on 3.10 and
//! 4.0; <https://github.com/rabbitmq/rabbitmq-server/issues/3729>). No header tells them from those whose holder died. So
//! a consumer of jobs is cancelled only when nothing can be on its way: it holds as many messages as its prefetch allows.
//! For that it keeps its acknowledgements back ([`Lane::retire`]). Where its queue is empty it waits until nothing has come
//! for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::ShortString;
use lapin::{Acker, Consumer};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How long a consumer that is not full waits before it leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// After the last message that came.
    quiet: Duration,
    /// By any lane, and not only by its own.
    by_any: bool,
    /// In all.
    most: Duration,
}

impl Patience {
    /// Fewer messages are wanted. While it waits, a consumer takes no more than its prefetch.
    pub(super) const FEWER: Self =
        Self { quiet: Duration::from_secs(1), by_any: false, most: Duration::from_secs(30) };
    /// The reader stops. As long as messages come, they fill one lane after the other. Where RabbitMQ lacks
    /// processor time, 200 ms are too short now and then.
    pub(super) const STOP: Self =
        Self { quiet: Duration::from_millis(500), by_any: true, most: Duration::from_secs(3) };
    /// What is on its way may be marked.
    pub(super) const NONE: Self = Self { quiet: Duration::ZERO, by_any: false, most: Duration::ZERO };
}

/// When a message last came, by any lane of a reader.
#[derive(Clone)]
pub(super) struct LastCame(Arc<Mutex<Instant>>);

impl LastCame {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One consumer.
pub(super) struct Lane {
    pub(super) consumer: Consumer,
    prefetch: usize,
    by_any: LastCame,
    state: watch::Sender<State>,
    /// It leaves, and all it took was handed out.
    pub(super) drained: CancellationToken,
    /// One token for each delivery handed out and not settled.
    unsettled: TaskTracker,
}

struct State {
    phase: Phase,
    /// Messages that came and were not settled. RabbitMQ counts at least as many.
    held: usize,
    last_came: Instant,
    /// Acknowledgements that are kept back.
    withheld: Vec<Unsettled>,
}

#[derive(Clone, Copy)]
enum Phase {
    Staying,
    /// It leaves as soon as nothing can be on its way to it.
    Retiring {
        since: Instant,
        patience: Patience,
    },
    /// It is being cancelled. Nothing may be acknowledged now, because RabbitMQ would send more.
    Leaving,
    Left,
}

/// A delivery to be acknowledged.
pub(super) struct Unsettled {
    pub(super) acker: Acker,
    /// Kept until it is settled.
    _tokens: [TaskTrackerToken; 2],
}

impl Lane {
    pub(super) fn new(consumer: Consumer, prefetch: u16, by_any: LastCame) -> Self {
        let state = State { phase: Phase::Staying, held: 0, last_came: Instant::now(), withheld: Vec::new() };
        Self {
            consumer,
            prefetch: prefetch.into(),
            by_any,
            state: watch::Sender::new(state),
            drained: CancellationToken::new(),
            unsettled: TaskTracker::new(),
        }
    }

    pub(super) fn tag(&self) -> ShortString {
        self.consumer.tag()
    }

    /// One message came.
    pub(super) fn came(&self) {
        let now = Instant::now();
        self.by_any.set(now);
        self.state.send_modify(|state| {
            state.held += 1;
            state.last_came = now;
        });
    }

    /// A delivery that came by this lane. `token` is kept until it is settled.
    pub(super) fn unsettled(&self, acker: Acker, token: TaskTrackerToken) -> Unsettled {
        Unsettled { acker, _tokens: [token, self.unsettled.token()] }
    }

    /// Gives a delivery to be acknowledged now; `None`: it is acknowledged later.
    pub(super) fn settle(&self, unsettled: Unsettled) -> Option<Unsettled> {
        let mut unsettled = Some(unsettled);
        self.state.send_if_modified(|state| {
            match state.phase {
                Phase::Staying | Phase::Left => state.held = state.held.saturating_sub(1),
                Phase::Retiring { .. } | Phase::Leaving => state.withheld.extend(unsettled.take()),
            }
            false
        });
        unsettled
    }

    /// One of its deliveries was given back.
    pub(super) fn gave_back(&self) {
        self.state.send_if_modified(|state| {
            state.held = state.held.saturating_sub(1);
            false
        });
    }

    /// It is to leave. From now on it acknowledges nothing.
    pub(super) fn retire(&self, patience: Patience) {
        self.state.send_if_modified(|state| match state.phase {
            Phase::Staying | Phase::Retiring { .. } => {
                state.phase = Phase::Retiring { since: Instant::now(), patience };
                true
            }
            Phase::Leaving | Phase::Left => false,
        });
    }

    /// It need not leave after all, unless it is being cancelled.
    pub(super) async fn stay(&self) -> lapin::Result<()> {
        self.reopen(Phase::Staying).await
    }

    /// It is about to be cancelled.
    pub(super) fn leave(&self) {
        self.state.send_modify(|state| state.phase = Phase::Leaving);
    }

    /// It was cancelled.
    pub(super) async fn left(&self) -> lapin::Result<()> {
        self.reopen(Phase::Left).await
    }

    /// Acknowledges what was kept back.
    async fn reopen(&self, phase: Phase) -> lapin::Result<()> {
        let mut withheld = Vec::new();
        self.state.send_modify(|state| {
            state.phase = phase;
            withheld = std::mem::take(&mut state.withheld);
            state.held = state.held.saturating_sub(withheld.len());
        });
        for unsettled in withheld {
            unsettled.acker.ack(BasicAckOptions::default()).await?;
        }
        Ok(())
    }

    pub(super) fn is_staying(&self) -> bool {
        matches!(self.state.borrow().phase, Phase::Staying)
    }

    pub(super) fn is_retiring(&self) -> bool {
        matches!(self.state.borrow().phase, Phase::Retiring { .. })
    }

    /// Whether RabbitMQ sends nothing more.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state.borrow().phase, Phase::Leaving | Phase::Left)
    }

    /// Whether it is retiring and need wait no longer.
    pub(super) fn may_leave(&self) -> bool {
        self.leaves_at().is_some_and(|at| at <= Instant::now())
    }

    /// When it may leave, as far as is known now; `None`: it does not retire.
    fn leaves_at(&self) -> Option<Instant> {
        let state = self.state.borrow();
        let Phase::Retiring { since, patience } = state.phase else { return None };
        if state.held >= self.prefetch {
            return Some(since);
        }
        let last_came = if patience.by_any { self.by_any.get() } else { state.last_came };
        Some((last_came.max(since) + patience.quiet).min(since + patience.most))
    }

    /// Waits until it may leave, or does not retire.
    pub(super) async fn done_waiting(&self) {
        let mut state = self.state.subscribe();
        loop {
            state.borrow_and_update();
            let Some(at) = self.leaves_at().filter(|at| *at > Instant::now()) else { return };
            tokio::select! {
                // By then more may have come.
                () = sleep_until(at) => {}
                // Its sender lives as long as this.
                _ = state.changed() => {}
            }
        }
    }

    /// Waits until it may leave, and takes what comes meanwhile. Returns whether RabbitMQ has ended the consumer.
    pub(super) async fn take_before_leaving(&self, taken: &mut Vec<Delivery>) -> lapin::Result<bool> {
        let mut consumer = self.consumer.clone();
        loop {
            tokio::select! {
                biased;
                item = consumer.next() => {
                    let Some(delivery) = item else { return Ok(true) };
                    taken.push(delivery?);
                    self.came();
                }
                () = self.done_waiting() => return Ok(false),
            }
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.drained.is_cancelled() && self.unsettled.is_empty()
    }

    pub(super) async fn gone(&self) {
        self.drained.cancelled().await;
        self.unsettled.close();
        self.unsettled.wait().await;
    }
}
