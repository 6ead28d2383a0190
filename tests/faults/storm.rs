//! The long form: faults of all kinds, at random, on a fleet under load, for half an hour.
//!
//! `scripts/faults` runs it. Everything that is random follows from the seed; what the machine makes of it does
//! not, so a seed leads back to the same faults, not to the same microsecond. A fault of a server has the
//! stage to itself, so that the time of recovery can be told; the others overlap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::feeder::Feeder;
use crate::support::fleet::{CommandLine, Role, Wire, linkbeat};
use crate::support::process::Usage;
use crate::support::proxy::Weather;
use crate::support::queues::Raw;
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
const QUEUES: [&str; 2] = ["jobs", "results"];
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

    async fn play(&mut self, fault: Fault) {
        self.say(&format!("{:>3} {fault:?}", self.count() + 1));
        match fault {
            Fault::WorkerKilled => self.kill(Role::Worker),
            Fault::RecorderKilled => self.kill(Role::Recorder),
            Fault::ProducerKilled => self.kill(Role::Producer),
            Fault::WorkerStopped => self.stop_worker(),
            Fault::WireCut => {
                let wire = self.any_wire();
                self.world.fleet.wire(wire).cut();
            }
            Fault::WireBlackHole => self.disturb(Weather::BlackHole, 5..30),
            Fault::WireSlow => self.disturb(Weather::Slow(50_000), 5..20),
            Fault::WireLate => self.disturb(Weather::Late(Duration::from_millis(500)), 5..20),
            Fault::MessagesRepeated => self.repeat().await,
            Fault::QueuePurged => {
                let queue = self.any_queue();
                self.world.queues.purge(queue).await;
            }
            Fault::QueueDeleted => {
                let queue = self.any_queue();
                self.world.queues.delete(queue).await;
                self.queue_made = Instant::now();
            }
            Fault::Poison => self.poison().await,
            Fault::DeadlyJob => {
                let number = 1_000_000 + self.count();
                let links = vec![self.world.site.special(number, "deadly")];
                self.world.submit(links).await;
            }
            Fault::BrokerKilled => self.kill_broker().await,
            Fault::BrokerFrozen => self.freeze_broker().await,
            Fault::BrokerShortOfMemory => self.starve_broker().await,
            Fault::PostgresKilled => self.kill_postgres().await,
        }
        *self.played.entry(fault).or_default() += 1;
    }

    fn any(&mut self, role: Role) -> usize {
        *self.world.fleet.of(role).choose(&mut self.random).expect("one of each role runs")
    }

    fn any_wire(&mut self) -> Wire {
        *Wire::ALL.choose(&mut self.random).expect("there are wires")
    }

    fn any_queue(&mut self) -> &'static str {
        QUEUES.choose(&mut self.random).expect("there are queues")
    }

    fn kill(&mut self, role: Role) {
        let place = self.any(role);
        self.world.fleet.process(place).kill();
        self.stopping.retain(|stopping| *stopping != place);
        self.world.revive(place);
    }

    fn stop_worker(&mut self) {
        let place = self.any(Role::Worker);
        if !self.stopping.contains(&place) {
            self.world.fleet.process(place).signal("TERM");
            self.stopping.push(place);
        }
    }

    fn disturb(&mut self, weather: Weather, seconds: std::ops::Range<u64>) {
        let wire = self.any_wire();
        self.world.fleet.wire(wire).set(weather);
        let until = Instant::now() + Duration::from_secs(self.random.random_range(seconds));
        self.disturbed.retain(|(other, _)| *other != wire);
        self.disturbed.push((wire, until));
    }

    async fn repeat(&mut self) {
        for queue in QUEUES {
            let count = self.world.queues.repeat(queue, 150, 3, &mut self.random).await;
            self.say(&format!("    {count} {queue} three times, shuffled"));
        }
    }

    async fn poison(&mut self) {
        let queue = *["jobs", "results", "requests"].choose(&mut self.random).expect("there are queues");
        let schema = format!("{{\"schema\":\"linkbeat.{}/99\"}}", queue.trim_end_matches('s'));
        let poison = [Raw::new("garbage"), Raw::new(schema), Raw::new(vec![b' '; 20 << 20])];
        self.world.queues.put(queue, &poison).await;
    }

    async fn kill_broker(&mut self) {
        self.calm().await;
        let young = QUEUES_ARE_SAFE.saturating_sub(self.queue_made.elapsed());
        self.wait(young).await;
        let away = if self.random.random_ratio(1, 5) { 30 } else { self.random.random_range(0..5) };
        self.world.rabbit.as_mut().expect("our own").kill();
        self.wait(Duration::from_secs(away)).await;
        self.world.rabbit.as_mut().expect("our own").restart().await;
        self.recovered("the broker was killed").await;
    }

    async fn freeze_broker(&mut self) {
        self.calm().await;
        self.world.rabbit.as_ref().expect("our own").freeze();
        sleep(Duration::from_secs(30)).await;
        self.world.rabbit.as_ref().expect("our own").thaw();
        self.recovered("the broker was frozen").await;
    }

    async fn starve_broker(&mut self) {
        self.calm().await;
        self.world.rabbit.as_ref().expect("our own").memory_alarm(true);
        self.wait(Duration::from_secs(60)).await;
        self.world.rabbit.as_ref().expect("our own").memory_alarm(false);
        self.recovered("the memory alarm").await;
    }

    async fn kill_postgres(&mut self) {
        self.calm().await;
        let away = if self.random.random_ratio(1, 5) { 60 } else { self.random.random_range(0..10) };
        self.world.postgres.as_mut().expect("our own").kill();
        self.wait(Duration::from_secs(away)).await;
        self.world.postgres.as_mut().expect("our own").restart().await;
        self.recovered("PostgreSQL was killed").await;
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
                None if self.world.site.killed() > self.killed_by_site => self.killed_by_site += 1,
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

    /// Lets all come to rest, prints what was found, and judges it.
    async fn end(mut self, plan: &Plan) {
        self.calm().await;
        self.say("no more faults; coming to rest");
        let settled = self.settle().await;
        let findings = self.world.findings().await;
        let dead = self.world.queues.depth("dead").await;
        println!(
            "\nseed {}: {} faults in {:.0} s",
            plan.seed,
            self.count(),
            self.began.elapsed().as_secs_f64()
        );
        for (fault, count) in &self.played {
            println!("  {count:>8} {fault:?}");
        }
        print!("ledger, settled: {settled}\n{findings}");
        println!(
            "  {dead:>8} messages in the dead queue; {} workers killed by sites",
            self.world.site.killed()
        );
        self.print_recoveries();
        self.print_usage();
        assert_eq!(self.ended_by_themselves, Vec::<String>::new(), "processes that ended by themselves");
        findings.assert_sound();
        self.complete_parked().await;
        assert!(self.count() >= plan.faults, "only {} faults in time", self.count());
        assert!(self.world.ledger.links() >= plan.links, "only {} links in time", self.world.ledger.links());
        self.judge_recoveries();
    }

    /// As [`World::settle`], with somebody who looks after the fleet: deadly jobs are still about.
    async fn settle(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < REST {
            self.look_after().await;
            if self.world.settle(Duration::from_secs(1)).await {
                return true;
            }
        }
        false
    }

    /// The jobs that were parked for good reason are put back, and find nothing deadly any more.
    async fn complete_parked(&mut self) {
        self.world.site.become_harmless();
        let mut requeue = linkbeat(self.world.folder());
        requeue.args(["dead", "requeue", "--all", "--cause", "lost"]);
        self.world.configure(&mut requeue);
        let ended = requeue.output().unwrap();
        println!("parked jobs put back: {}", String::from_utf8_lossy(&ended.stderr).trim());
        let incomplete = "SELECT count(*) FROM runs WHERE state <> 'finished'";
        let began = Instant::now();
        while self.world.database.number(incomplete).await > 0 && began.elapsed() < REST {
            self.wait(Duration::from_millis(200)).await;
        }
        self.world.settle(REST).await;
        let findings = self.world.findings().await;
        print!("{findings}");
        findings.assert_sound();
        assert_eq!(findings.parked, 0, "every link has its result in the end");
    }

    fn print_recoveries(&self) {
        for (from, times) in &self.recoveries {
            let longest = times.iter().max().copied().unwrap_or_default().as_secs_f64();
            let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
            println!(
                "  consuming again after {from}: mean {mean:.1} s, longest {longest:.1} s, of {}",
                times.len()
            );
        }
    }

    fn judge_recoveries(&self) {
        for (from, promised) in [("the broker was killed", 10), ("PostgreSQL was killed", 5)] {
            let longest = self.recoveries.get(from).and_then(|times| times.iter().max()).copied();
            assert!(longest.unwrap_or_default() <= Duration::from_secs(promised), "{from}: {longest:?}");
        }
    }

    fn print_usage(&self) {
        println!("  process      memory MiB: median, most   threads: most   descriptors: most");
        for (name, samples) in &self.usage {
            let mut memory: Vec<_> = samples.iter().map(|usage| usage.memory_kib / 1_024).collect();
            memory.sort_unstable();
            let most = |of: fn(&Usage) -> u64| samples.iter().map(of).max().unwrap_or(0);
            println!(
                "  {name:12} {:>19} {:>6} {:>15} {:>19}",
                memory[memory.len() / 2],
                memory[memory.len() - 1],
                most(|usage| usage.threads),
                most(|usage| usage.descriptors),
            );
        }
    }
}
