use std::sync::OnceLock;

use linkbeat_broker::{Broker, MemoryBroker, Message, Queue, Target, WatchedBroker};
use uuid::Uuid;

use super::*;

const LIMIT: Duration = Duration::from_secs(120);

fn broker() -> Arc<WatchedBroker> {
    Arc::new(WatchedBroker::new(MemoryBroker::new(10)))
}

fn vitals(broker: &Arc<WatchedBroker>) -> Vitals {
    Vitals::new("recorder", broker.clone(), None, None, LIMIT)
}

fn problem(vitals: &Vitals, part: &str, now: Instant) -> Option<String> {
    let parts = vitals.ready(now).parts;
    parts.into_iter().find(|found| found.part == part).unwrap_or_else(|| panic!("no {part}")).problem
}

#[tokio::test]
async fn a_role_that_holds_messages_and_does_nothing_is_not_alive() {
    let broker = broker();
    let mut vitals = vitals(&broker);
    let start = Instant::now();
    let look = |vitals: &mut Vitals, seconds: u64| {
        let now = start + Duration::from_secs(seconds);
        // The runtime goes on, whatever the role does.
        vitals.runtime().begin().succeed();
        vitals.look(now);
        vitals.live(now)
    };
    look(&mut vitals, 0).unwrap();
    assert_eq!(look(&mut vitals, 1_000), Ok(()), "idle is well");
    broker.publish(&Target::Queue(Queue::RESULTS), Message::new(Uuid::now_v7(), "{}")).await.unwrap();
    let mut results = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
    let delivery = results.next().await.unwrap();
    assert_eq!(look(&mut vitals, 1_001), Ok(()));
    assert_eq!(look(&mut vitals, 1_120), Ok(()));
    let why = look(&mut vitals, 1_130).unwrap_err();
    assert!(why.contains("1 messages are held") && why.contains("129 s"), "{why}");
    assert!(problem(&vitals, "consuming", start + Duration::from_secs(1_130)).is_some());
    delivery.ack().await.unwrap();
    assert_eq!(look(&mut vitals, 1_140), Ok(()));
    assert_eq!(problem(&vitals, "consuming", start + Duration::from_secs(1_140)), None);
}

#[tokio::test]
async fn waiting_for_the_broker_is_no_reason_to_start_again() {
    let broker = Arc::new(WatchedBroker::new(MemoryBroker::new(1)));
    let mut vitals = vitals(&broker);
    let start = Instant::now();
    let message = || Message::new(Uuid::now_v7(), "{}");
    let results = Target::Queue(Queue::RESULTS);
    broker.publish(&results, message()).await.unwrap();
    let mut jobs = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
    let _held = jobs.next().await.unwrap();
    // The queue is full: its only message is held.
    let mut publishing = Box::pin(broker.publish(&results, message()));
    assert!(futures::poll!(&mut publishing).is_pending());
    for seconds in [0, 1, 1_000] {
        vitals.runtime().begin().succeed();
        vitals.look(start + Duration::from_secs(seconds));
    }
    let now = start + Duration::from_secs(1_000);
    assert_eq!(vitals.live(now), Ok(()));
    assert!(problem(&vitals, "publishing", now).unwrap().contains("999 s"));
    assert!(!vitals.ready(now).ready);
    // Given up by whoever wanted it: that says nothing of the broker.
    drop(publishing);
    vitals.look(now);
    assert_eq!(problem(&vitals, "publishing", now), None);
}

#[test]
fn a_database_that_was_not_reached_is_told() {
    let database = Some(Arc::new(OnceLock::new()));
    let mut vitals = Vitals::new("producer", broker(), database, None, LIMIT);
    let now = Instant::now();
    vitals.look(now);
    assert_eq!(problem(&vitals, "database", now).as_deref(), Some("it was not reached yet"));
    assert_eq!(vitals.live(now), Ok(()), "a new start would not help");
}

#[test]
fn a_runtime_that_hangs_is_told_by_the_thread_beside_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let served =
        runtime.block_on(async { serve(Some(address), vitals(&broker())).map_err(|_| "not served") });
    let _served = served.unwrap();
    let (go_on, hold) = std::sync::mpsc::channel::<()>();
    let status = |path: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let becomes = |expected: &str| {
        let deadline = Instant::now() + Duration::from_secs(40);
        while status("/live") != expected {
            assert!(Instant::now() < deadline, "/live never becomes {expected}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    becomes("200");
    // The only worker thread waits for the test.
    runtime.spawn(async move { hold.recv() });
    becomes("503");
    assert_eq!(status("/ready"), "503");
    go_on.send(()).unwrap();
    becomes("200");
}
