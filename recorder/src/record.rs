//! One batch: stored, published, acknowledged.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use futures::{StreamExt, stream};
use linkbeat_broker::{Delivery, Message, PublishError, Queue, SharedBroker, Target, park};
use linkbeat_shared::wire::{
    EventMessage, LINK_HIDDEN, LINK_SHOWN, ParkingMessage, ResultsMessage, ToRecorder,
};
use linkbeat_shared::{Change, JobId, LinkReport, RequestId, RunId, RunSize, TraceContext, derived_id};
use linkbeat_store::{JobResults, Judge, Ledger, Next, ParkingNotice, Recorded, StoreError};
use tokio_util::sync::CancellationToken;

use crate::gather::Batch;
use crate::in_hand::InHand;
use crate::outage::Outage;
use crate::signs::Signs;
use crate::{Rules, TICK};

/// Messages of a batch whose changes are published at the same time.
const SETTLED_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Recording {
    /// Of runs of which size the results are.
    pub(crate) runs: RunSize,
    /// Where they come from.
    pub(crate) queue: Queue,
    broker: SharedBroker,
    store: Arc<dyn Ledger>,
    judge: Arc<dyn Judge>,
    in_hand: Arc<InHand>,
    pub(crate) outage: Outage,
}

impl Recording {
    /// What is recorded is `in_hand` until its changes are told.
    pub(crate) fn new(
        runs: RunSize,
        broker: SharedBroker,
        store: Arc<dyn Ledger>,
        in_hand: Arc<InHand>,
    ) -> Self {
        let queue = Queue::of_results(runs);
        let outage = Outage::when("results cannot be stored");
        Self { runs, queue, broker, store, judge: Arc::new(Rules), in_hand, outage }
    }

    /// Stores a batch, settles its messages, and gives a sign of what is to be done about its runs.
    pub(crate) async fn store(&self, batch: Batch, signs: &Signs, shutdown: &CancellationToken) {
        let Batch { results, parkings, .. } = batch;
        let _in_hand = self.in_hand.take(results.iter().map(|(_, results)| results.run_id));
        if !results.is_empty() {
            self.store_results(results, signs, shutdown).await;
        }
        if !parkings.is_empty() {
            self.note_parkings(parkings, signs, shutdown).await;
        }
    }

    /// Adds to a batch what a message says. One that is unreadable is parked.
    pub(crate) async fn read(&self, delivery: Delivery, batch: &mut Batch) {
        match ToRecorder::decode(&delivery.message.body) {
            Ok(ToRecorder::Results(message)) => batch.results.push((delivery, job_results(message))),
            Ok(ToRecorder::Parking(message)) => batch.parkings.push((delivery, notice(message))),
            Err(error) => self.park(delivery, &error.to_string()).await,
        }
    }

    async fn store_results(
        &self,
        batch: Vec<(Delivery, JobResults)>,
        signs: &Signs,
        shutdown: &CancellationToken,
    ) {
        let (deliveries, results): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match patiently(&self.outage, shutdown, || self.record(&results)).await {
            Ok(Some(recorded)) => {
                #[cfg(feature = "failpoints")]
                fail::fail_point!("recorder.committed", |_| std::process::abort());
                self.settle(&results, deliveries, recorded, signs).await;
            }
            Ok(None) => {}
            Err(error) => {
                // One of the batch may be what the database rejects: each is tried alone.
                tracing::error!(%error, messages = deliveries.len(), "the database rejected a batch of results");
                self.store_one_by_one(deliveries, results, signs, shutdown).await;
            }
        }
    }

    async fn store_one_by_one(
        &self,
        deliveries: Vec<Delivery>,
        results: Vec<JobResults>,
        signs: &Signs,
        shutdown: &CancellationToken,
    ) {
        for (delivery, results) in deliveries.into_iter().zip(results) {
            let results = [results];
            match patiently(&self.outage, shutdown, || self.record(&results)).await {
                Ok(Some(recorded)) => self.settle(&results, vec![delivery], recorded, signs).await,
                Ok(None) => return,
                Err(error) => self.park_with_job(delivery, results[0].job_id, &error.to_string()).await,
            }
        }
    }

    async fn record(&self, results: &[JobResults]) -> Result<Vec<Recorded>, StoreError> {
        self.store.record(results, self.judge.clone()).await
    }

    /// Stores notices that jobs were parked or put back.
    async fn note_parkings(
        &self,
        batch: Vec<(Delivery, ParkingNotice)>,
        signs: &Signs,
        shutdown: &CancellationToken,
    ) {
        let (deliveries, notices): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        // It gives the jobs that are not stored.
        let unknown = match patiently(&self.outage, shutdown, || self.store.note_parkings(&notices)).await {
            Ok(Some(unknown)) => unknown,
            Ok(None) => return,
            Err(error) => {
                for delivery in deliveries {
                    self.park(delivery, &error.to_string()).await;
                }
                return;
            }
        };
        for (delivery, notice) in deliveries.into_iter().zip(notices) {
            // Of a job that nobody filed, such as rubbish in the queue, no run waits for the end; what is to be
            // seen of it lies in the dead queue already.
            let known = !unknown.contains(&notice.job_id);
            tracing::warn!(job.id = %notice.job_id, parked = notice.parked, known, cause = notice.cause, "noted");
            let _ = delivery.ack().await;
        }
        signs.look();
    }

