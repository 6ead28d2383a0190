//! Queues that are emptied or deleted under everybody's hands.

use crate::support::fleet::Role;
use crate::support::world::World;

const QUEUES: [&str; 2] = ["jobs", "results"];

#[tokio::test(flavor = "multi_thread")]
async fn deleted() {
    let mut world = World::open().await;
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        world.start(role).await;
    }
    world.submit(world.site.mix(0..600, 1_000)).await;
    for queue in QUEUES {
        world.under_way(10).await;
        world.queues.delete(queue).await;
    }
    world.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn purged() {
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    world.submit(world.site.mix(0..300, 100)).await;
    let jobs = async || (world.queues.depth("jobs").await >= 100).then_some(());
    crate::support::eventually("waiting jobs", jobs).await;
    world.queues.purge("jobs").await;
    let worker = world.start(Role::Worker).await;
    let results = async || (world.queues.depth("results").await >= 50).then_some(());
    crate::support::eventually("waiting results", results).await;
    world.queues.purge("results").await;
    assert_eq!(world.fleet.process(worker).ended(), None);
    world.start(Role::Recorder).await;
    world.sound().await;
}
