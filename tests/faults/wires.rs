//! Wires that swallow, slow down, delay or cut what they carry.

use std::time::Duration;

use crate::support::fleet::{CommandLine, Role, Wire};
use crate::support::proxy::Weather;
use crate::support::world::World;

/// Each wire once; those of one turn have neither a role nor a server in common.
const TURNS: [&[Wire]; 3] = [
    &[Wire::ProducerBroker, Wire::RecorderDatabase],
    &[Wire::RecorderBroker, Wire::ProducerDatabase],
    &[Wire::WorkerBroker],
];

/// Plays one weather on each wire, under load.
async fn each_wire_in(weather: Weather, lasting: Duration) {
    let mut world = World::open().await;
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        world.start(role).await;
    }
    for (turn, wires) in TURNS.into_iter().enumerate() {
        wires.iter().for_each(|wire| world.fleet.wire(*wire).set(weather));
        world.submit(world.site.mix(turn * 100..turn * 100 + 200, 300)).await;
        tokio::time::sleep(lasting).await;
        wires.iter().for_each(|wire| world.fleet.wire(*wire).set(Weather::Clear));
    }
    world.sound().await;
}

/// Longer than two heartbeats.
#[tokio::test(flavor = "multi_thread")]
async fn black_holes() {
    each_wire_in(Weather::BlackHole, Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow() {
    each_wire_in(Weather::Slow(50_000), Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late() {
    each_wire_in(Weather::Late(Duration::from_millis(500)), Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut() {
    let mut world = World::open().await;
    for role in [Role::Producer, Role::Recorder] {
        world.start(role).await;
    }
    // So few at once that there is work during all cuts.
    world.start_as(Role::Worker, CommandLine::default().arguments(&["--concurrency", "20"])).await;
    world.submit(world.site.mix(0..600, 300)).await;
    for _ in 0..3 {
        for wire in Wire::ALL {
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.fleet.wire(wire).cut();
        }
    }
    world.sound().await;
}
