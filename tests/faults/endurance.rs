//! What must stay flat: a worker's memory over a million links; threads and descriptors over many restarts of
//! the broker. `scripts/faults memory` and `scripts/faults restarts` run these.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::eventually;
use crate::support::fleet::{CommandLine, Role};
use crate::support::ledger::Request;
use crate::support::process::Usage;
use crate::support::world::{Own, World};

/// Links there are, asked for again and again.
const UNIVERSE: usize = 20_000;
/// Links of a request: the most that one may name.
const REQUEST: usize = 10_000;
/// The first part of a run, in which memory still grows to what the load needs.
const WARM_UP: f64 = 0.2;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/faults memory"]
async fn memory_is_flat_over_a_million_links() {
    let links: usize = std::env::var("LINKBEAT_FAULTS_LINKS").map_or(1_000_000, |text| text.parse().unwrap());
    let mut world = World::with(Own { rabbit: true, postgres: true, heartbeat: 10 }).await;
    world.start_as(Role::Producer, CommandLine::patient()).await;
    world.start(Role::Recorder).await;
    let concurrency = std::env::var("LINKBEAT_FAULTS_CONCURRENCY");
    let command_line = match &concurrency {
        Ok(links) => CommandLine::default().arguments(&["--concurrency", links]),
        Err(_) => CommandLine::default(),
    };
    let worker = world.start_as(Role::Worker, command_line).await;
    let universe = world.site.mix(0..UNIVERSE, 200);
    let mut samples = Vec::new();
    let began = std::time::Instant::now();
    while world.ledger.links() < links {
        let at = world.ledger.links() % UNIVERSE;
        world.submit_request(Request::of(universe[at..at + REQUEST].to_vec())).await;
        let (asked_for, ahead) = (world.ledger.links(), 2 * REQUEST);
        // Always some work ahead, never a heap of it; in the end, none.
        let enough = if asked_for < links { asked_for.saturating_sub(ahead) } else { asked_for };
        while world.site.asked() < u64::try_from(enough).unwrap() {
            sleep(Duration::from_millis(200)).await;
            samples.push(world.fleet.process(worker).usage().expect("the worker runs"));
        }
        println!("{:>7.1} s  {asked_for:>8} links  {:?}", began.elapsed().as_secs_f64(), samples.last());
    }
    print!("{}", world.sound().await);
    let warm = &samples[(samples.len() as f64 * WARM_UP) as usize..];
    let mut memory: Vec<_> = warm.iter().map(|usage| usage.memory_kib).collect();
    memory.sort_unstable();
    // Bursts come and go; a leak moves the whole of the later part. So tenths of the run are compared.
    let tenths: Vec<u64> = warm.chunks(warm.len().div_ceil(10)).map(median).collect();
    let middle = memory[memory.len() / 2];
    println!("memory, median of each tenth, KiB: {tenths:?}; of all: {middle}; most: {:?}", memory.last());
    for tenth in tenths {
        assert!(tenth.abs_diff(middle) * 10 <= middle, "not flat: {tenth} KiB of {middle} KiB");
    }
}

fn median(samples: &[Usage]) -> u64 {
    let mut memory: Vec<_> = samples.iter().map(|usage| usage.memory_kib).collect();
    memory.sort_unstable();
    memory[memory.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/faults restarts"]
async fn threads_and_descriptors_are_flat_over_many_restarts_of_the_broker() {
    let restarts: usize = std::env::var("LINKBEAT_FAULTS_COUNT").map_or(50, |text| text.parse().unwrap());
    let mut world = World::with(Own { rabbit: true, postgres: true, heartbeat: 10 }).await;
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        world.start(role).await;
    }
    sleep(Duration::from_secs(3)).await;
    let mut samples: Vec<Vec<Usage>> = Vec::new();
    for restart in 1..=restarts {
        world.submit(world.site.mix(0..300, 300)).await;
        let rabbit = world.rabbit.as_mut().expect("our own");
        rabbit.kill();
        rabbit.restart().await;
        let stored = i64::try_from(world.ledger.links()).unwrap();
        eventually("all to be done", async || (world.database.stored().await >= stored).then_some(())).await;
        for place in 0..world.fleet.members.len() {
            world.fleet.ready(place).await;
        }
        // At rest: neither checks nor tries to connect are counted.
        sleep(Duration::from_secs(1)).await;
        let usage = world.fleet.members.iter().map(|member| member.process.usage().expect("it runs"));
        samples.push(usage.collect());
        println!("{restart:>3} {:?}", samples.last().expect("just added"));
    }
    world.sound().await;
    let (early, late) = (&samples[..restarts / 5], &samples[restarts - restarts / 5..]);
    for (place, member) in world.fleet.members.iter().enumerate() {
        for (what, of) in
            [("threads", (|it| it.threads) as fn(&Usage) -> u64), ("descriptors", |it| it.descriptors)]
        {
            let most = |part: &[Vec<Usage>]| part.iter().map(|usages| of(&usages[place])).max().unwrap_or(0);
            println!("{} {what}: most {} early, {} late", member.name, most(early), most(late));
            assert!(most(late) <= most(early), "{} has more {what} than before", member.name);
        }
    }
}
