//! Workers that are told to stop, one after the other, and come back: nothing is lost, and nothing is done
//! twice.

use crate::support::fleet::{CommandLine, Role};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_fleet_of_workers() {
    let mut world = World::open().await;
    // Jobs that workers hold would look lost to a reconciler as impatient as those of the other tests.
    world.start_as(Role::Producer, CommandLine::patient()).await;
    world.start(Role::Recorder).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        let few = CommandLine::default().arguments(&["--concurrency", "20"]);
        workers.push(world.start_as(Role::Worker, few).await);
    }
    world.submit(world.site.mix(0..600, 1_000)).await;
    for worker in workers {
        world.under_way(10).await;
        world.fleet.process(worker).signal("TERM");
        world.fleet.process(worker).stopped().await;
        world.restart(worker).await;
    }
    world.sound().await;
    assert_eq!(world.site.asked(), 600, "each link was checked once");
}
