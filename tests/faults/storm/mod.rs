//! The long form: faults of all kinds, at random, on a fleet under load, for half an hour.
//!
//! `scripts/faults` runs it. Everything that is random follows from the seed; what the machine makes of it does
//! not, so a seed leads back to the same faults, not to the same microsecond. A fault of a server has the
//! stage to itself, so that the time of recovery can be told; the others overlap.

mod end;
mod play;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::feeder::Feeder;
use crate::support::fleet::{CommandLine, Role, Wire};
use crate::support::process::Usage;
use crate::support::proxy::Weather;
use crate::support::world::{Own, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    WorkerKilled,
    RecorderKilled,
    ProducerKilled,
    WorkerStopped,
    WireCut,
    WireBlackHole,
    WireSlow,
    WireLate,
    MessagesRepeated,
    QueuePurged,
    QueueDeleted,
    Poison,
    DeadlyJob,
    BrokerKilled,
    BrokerFrozen,
    BrokerShortOfMemory,
    PostgresKilled,
}

/// How often each kind stands in a bag; bags are emptied in random order.
const BAG: [(Fault, usize); 17] = [
    (Fault::WorkerKilled, 12),
    (Fault::RecorderKilled, 8),
    (Fault::ProducerKilled, 8),
    (Fault::WorkerStopped, 5),
    (Fault::WireCut, 5),
    (Fault::WireBlackHole, 5),
    (Fault::WireSlow, 4),
    (Fault::WireLate, 4),
    (Fault::MessagesRepeated, 5),
    (Fault::QueuePurged, 3),
    (Fault::QueueDeleted, 3),
    (Fault::Poison, 5),
    (Fault::DeadlyJob, 2),
    (Fault::BrokerKilled, 8),
    (Fault::BrokerFrozen, 1),
    (Fault::BrokerShortOfMemory, 1),
    (Fault::PostgresKilled, 5),
];

/// Work queues whose messages the database can make again.
const QUEUES: [&str; 3] = ["jobs", "results", "results.large"];
const WORKERS: usize = 4;
/// After a queue was made it may be lost with its broker for a while (RabbitMQ 3.10).
const QUEUES_ARE_SAFE: Duration = Duration::from_secs(5);
/// How long all may take to come to rest in the end.
const REST: Duration = Duration::from_secs(300);

/// What is asked of it, from `LINKBEAT_FAULTS_…`.
#[derive(Debug)]
struct Plan {
    seed: u64,
    faults: usize,
    links: usize,
    limit: Duration,
}

impl Plan {
    fn read() -> Self {
        let number = |name: &str, default: u64| {
            let value = std::env::var(format!("LINKBEAT_FAULTS_{name}"));
            value.map_or(default, |text| {
                text.parse().unwrap_or_else(|_| panic!("{name}: a number, not `{text}`"))
            })
        };
        Self {
            seed: number("SEED", rand::random::<u32>().into()),
            faults: usize::try_from(number("COUNT", 200)).unwrap(),
            links: usize::try_from(number("LINKS", 200_000)).unwrap(),
            limit: Duration::from_secs(60 * number("MINUTES", 30)),
        }
    }
}

