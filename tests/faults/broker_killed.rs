//! A broker that is killed under load, frozen, or short of memory.

use std::time::Duration;

use crate::support::fleet::Role;
use crate::support::world::{Own, World};

/// A quorum queue that was declared less than a second ago may be lost with a kill (RabbitMQ 3.10).
const QUEUES_ARE_SAFE: Duration = Duration::from_secs(2);

/// With answers that take up to so long.
async fn under_load(slowest_ms: u64) -> World {
    let mut world = World::with(Own::RABBIT).await;
    for role in [Role::Producer, Role::Recorder, Role::Worker, Role::Worker] {
        world.start(role).await;
    }
    tokio::time::sleep(QUEUES_ARE_SAFE).await;
    world.submit(world.site.mix(0..1_000, slowest_ms)).await;
    world.under_way(10).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again() {
    let mut world = under_load(1_000).await;
    let rabbit = world.rabbit.as_mut().unwrap();
    rabbit.kill();
    rabbit.restart().await;
    let asked = world.site.asked();
    world.recovery("the broker", Duration::from_secs(10), async |world| world.site.asked() > asked).await;
    world.submit(world.site.mix(500..900, 300)).await;
    world.sound().await;
}

/// So long that every session is given up.
#[tokio::test(flavor = "multi_thread")]
async fn frozen() {
    let mut world = under_load(1_000).await;
    let rabbit = world.rabbit.as_ref().unwrap();
    rabbit.freeze();
    tokio::time::sleep(Duration::from_secs(6)).await;
    rabbit.thaw();
    world.submit(world.site.mix(500..900, 300)).await;
    world.sound().await;
}

/// Whoever publishes is blocked, and waits; what was taken is worked on.
#[tokio::test(flavor = "multi_thread")]
async fn short_of_memory() {
    // Raising the alarm takes a second, and far more where the machine is busy.
    let mut world = under_load(12_000).await;
    let rabbit = world.rabbit.as_ref().unwrap();
    rabbit.memory_alarm(true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stored = world.database.stored().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.database.stored().await, stored, "no result comes through while publishers are blocked");
    assert!(stored < 1_000, "the alarm came before the end");
    world.rabbit.as_ref().unwrap().memory_alarm(false);
    world.submit(world.site.mix(500..900, 300)).await;
    world.sound().await;
}
