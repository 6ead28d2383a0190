//! Several schedulers on one PostgreSQL: they are killed and the clock is set, and each tick fires once.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use linkbeat_broker::MemoryBroker;
use linkbeat_producer::{Outbox, Scheduler};
use linkbeat_shared::schedule::{Missed, Overlap, ScheduleSpec, Timing, Zone, stored_request};
use linkbeat_shared::{LinkSelection, LinkUrl, NewLink, Request, RequestId, RequestOptions, ScheduleId};
use linkbeat_store::{NewSchedule, OpenMode, SharedStore, StoredSchedule, TickOutcome, open};
use linkbeat_testbed::database::Database;
use linkbeat_testbed::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So much faster than real time is the clock of these tests.
const SPEED: u32 = 20;

/// A clock that runs fast, can be set, and stops.
struct FastClock {
    start: DateTime<Utc>,
    stops: DateTime<Utc>,
    since: Instant,
    set_by_ms: AtomicI64,
}

impl FastClock {
    fn at(start: &str) -> Arc<Self> {
        Self::until(start, TimeDelta::days(365))
    }

    fn until(start: &str, length: TimeDelta) -> Arc<Self> {
        let start: DateTime<Utc> = start.parse().unwrap();
        let (stops, set_by_ms) = (start + length, AtomicI64::new(0));
        Arc::new(Self { start, stops, since: Instant::now(), set_by_ms })
    }

    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.since.elapsed() * SPEED).unwrap();
        let set_by = TimeDelta::milliseconds(self.set_by_ms.load(Ordering::Relaxed));
        (self.start + passed + set_by).min(self.stops)
    }

    fn set_by(&self, step: TimeDelta) {
        self.set_by_ms.fetch_add(step.num_milliseconds(), Ordering::Relaxed);
    }
}

/// A scheduler with connections of its own.
struct Producer {
    work: JoinHandle<()>,
    stop: CancellationToken,
}

impl Producer {
    async fn start(database: &Database, clock: &Arc<FastClock>) -> Self {
        let url = database.url.parse().unwrap();
        let store = eventually("the database", async || open(&url, OpenMode::Check).await.ok()).await;
        // Its jobs are of no interest here: they stay in the outbox.
        let outbox = Arc::new(Outbox::new(MemoryBroker::new(10), store));
        let clock = clock.clone();
        let scheduler = Scheduler::new(outbox).with_clock(Arc::new(move || clock.now()), SPEED);
        let stop = CancellationToken::new();
        let token = stop.clone();
        Self { work: tokio::spawn(async move { scheduler.run(token).await }), stop }
    }

    /// As by kill -9: at any await, with a transaction open, and with the lease in hand.
    fn kill(self) {
        self.work.abort();
    }

    async fn end(self) {
        self.stop.cancel();
        self.work.await.unwrap();
    }
}

async fn database() -> (Database, SharedStore) {
    let database = Database::create("schedules").await;
    let url = database.url.parse().unwrap();
    let store = eventually("the database", async || open(&url, OpenMode::Migrate).await.ok()).await;
    (database, store)
}

fn spec(timing: Timing) -> ScheduleSpec {
    ScheduleSpec {
        timing,
        time_zone: Zone::UTC,
        overlap: Overlap::Allow,
        missed: Missed::Once,
        deadline: None,
        jitter: None,
    }
}

fn every(interval: &str, clock: &FastClock) -> ScheduleSpec {
    // Also when the clock is set back it is later than this.
    spec(Timing::Every { interval: interval.parse().unwrap(), anchor: clock.start - TimeDelta::days(1) })
}

async fn add(store: &SharedStore, name: &str, spec: ScheduleSpec, clock: &FastClock) {
    let links = LinkSelection::given(vec![NewLink::from_url(LinkUrl::parse("http://a.example/").unwrap())]);
    let request = Request::new(RequestId::new(), links, RequestOptions::default(), None);
    let id = ScheduleId::new();
    let next = spec.next_after(id, clock.now()).unwrap();
    let schedule = NewSchedule {
        id,
        name: name.parse().unwrap(),
        spec,
        request: stored_request(&request).unwrap(),
        next,
    };
    assert!(store.add_schedule(schedule).await.unwrap());
}

