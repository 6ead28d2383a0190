//! Producers that are killed: what was committed is published by whoever comes next.

use crate::support::fleet::Role;
use crate::support::world::World;

/// Two at once share requests and the outbox; one after the other is killed.
#[tokio::test(flavor = "multi_thread")]
async fn while_several_of_them_serve_requests() {
    let mut world = World::open().await;
    let producers = [world.start(Role::Producer).await, world.start(Role::Producer).await];
    world.start(Role::Recorder).await;
    world.start(Role::Worker).await;
    for round in 0..4 {
        for part in 0..5 {
            let first = (round * 5 + part) * 100;
            world.submit(world.site.mix(first..first + 150, 200)).await;
        }
        let killed = producers[round % 2];
        world.fleet.process(killed).kill();
        world.restart(killed).await;
    }
    world.sound().await;
}

#[cfg(feature = "failpoints")]
mod at_crash_points {
    use super::*;
    use crate::support::fleet::CommandLine;

    async fn killed_at(point: &str) {
        let mut world = World::open().await;
        let crash = CommandLine::default().variable("FAILPOINTS", point);
        let producer = world.start_as(Role::Producer, crash).await;
        world.start(Role::Recorder).await;
        world.start(Role::Worker).await;
        world.submit(world.site.mix(0..300, 100)).await;
        world.fleet.process(producer).aborted().await;
        let left = "SELECT count(*) FROM jobs WHERE published_at IS NULL";
        assert!(world.database.number(left).await > 0, "jobs were committed and not published");
        world.restart(producer).await;
        world.sound().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn between_commit_and_publish() {
        killed_at("producer.committed=return").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_mid_batch() {
        killed_at("producer.published=20*off->return").await;
    }
}