    /// Publishes the changes, then acknowledges. A repeat publishes them again under the same ids, so that a crash
    /// between commit and acknowledgement loses no event.
    async fn settle(
        &self,
        results: &[JobResults],
        deliveries: Vec<Delivery>,
        recorded: Vec<Recorded>,
        signs: &Signs,
    ) {
        let next = recorded.iter().filter_map(next_of).collect::<HashMap<RunId, Next>>();
        let jobs = results.iter().map(|results| results.job_id);
        stream::iter(jobs.zip(deliveries).zip(recorded))
            .for_each_concurrent(SETTLED_AT_ONCE, |((job, delivery), recorded)| {
                self.settle_one(job, delivery, recorded)
            })
            .await;
        // First come the changes of a run, then its end.
        for (run, next) in next {
            signs.give(run, next);
        }
    }

    async fn settle_one(&self, job: JobId, delivery: Delivery, recorded: Recorded) {
        match recorded {
            Recorded::NotAskedFor => {
                let cause = "no job asked for these results: the job or its run is not stored";
                self.park(delivery, cause).await;
            }
            Recorded::HistoryDropped => {
                let cause = "these results came too late: the checks of their run are no longer kept";
                self.park_with_job(delivery, job, cause).await;
            }
            Recorded::Stored { run_id, request_id, changed, .. } => {
                let trace = delivery.message.headers.trace.as_ref();
                if self.publish_changes(run_id, request_id, &changed, trace).await.is_ok() {
                    // A lost session delivers it again, and storing it again changes nothing.
                    let _ = delivery.ack().await;
                }
            }
        }
    }

    async fn publish_changes(
        &self,
        run_id: RunId,
        request_id: RequestId,
        changed: &[LinkReport],
        trace: Option<&TraceContext>,
    ) -> Result<(), PublishError> {
        for link in changed {
            publish_change(&self.broker, run_id, request_id, link, trace).await?;
        }
        Ok(())
    }

    /// Parks results that the database rejects: the links of their job lack a result until it is put back.
    async fn park_with_job(&self, delivery: Delivery, job: JobId, cause: &str) {
        let notice = ParkingMessage::parked(job, cause);
        let message = Message::of(notice.notice_id, &notice).traced(delivery.message.headers.trace.as_ref());
        // On failure the broker is closed, and the delivery goes back to its queue.
        if self.broker.publish(&Target::Queue(Queue::RESULTS), message).await.is_ok() {
            self.park(delivery, cause).await;
        }
    }

    async fn park(&self, delivery: Delivery, cause: &str) {
        tracing::error!(message.id = %delivery.message.id, cause, queue = %self.queue, "a message with results is parked");
        // On failure the broker is closed, and the message goes back to its queue.
        let _ = park(&*self.broker, delivery, &self.queue, cause).await;
    }
}

fn next_of(recorded: &Recorded) -> Option<(RunId, Next)> {
    match recorded {
        Recorded::Stored { run_id, next, .. } => Some((*run_id, *next)),
        Recorded::NotAskedFor | Recorded::HistoryDropped => None,
    }
}

/// Publishes that a run hid or showed a link, if it did.
pub(crate) async fn publish_change(
    broker: &SharedBroker,
    run_id: RunId,
    request_id: RequestId,
    link: &LinkReport,
    trace: Option<&TraceContext>,
) -> Result<(), PublishError> {
    let event = match link.change {
        None => return Ok(()),
        Some(Change::Hidden) => LINK_HIDDEN,
        Some(Change::Shown) => LINK_SHOWN,
    };
    let id = derived_id::link_changed_event(run_id, link.id);
    let changed = EventMessage::link_changed(event, run_id, request_id, link, Utc::now());
    let message = Message::of(id, &changed);
    broker.publish(&Target::Event(event.to_owned()), message.traced(trace)).await
}

fn job_results(message: ResultsMessage) -> JobResults {
    JobResults { run_id: RunId(message.run_id), job_id: JobId(message.job_id), results: message.results }
}

fn notice(message: ParkingMessage) -> ParkingNotice {
    let ParkingMessage { notice_id, job_id, parked, cause, .. } = message;
    ParkingNotice { id: notice_id, job_id: JobId(job_id), parked, cause }
}

/// Carries out one transaction, again and again while the database is away. `None`: shut down meanwhile.
async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    outage: &Outage,
    shutdown: &CancellationToken,
    mut transaction: impl FnMut() -> F,
) -> Result<Option<T>, StoreError> {
    loop {
        let error = match transaction().await {
            Err(error) if error.is_transient() => error,
            done => {
                outage.over();
                return done.map(Some);
            }
        };
        outage.met(&error);
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(TICK) => {}
        }
    }
}
