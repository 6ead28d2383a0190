//! Which parts each role has at `/live` and `/ready`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{Broker, RabbitBroker, WatchedBroker};
use linkbeat_producer::RequestCounts;
use linkbeat_store::SharedStore;
use linkbeat_vitals::{Activity, Calls, Served, Unanswered, Vitals};
use linkbeat_worker::Health;
use tokio::sync::watch;

use crate::exit::Failure;

/// How long publishing may be tried without a confirmation.
const PUBLISHING: Calls = Calls {
    limit: Duration::from_secs(15),
    problem: "the broker has confirmed nothing",
    // Publishing is dropped half-way when the session of its job ends.
    unanswered: Unanswered::GivenUp,
};
/// How long the database may be tried without an answer.
const DATABASE: Calls =
    Calls { limit: Duration::from_secs(5), problem: "no answer", unanswered: Unanswered::Failed };

/// What every role has: its broker. `stall` is how long it may hold messages, wait for no server, and do nothing.
pub(crate) fn of_role(role: &'static str, broker: &Arc<WatchedBroker>, stall: Duration) -> Vitals {
    with_broker(Vitals::new(role), "", broker, stall)
}

/// A broker more. `suffix` tells its parts from those of others.
pub(crate) fn with_broker(
    vitals: Vitals,
    suffix: &str,
    broker: &Arc<WatchedBroker>,
    stall: Duration,
) -> Vitals {
    let (session, troubled, publisher) = (Arc::clone(broker), Arc::clone(broker), Arc::clone(broker));
    vitals
        .connection(
            format!("connected{suffix}"),
            "no session with the broker",
            move || session.ready(),
            move || troubled.trouble(),
        )
        .calls(format!("publishing{suffix}"), PUBLISHING, move || Some(publisher.publishing().tally()))
        .held(format!("consuming{suffix}"), broker.in_hand().clone(), stall)
}

/// The database of a role, which may not have been reached yet.
#[derive(Debug, Default)]
pub(crate) struct Database {
    pub(crate) store: OnceLock<SharedStore>,
    /// Why it could not be opened at the latest try.
    unopened: Mutex<Option<String>>,
}

impl Database {
    /// It could not be opened.
    pub(crate) fn note(&self, problem: &str) {
        *self.unopened.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.to_owned());
    }

    fn trouble(&self) -> Option<String> {
        match self.store.get() {
            Some(store) => store.activity().trouble(),
            None => self.unopened.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// A role with a database.
pub(crate) fn with_database(vitals: Vitals, database: Arc<Database>) -> Vitals {
    let troubled = Arc::clone(&database);
    let tally = move || database.store.get().map(|store| store.activity().tally());
    vitals.calls_telling("database", DATABASE, tally, move || troubled.trouble())
}

/// A producer that takes the tasks of Celery clients.
pub(crate) fn with_celery(vitals: Vitals, celery: Option<&Arc<RabbitBroker>>) -> Vitals {
    let Some(celery) = celery.cloned() else { return vitals };
    let troubled = Arc::clone(&celery);
    vitals.connection(
        "celery",
        "no session with the broker of Celery clients",
        move || celery.ready(),
        move || troubled.trouble(),
    )
}

/// A role that takes requests.
pub(crate) fn with_requests(vitals: Vitals, requests: RequestCounts) -> Vitals {
    vitals.counts("requests", move || requests.read())
}

/// A worker. `checks` counts one piece of work for each check. `suffix` as above.
pub(crate) fn with_checks(
    vitals: Vitals,
    suffix: &str,
    checks: Activity,
    health: watch::Receiver<Health>,
) -> Vitals {
    vitals.work(format!("checking{suffix}"), checks, move || match &*health.borrow() {
        Health::Paused { fault, since } => {
            let seconds = (Utc::now() - since).num_seconds().max(0);
            Some(format!("paused for {seconds} s: {}", fault.as_str()))
        }
        Health::Starting | Health::Working => None,
    })
}

/// Serves the role's state until the value is dropped. Without an address it serves nothing.
pub(crate) fn serve(address: Option<SocketAddr>, vitals: Vitals) -> Result<Option<Served>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let failed = |error| Failure::usage(format!("cannot serve --health-addr {address}: {error}"));
    vitals.serve(address).map(Some).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use linkbeat_broker::{MemoryBroker, Message, Queue, Target};
    use uuid::Uuid;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

    fn problem(vitals: &Vitals, part: &str, now: Instant) -> Option<String> {
        let parts = vitals.ready(now).parts;
        parts.into_iter().find(|found| found.part == part).unwrap_or_else(|| panic!("no {part}")).problem
    }

    #[tokio::test]
    async fn a_role_that_holds_messages_and_does_nothing_is_not_alive() {
        let broker = Arc::new(WatchedBroker::new(MemoryBroker::new(10)));
        let mut vitals = of_role("recorder", &broker, LIMIT);
        let start = Instant::now();
        let observe = |vitals: &mut Vitals, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            // The runtime goes on, whatever the role does.
            vitals.runtime().begin().succeed();
            vitals.observe(now);
            vitals.live(now)
        };
        observe(&mut vitals, 0).unwrap();
        assert_eq!(observe(&mut vitals, 1_000), Ok(()), "idle is well");
        broker.publish(&Target::Queue(Queue::RESULTS), Message::new(Uuid::now_v7(), "{}")).await.unwrap();
        let mut results = broker.subscribe(&Queue::RESULTS, 1).await.unwrap();
        let delivery = results.next().await.unwrap();
        assert_eq!(observe(&mut vitals, 1_001), Ok(()));
        assert_eq!(observe(&mut vitals, 1_120), Ok(()));
        let why = observe(&mut vitals, 1_130).unwrap_err();
        assert!(why.contains("1 messages are held") && why.contains("129 s"), "{why}");
        assert!(problem(&vitals, "consuming", start + Duration::from_secs(1_130)).is_some());
        delivery.ack().await.unwrap();
        assert_eq!(observe(&mut vitals, 1_140), Ok(()));
        assert_eq!(problem(&vitals, "consuming", start + Duration::from_secs(1_140)), None);
    }

    #[tokio::test]
    async fn waiting_for_the_broker_is_no_reason_to_start_again() {
        let broker = Arc::new(WatchedBroker::new(MemoryBroker::new(1)));
        let mut vitals = of_role("recorder", &broker, LIMIT);
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
            vitals.observe(start + Duration::from_secs(seconds));
        }
        let now = start + Duration::from_secs(1_000);
        assert_eq!(vitals.live(now), Ok(()));
        assert!(problem(&vitals, "publishing", now).unwrap().contains("999 s"));
        assert!(!vitals.ready(now).ready);
        // Whoever wanted it gave it up. That says nothing about the broker.
        drop(publishing);
        vitals.observe(now);
        assert_eq!(problem(&vitals, "publishing", now), None);
    }

    #[test]
    fn a_database_that_was_not_reached_is_told() {
        let broker = Arc::new(WatchedBroker::new(MemoryBroker::new(10)));
        let vitals = of_role("producer", &broker, LIMIT);
        let database = Arc::new(Database::default());
        let mut vitals = with_database(vitals, Arc::clone(&database));
        let now = Instant::now();
        vitals.observe(now);
        assert_eq!(problem(&vitals, "database", now).as_deref(), Some("it was not reached yet"));
        assert_eq!(vitals.live(now), Ok(()), "a new start would not help");
        database.note("connection refused");
        assert_eq!(problem(&vitals, "database", now).as_deref(), Some("connection refused"));
    }
}
