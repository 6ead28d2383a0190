//! Recorders that are killed: what they had committed is not counted again.

use crate::support::fleet::Role;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn in_mid_batch() {
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    let recorder = world.start(Role::Recorder).await;
    world.start(Role::Worker).await;
    world.submit(world.site.mix(0..600, 600)).await;
    for stored in [20, 150, 300] {
        world.stored(stored).await;
        world.fleet.process(recorder).kill();
        world.restart(recorder).await;
    }
    world.sound().await;
}

/// A batch is committed, and all its messages come again.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn between_commit_and_ack() {
    use crate::support::fleet::CommandLine;
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    let crash = CommandLine::default().variable("FAILPOINTS", "recorder.committed=return");
    let recorder = world.start_as(Role::Recorder, crash).await;
    world.start(Role::Worker).await;
    world.submit(world.site.mix(0..300, 300)).await;
    world.fleet.process(recorder).aborted().await;
    assert!(world.database.stored().await > 0, "it had committed");
    world.restart(recorder).await;
    world.sound().await;
}