async fn find(store: &SharedStore, name: &str) -> StoredSchedule {
    store.find_schedule(name).await.unwrap().unwrap()
}

/// Each tick up to the last one has its run, and no run is left over.
async fn assert_each_tick_fired_once(database: &Database, store: &SharedStore) -> usize {
    let mut all = 0;
    for schedule in store.schedules(None, 1_000).await.unwrap() {
        let spec = schedule.spec.clone().unwrap();
        let ticks = store.ticks(schedule.id, 10_000).await.unwrap();
        let first = ticks.last().unwrap().due;
        let expected = spec.upcoming(schedule.id, first - TimeDelta::milliseconds(1), ticks.len());
        for (tick, expected) in ticks.iter().rev().zip(&expected) {
            assert_eq!(
                (tick.due, tick.outcome, tick.ticks),
                (expected.due, TickOutcome::Fired, 1),
                "{}",
                schedule.name
            );
        }
        assert_eq!(schedule.counts.fired, ticks.len() as u64, "{}", schedule.name);
        assert_eq!(schedule.last_due, ticks.first().map(|tick| tick.due));
        all += ticks.len();
    }
    let count = async |query: &str| usize::try_from(database.number(query).await).unwrap();
    assert_eq!(count("SELECT count(*) FROM runs").await, all, "a run for each tick");
    assert_eq!(count("SELECT count(DISTINCT run_id) FROM ticks").await, all);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn three_producers_fire_each_tick_of_a_hundred_schedules_once_while_leaders_are_killed() {
    let (database, store) = database().await;
    let clock = FastClock::until("2026-11-26T10:00:00Z", TimeDelta::minutes(10));
    for n in 0..100 {
        // Every half a minute to every five minutes; some a little later than they are due.
        let jitter = (n % 3 == 0).then(|| "10s".parse().unwrap());
        // On a loaded machine taking over takes long by a clock that is fast: late ticks fire all the same.
        let (missed, deadline) = (Missed::Skip, Some("1h".parse().unwrap()));
        let every = every(&format!("{}s", 30 * (1 + n % 10)), &clock);
        let spec = ScheduleSpec { jitter, missed, deadline, ..every };
        add(&store, &format!("schedule {n:03}"), spec, &clock).await;
    }
    let mut producers = Vec::new();
    for _ in 0..3 {
        producers.push(Producer::start(&database, &clock).await);
    }
    let leader = "SELECT count(*) FROM leases WHERE name = 'schedules'";
    let (mut killed, end) = (0, clock.stops);
    while clock.now() < end {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(database.number(leader).await, 1);
        // Whichever of them it is: after three turns it was the leader.
        producers.remove(0).kill();
        producers.push(Producer::start(&database, &clock).await);
        killed += 1;
    }
    // What was due by then is fired before they end.
    let due = format!("SELECT count(*) FROM schedules WHERE begins_at <= '{}'", end.to_rfc3339());
    eventually("all ticks of ten minutes", async || (database.number(&due).await == 0).then_some(())).await;
    for producer in producers {
        producer.end().await;
    }
    let ticks = assert_each_tick_fired_once(&database, &store).await;
    // Of 30 s, 60 s, … 300 s there are 20, 10, 6, 5, 4, 3, 3, 2, 2 and 2 ticks in ten minutes, of ten schedules each. The
    // last tick of 18 schedules is due at the end, and begins a little later.
    assert!((552..=570).contains(&ticks), "{ticks} ticks");
    println!("{ticks} ticks of 100 schedules by 3 producers, {killed} of which were killed: each tick once");
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_the_clock_repeats_no_tick_and_silences_no_schedule() {
    let (database, store) = database().await;
    let clock = FastClock::at("2026-11-26T10:00:00Z");
    add(&store, "steps", every("10s", &clock), &clock).await;
    let producer = Producer::start(&database, &clock).await;
    let fired = async |least: u64| {
        eventually("ticks", async || (find(&store, "steps").await.counts.fired >= least).then_some(())).await;
    };
    fired(5).await;
    // Back by a little and by much: what has fired does not fire again.
    clock.set_by(TimeDelta::seconds(-40));
    fired(8).await;
    clock.set_by(TimeDelta::hours(-2));
    fired(12).await;
    let counts = find(&store, "steps").await.counts;
    assert_eq!((counts.missed, counts.overlap), (0, 0));
    // Ahead by a day: one tick is made up for, the others are counted, and it goes on from there.
    let before = counts.fired;
    clock.set_by(TimeDelta::days(1));
    fired(before + 4).await;
    producer.end().await;
    let after = find(&store, "steps").await;
    assert!(after.counts.missed > 8_000, "{:?}", after.counts);
    let runs = u64::try_from(database.number("SELECT count(*) FROM runs").await).unwrap();
    assert_eq!(runs, after.counts.fired);
    let twice = "SELECT count(*) - count(DISTINCT due_at) FROM ticks WHERE outcome = 'fired'";
    assert_eq!(database.number(twice).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_schedule_that_cannot_run_does_not_stop_the_others() {
    let (database, store) = database().await;
    let clock = FastClock::at("2026-11-26T10:00:00Z");
    for name in ["good", "no request", "no zone"] {
        add(&store, name, every("10s", &clock), &clock).await;
    }
    database.execute("UPDATE schedules SET request = '{}' WHERE name = 'no request'").await;
    let zone = "jsonb_set(definition, '{time_zone}', '\"Mars/Olympus\"')";
    database.execute(&format!("UPDATE schedules SET definition = {zone} WHERE name = 'no zone'")).await;
    let producer = Producer::start(&database, &clock).await;
    let look = async || {
        let (good, failed) =
            (find(&store, "good").await.counts.fired, find(&store, "no request").await.counts.failed);
        (good >= 3 && failed >= 3).then_some(())
    };
    eventually("three ticks", look).await;
    producer.end().await;
    let state = find(&store, "no zone").await.state;
    assert_eq!(state, linkbeat_store::ScheduleState::Paused);
    assert_eq!(find(&store, "no request").await.counts.fired, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_comes_once_and_ends_its_schedule() {
    let (database, store) = database().await;
    let clock = FastClock::at("2026-11-26T10:00:00Z");
    add(&store, "once", spec(Timing::At(clock.start + TimeDelta::seconds(30))), &clock).await;
    let producers = [Producer::start(&database, &clock).await, Producer::start(&database, &clock).await];
    let ended =
        async || (find(&store, "once").await.state == linkbeat_store::ScheduleState::Ended).then_some(());
    eventually("its end", ended).await;
    for producer in producers {
        producer.end().await;
    }
    assert_eq!(assert_each_tick_fired_once(&database, &store).await, 1);
}

#[tokio::test]
async fn a_pause_with_an_end_ends_by_itself() {
    let (database, store) = database().await;
    let clock = FastClock::at("2026-12-01T00:00:00Z");
    add(&store, "minutely", every("1m", &clock), &clock).await;
    let schedule = store.find_schedule("minutely").await.unwrap().unwrap();
    let until = clock.now() + TimeDelta::seconds(130);
    assert!(store.change_schedule(&schedule, schedule.pauses(Some(until))).await.unwrap());
    let producer = Producer::start(&database, &clock).await;
    let went_on = eventually("a tick", async || {
        let schedule = store.find_schedule("minutely").await.unwrap().unwrap();
        (schedule.counts.fired > 0).then_some(schedule)
    })
    .await;
    producer.end().await;
    assert_eq!(went_on.paused_until, None);
    assert!(went_on.counts.paused >= 2, "{:?}", went_on.counts);
    let ticks = store.ticks(went_on.id, 100).await.unwrap();
    assert!(ticks.iter().all(|tick| tick.due > until), "{ticks:?}");
}
