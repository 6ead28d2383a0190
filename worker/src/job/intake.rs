//! Where jobs come from: the queues of small and large runs, and the two queues of jobs that were set apart.

use linkbeat_broker::{BrokerClosed, Delivery, Queue, SharedBroker, Subscription};
use linkbeat_shared::RunSize;

use super::load::Share;
use super::worker::MIN_PREFETCH;

/// How many suspects are held at once. Each was lost with its worker or session, and may have killed it.
const SUSPECTS: u16 = 64;
/// How many jobs are held at once that were lost as suspects.
const ISOLATED: u16 = 1;

/// The four queues that a worker reads.
pub(crate) struct Intake {
    small: Box<dyn Subscription>,
    large: Box<dyn Subscription>,
    suspects: Box<dyn Subscription>,
    isolated: Box<dyn Subscription>,
}

impl Intake {
    /// Begins to take jobs: about `prefetch` of small runs at once, and half as many of large runs, as these have several links.
    /// Waits while the broker is away.
    pub(crate) async fn open(broker: &SharedBroker, prefetch: u16) -> Result<Self, BrokerClosed> {
        Ok(Self {
            small: broker.subscribe(&Queue::JOBS, prefetch).await?,
            large: broker.subscribe(&Queue::JOBS_LARGE, (prefetch / 2).max(MIN_PREFETCH)).await?,
            suspects: broker.subscribe(&Queue::SUSPECTS, SUSPECTS).await?,
            isolated: broker.subscribe(&Queue::ISOLATED, ISOLATED).await?,
        })
    }

    /// The next job, and its queue; one of a large run only if `takes_large`. `None`: the broker was closed. Cancel safe.
    pub(crate) async fn next(&mut self, takes_large: bool) -> Option<(Queue, Delivery)> {
        tokio::select! {
            delivery = self.small.next() => Some((Queue::JOBS, delivery?)),
            delivery = self.large.next(), if takes_large => Some((Queue::JOBS_LARGE, delivery?)),
            delivery = self.suspects.next() => Some((Queue::SUSPECTS, delivery?)),
            delivery = self.isolated.next() => Some((Queue::ISOLATED, delivery?)),
        }
    }

    /// From now on takes about as many jobs at once as this share wants.
    pub(crate) fn resize(&mut self, share: &Share) {
        let wanted = |size| u16::try_from(share.wanted(size)).unwrap_or(u16::MAX);
        self.small.resize(wanted(RunSize::Small));
        self.large.resize(wanted(RunSize::Large));
    }

    /// Takes no further jobs. Those that were not begun go back.
    pub(crate) async fn stop(&mut self) {
        tokio::join!(self.small.stop(), self.large.stop(), self.suspects.stop(), self.isolated.stop());
    }
}
