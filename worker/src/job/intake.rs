//! Where jobs come from: the jobs queue, and the two queues of jobs that were set apart.

use linkbeat_broker::{BrokerClosed, Delivery, Queue, SharedBroker, Subscription};

/// How many suspects are held at once. Each was lost with its worker or session, and may have killed it.
const SUSPECTS: u16 = 64;
/// How many jobs are held at once that were lost as suspects.
const ISOLATED: u16 = 1;

/// The three queues that a worker reads.
pub(crate) struct Intake {
    jobs: Box<dyn Subscription>,
    suspects: Box<dyn Subscription>,
    isolated: Box<dyn Subscription>,
}

impl Intake {
    /// Begins to take jobs, about `prefetch` at once. Waits while the broker is away.
    pub(crate) async fn open(broker: &SharedBroker, prefetch: u16) -> Result<Self, BrokerClosed> {
        Ok(Self {
            jobs: broker.subscribe(&Queue::JOBS, prefetch).await?,
            suspects: broker.subscribe(&Queue::SUSPECTS, SUSPECTS).await?,
            isolated: broker.subscribe(&Queue::ISOLATED, ISOLATED).await?,
        })
    }

    /// The next job, and its queue. `None`: the broker was closed. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<(Queue, Delivery)> {
        tokio::select! {
            delivery = self.jobs.next() => Some((Queue::JOBS, delivery?)),
            delivery = self.suspects.next() => Some((Queue::SUSPECTS, delivery?)),
            delivery = self.isolated.next() => Some((Queue::ISOLATED, delivery?)),
        }
    }

    /// From now on takes about so many jobs at once.
    pub(crate) fn resize(&mut self, jobs: usize) {
        self.jobs.resize(u16::try_from(jobs).unwrap_or(u16::MAX));
    }

    /// Takes no further jobs. Those that were not begun go back.
    pub(crate) async fn stop(&mut self) {
        tokio::join!(self.jobs.stop(), self.suspects.stop(), self.isolated.stop());
    }
}
