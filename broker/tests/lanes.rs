//! Readers that take more and fewer messages, and readers that stop, while messages come: RabbitMQ marks none as
//! redelivered. It does so with those that are on their way to a consumer which is cancelled.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use linkbeat_broker::{Delivery, Queue, SharedBroker, Target};
use support::{Space, in_space, message};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// For how long messages come.
const LOAD: Duration = Duration::from_secs(8);
/// Longer than any test.
const FOR_ALL_TIME: Duration = Duration::from_secs(600);

/// What all readers of a test saw.
#[derive(Default)]
struct Seen {
    ids: Mutex<HashSet<Uuid>>,
    marked: AtomicUsize,
    /// Jobs that came once more. Whoever gives one back publishes it anew, so that may be.
    again: AtomicUsize,
    over: AtomicBool,
}

impl Seen {
    fn count(&self, delivery: &Delivery) {
        self.marked.fetch_add(delivery.redelivered.into(), Ordering::Relaxed);
        let is_new = self.ids.lock().unwrap().insert(delivery.message.id);
        self.again.fetch_add((!is_new).into(), Ordering::Relaxed);
    }

    /// Takes one after the other for a while. Whoever works on one acknowledges it a little later.
    async fn read(&self, broker: &SharedBroker, sizes: &[u16], stay: Duration) {
        let mut reader = broker.subscribe(&Queue::JOBS, 2).await.unwrap();
        let (mut working, begun) = (tokio::task::JoinSet::new(), Instant::now());
        let mut sizes = sizes.iter().cycle();
        while begun.elapsed() < stay && !self.over.load(Ordering::Relaxed) {
            reader.resize(*sizes.next().unwrap());
            for _ in 0..7 {
                let Ok(Some(delivery)) = timeout(Duration::from_millis(50), reader.next()).await else {
                    break;
                };
                self.count(&delivery);
                working.spawn(async move {
                    sleep(Duration::from_millis(u64::from(delivery.message.id.as_bytes()[15] % 16))).await;
                    delivery.ack().await.unwrap();
                });
            }
        }
        reader.stop().await;
        working.join_all().await;
    }
}

/// Publishes until the time is over: how many.
async fn publish(broker: &SharedBroker, pause: Duration) -> usize {
    let (begun, mut published) = (Instant::now(), 0);
    while begun.elapsed() < LOAD {
        broker.publish(&Target::Queue(Queue::JOBS), message("a job")).await.unwrap();
        published += 1;
        sleep(pause).await;
    }
    published
}

/// One of two readers stops again and again while messages come, and begins anew.
async fn none_is_marked(space: Space, pause: Duration, stay: Duration) {
    let broker = space.broker().await;
    let seen = Arc::new(Seen::default());
    let reading = [stay, FOR_ALL_TIME].map(|stay| {
        let (seen, broker) = (Arc::clone(&seen), Arc::clone(&broker));
        tokio::spawn(async move {
            let begun = Instant::now();
            while !seen.over.load(Ordering::Relaxed) {
                // While nothing comes any more, nothing is to be seen by stopping.
                let stay = if begun.elapsed() < LOAD - stay.min(LOAD) { stay } else { FOR_ALL_TIME };
                seen.read(&broker, &[60, 2, 20, 6, 2, 40], stay).await;
            }
        })
    });
    let published = tokio::join!(publish(&broker, pause), publish(&broker, pause));
    let published = published.0 + published.1;
    let all_seen = async {
        while seen.ids.lock().unwrap().len() < published {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(support::SOON, all_seen).await.expect("every job comes");
    seen.over.store(true, Ordering::Relaxed);
    for reading in reading {
        reading.await.unwrap();
    }
    assert_eq!(broker.waiting(&Queue::JOBS).await.unwrap(), 0);
    let (marked, again) = (seen.marked.load(Ordering::Relaxed), seen.again.load(Ordering::Relaxed));
    assert_eq!(marked, 0, "of {published} jobs so many are marked as redelivered, and {again} came again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_marked_while_lanes_come_and_go() {
    in_space(|space| none_is_marked(space, Duration::ZERO, FOR_ALL_TIME)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_marked_while_lanes_come_and_go_and_few_jobs_come() {
    in_space(|space| none_is_marked(space, Duration::from_millis(5), FOR_ALL_TIME)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_marked_when_readers_stop() {
    in_space(|space| none_is_marked(space, Duration::ZERO, Duration::from_millis(700))).await;
}
