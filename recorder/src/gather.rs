//! RESULTS -> a batch. While one batch is stored, the next one is gathered and read.

use std::time::Duration;

use futures::future::{BoxFuture, Fuse, FusedFuture};
use linkbeat_broker::{Delivery, Subscription};
use linkbeat_shared::RunSize;
use linkbeat_store::{JobResults, ParkingNotice};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::RecorderSettings;
use crate::record::Recording;

/// A batch is stored once its messages have so many bytes: some 1,000 results. With more, storing one takes long, and what it
/// reads takes memory. Its transaction is a small part of its cost already.
const BATCH_BYTES: usize = 256 << 10;

/// A batch waits no longer once nothing has come for this part of its whole wait.
const LULL: u32 = 4;

/// Messages that are read in one go. Then others have their turn: a batch of a large run takes long to read.
const READ_IN_ONE_GO: usize = 2;

/// Messages that are stored in one transaction, read.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) results: Vec<(Delivery, JobResults)>,
    pub(crate) parkings: Vec<(Delivery, ParkingNotice)>,
    messages: usize,
    bytes: usize,
}

/// The batch before, until it is stored.
pub(crate) type Storing<'a> = Fuse<BoxFuture<'a, ()>>;

/// Puts messages of one queue together.
pub(crate) struct Gatherer<'a> {
    pub(crate) recording: &'a Recording,
    pub(crate) results: Box<dyn Subscription>,
    pub(crate) settings: &'a RecorderSettings,
}

impl Gatherer<'_> {
    /// The next batch, once the batch before is stored: all that came meanwhile, up to the limits. `None`: there is no further
    /// one, or `shutdown` came first.
    pub(crate) async fn next(
        &mut self,
        storing: &mut Storing<'_>,
        shutdown: &CancellationToken,
    ) -> Option<Batch> {
        let first = loop {
            tokio::select! {
                biased;
                // Once it is stored, this is never ready again.
                () = &mut *storing => {}
                () = shutdown.cancelled() => return None,
                first = self.results.next() => break first?,
            }
        };
        let end = Instant::now() + Duration::from_millis(self.settings.batch_wait_ms);
        let mut batch = Batch::default();
        self.add(first, &mut batch).await;
        while batch.messages < usize::from(self.settings.batch_messages) && batch.bytes < BATCH_BYTES {
            let wait = self.wait(&batch, end);
            tokio::select! {
                biased;
                () = &mut *storing => {}
                more = self.results.next() => match more {
                    Some(more) => self.add(more, &mut batch).await,
                    None => break,
                },
                () = pass(wait), if storing.is_terminated() => break,
            }
        }
        if !storing.is_terminated() {
            storing.await;
        }
        Some(batch)
    }

    /// Until when a batch that could be stored waits for more; `None`: it does not. Where there are several messages more are to
    /// come, so it waits a little for them, as long as they keep coming. Results of large runs wait in any case: they come in
    /// large messages, and nobody waits for one of them.
    fn wait(&self, batch: &Batch, end: Instant) -> Option<Instant> {
        let lull = Duration::from_millis(self.settings.batch_wait_ms) / LULL;
        match self.recording.runs {
            RunSize::Large => Some(end),
            RunSize::Small if batch.messages == 1 => None,
            RunSize::Small => Some(end.min(Instant::now() + lull)),
        }
    }

    async fn add(&mut self, delivery: Delivery, batch: &mut Batch) {
        batch.messages += 1;
        batch.bytes += delivery.message.body.len();
        self.recording.read(delivery, batch).await;
        if batch.messages.is_multiple_of(READ_IN_ONE_GO) {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends then, or at once. A timer would take up to a millisecond also for a time that has passed.
async fn pass(until: Option<Instant>) {
    if let Some(until) = until {
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use linkbeat_broker::{Broker, MemoryBroker, Message, Queue, Target};
    use linkbeat_shared::wire::ResultsMessage;
    use linkbeat_shared::{JobId, RunId};
    use linkbeat_store::{OpenMode, open};
    use tokio::sync::oneshot;

    use super::*;

    async fn send(broker: &MemoryBroker) {
        let results = ResultsMessage::new(RunId::new(), JobId::new(), Vec::new());
        let message = Message::of(JobId::new().0, &results);
        broker.publish(&Target::Queue(Queue::RESULTS), message).await.unwrap();
    }

    async fn recording(broker: &Arc<MemoryBroker>) -> Recording {
        let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
        Recording::new(RunSize::Small, broker.clone(), store, Arc::default())
    }

    /// How many messages of results there were, which do not come again.
    async fn acknowledged(batch: Batch) -> usize {
        let messages = batch.results.len();
        for (delivery, _) in batch.results {
            delivery.ack().await.unwrap();
        }
        messages
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_stored_is_the_next_batch() {
        let broker = MemoryBroker::new(100);
        let (recording, settings) = (recording(&broker).await, RecorderSettings::default());
        let results = broker.subscribe(&Queue::RESULTS, settings.batch_messages).await.unwrap();
        let mut gatherer = Gatherer { recording: &recording, results, settings: &settings };
        let (stored, until_stored) = oneshot::channel::<()>();
        let mut storing: Storing<'_> = until_stored.map(drop).boxed().fuse();
        let shutdown = CancellationToken::new();
        let coming = async {
            for _ in 0..3 {
                send(&broker).await;
                // Longer than a batch waits.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            stored.send(()).unwrap();
        };
        let (batch, ()) = tokio::join!(gatherer.next(&mut storing, &shutdown), coming);
        assert_eq!(acknowledged(batch.unwrap()).await, 3);
        // Nothing is stored now, so one that comes alone is a batch.
        send(&broker).await;
        assert_eq!(acknowledged(gatherer.next(&mut storing, &shutdown).await.unwrap()).await, 1);
        shutdown.cancel();
        assert!(gatherer.next(&mut storing, &shutdown).await.is_none());
    }

    #[tokio::test]
    async fn a_batch_that_is_full_is_stored_and_the_rest_waits() {
        let broker = MemoryBroker::new(100);
        let recording = recording(&broker).await;
        let settings = RecorderSettings { batch_messages: 2, ..RecorderSettings::default() };
        let results = broker.subscribe(&Queue::RESULTS, 10).await.unwrap();
        let mut gatherer = Gatherer { recording: &recording, results, settings: &settings };
        let shutdown = CancellationToken::new();
        for _ in 0..3 {
            send(&broker).await;
        }
        for messages in [2, 1] {
            let batch = gatherer.next(&mut Storing::terminated(), &shutdown).await.unwrap();
            assert_eq!(acknowledged(batch).await, messages);
        }
    }
}
