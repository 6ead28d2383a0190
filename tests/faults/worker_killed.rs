//! Workers that are killed: their jobs come back, and what they had published is stored once.

use crate::support::fleet::Role;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn in_mid_check() {
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    world.start(Role::Recorder).await;
    let worker = world.start(Role::Worker).await;
    world.submit(world.site.mix(0..300, 600)).await;
    for _ in 0..3 {
        world.under_way(10).await;
        world.fleet.process(worker).kill();
        world.restart(worker).await;
    }
    assert_eq!(world.sound().await.parked, 0);
}

/// The results of a job are in the queue, and it comes back all the same.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn between_the_confirmed_results_and_the_ack() {
    use crate::support::fleet::CommandLine;
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    world.start(Role::Recorder).await;
    let crash = CommandLine::default().variable("FAILPOINTS", "worker.confirmed=5*off->return");
    let worker = world.start_as(Role::Worker, crash).await;
    world.submit(world.site.mix(0..300, 100)).await;
    world.fleet.process(worker).aborted().await;
    let asked = world.site.asked();
    world.restart(worker).await;
    world.sound().await;
    assert!(world.site.asked() > 300, "a job was done again: {asked} before, {} in all", world.site.asked());
}