struct Storm {
    world: World,
    random: StdRng,
    began: Instant,
    played: BTreeMap<Fault, usize>,
    /// Wires that are disturbed, and until when.
    disturbed: Vec<(Wire, Instant)>,
    /// Workers that were told to stop and have not ended yet.
    stopping: Vec<usize>,
    queue_made: Instant,
    recoveries: BTreeMap<&'static str, Vec<Duration>>,
    /// Ends that nobody caused.
    ended_by_themselves: Vec<String>,
    killed_by_site: u64,
    usage: BTreeMap<String, Vec<Usage>>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour: scripts/faults"]
async fn long_form() {
    let plan = Plan::read();
    println!("{plan:?}");
    let mut storm = Storm::prepare(plan.seed).await;
    let over = Arc::new(AtomicBool::new(false));
    let feeder = Feeder::new(&storm.world, plan.links, over.clone(), plan.seed);
    let ((), ledger) = tokio::join!(
        async {
            storm.blow(&plan).await;
            over.store(true, Ordering::Relaxed);
        },
        feeder.run()
    );
    storm.world.ledger.requests.extend(ledger.requests);
    storm.end(&plan).await;
}

impl Storm {
    async fn prepare(seed: u64) -> Self {
        let mut world = World::with(Own { rabbit: true, postgres: true, heartbeat: 10 }).await;
        let patient = CommandLine::default().variable("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "20");
        for role in [Role::Producer, Role::Producer] {
            world.start_as(role, patient.clone()).await;
        }
        for role in [Role::Recorder, Role::Recorder] {
            world.start(role).await;
        }
        for number in 0..WORKERS {
            let worker = CommandLine::default().arguments(&["--concurrency", "60"]);
            let worker = match number {
                0 => worker.clock_off("+1h"),
                1 => worker.through(&["prlimit", "--nofile=256"]),
                _ => worker,
            };
            world.start_as(Role::Worker, worker).await;
        }
        sleep(QUEUES_ARE_SAFE).await;
        let now = Instant::now();
        Self {
            world,
            random: StdRng::seed_from_u64(seed),
            began: now,
            played: BTreeMap::new(),
            disturbed: Vec::new(),
            stopping: Vec::new(),
            queue_made: now,
            recoveries: BTreeMap::new(),
            ended_by_themselves: Vec::new(),
            killed_by_site: 0,
            usage: BTreeMap::new(),
        }
    }

    /// Plays faults until all are played, or time is up.
    async fn blow(&mut self, plan: &Plan) {
        let mut bag = Vec::new();
        while self.count() < plan.faults && self.began.elapsed() < plan.limit {
            if bag.is_empty() {
                bag = BAG.iter().flat_map(|(fault, times)| std::iter::repeat_n(*fault, *times)).collect();
                bag.shuffle(&mut self.random);
            }
            self.play(bag.pop().expect("it was filled")).await;
            let pause = Duration::from_millis(self.random.random_range(200..4_000));
            self.wait(pause).await;
        }
    }

    fn count(&self) -> usize {
        self.played.values().sum()
    }

    fn say(&self, what: &str) {
        println!("{:>7.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Waits until results are stored again and everybody is ready again: nobody may be left behind.
    async fn recovered(&mut self, from: &'static str) {
        let back = Instant::now();
        let stored = self.world.database.stored().await;
        while self.world.database.stored().await <= stored && back.elapsed() < REST {
            sleep(Duration::from_millis(50)).await;
        }
        let going_on = back.elapsed();
        self.until_all_are_ready().await;
        self.say(&format!("    results stored again after {:.1} s", going_on.as_secs_f64()));
        self.note(from, back.elapsed());
    }

    async fn until_all_are_ready(&mut self) {
        let began = Instant::now();
        let mut place = 0;
        while place < self.world.fleet.members.len() {
            assert!(began.elapsed() < REST, "{} is never ready", self.world.fleet.members[place].name);
            self.look_after().await;
            if self.world.fleet.members[place].is_ready().await {
                place += 1;
            } else {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn note(&mut self, from: &'static str, took: Duration) {
        self.say(&format!("    all ready {:.1} s after {from}", took.as_secs_f64()));
        self.recoveries.entry(from).or_default().push(took);
    }

    /// Waits until no wire is disturbed and everybody is there, so that what follows is due to one fault.
    async fn calm(&mut self) {
        while !self.disturbed.is_empty() || !self.stopping.is_empty() {
            self.wait(Duration::from_millis(100)).await;
        }
        self.until_all_are_ready().await;
    }

    /// Lets time pass, and does what is due meanwhile.
    async fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.look_after().await;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(Duration::from_millis(100))).await;
        }
    }

    /// Ends what is due, restarts who has ended, and notes what everybody takes.
    async fn look_after(&mut self) {
        let now = Instant::now();
        for (wire, _) in self.disturbed.extract_if(.., |(_, until)| *until <= now) {
            self.world.fleet.wire(wire).set(Weather::Clear);
        }
        for place in 0..self.world.fleet.members.len() {
            let Some(status) = self.world.fleet.process(place).ended() else { continue };
            let name = self.world.fleet.members[place].name.clone();
            let stopped = self.stopping.iter().position(|stopping| *stopping == place);
            match stopped.map(|at| self.stopping.swap_remove(at)) {
                Some(_) if status.success() => {}
                _ if self.world.site.killed() > self.killed_by_site => self.killed_by_site += 1,
                _ => self.ended_by_themselves.push(format!("{name}: {status}")),
            }
            self.world.revive(place);
        }
        for member in &self.world.fleet.members {
            if let Some(usage) = member.process.usage() {
                self.usage.entry(member.name.clone()).or_default().push(usage);
            }
        }
    }
}
