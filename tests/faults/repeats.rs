//! Every message three times, in any order.

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::eventually;
use crate::support::fleet::Role;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn three_of_each_shuffled() {
    let (mut world, mut random) = (World::open().await, StdRng::seed_from_u64(3));
    let producer = world.start(Role::Producer).await;
    // Two runs over the same links, so that an older run's results may come after a newer one's.
    for accept in [vec![200], vec![200, 404]] {
        let links = world.site.mix(0..200, 10);
        world.submit_request(crate::support::ledger::Request { accept, ..of(links) }).await;
    }
    let published = "SELECT count(*) FROM jobs WHERE published_at IS NOT NULL";
    eventually("all jobs to be published", async || {
        (world.database.number(published).await == 200).then_some(())
    })
    .await;
    // The reconciler would be right to see a loss while the copies are on their way.
    world.fleet.process(producer).kill();
    world.queues.repeat("requests", 10, 3, &mut random).await;
    // At least: an ack that comes just before its connection ends may be lost.
    assert_eq!(world.queues.repeat("jobs", 1_000, 3, &mut random).await, 200);
    world.start(Role::Worker).await;
    eventually("all results", async || (world.queues.depth("results").await >= 600).then_some(())).await;
    assert!(world.queues.repeat("results", 1_000, 3, &mut random).await >= 600);
    world.start(Role::Recorder).await;
    world.restart(producer).await;
    world.sound().await;
    eventually("all repeats to be read", async || (world.queues.depth("results").await == 0).then_some(()))
        .await;
    world.sound().await;
}

fn of(links: Vec<crate::support::site::Link>) -> crate::support::ledger::Request {
    crate::support::ledger::Request::of(links)
}
