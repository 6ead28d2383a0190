//! Workers that are told to stop and come back, and workers that take more and fewer jobs: nothing is lost, and nothing is
//! done twice.

use crate::support::fleet::{CommandLine, Role};
use crate::support::world::World;

/// A fleet with so many workers, and their places in it.
async fn fleet(workers: usize, concurrency: &str) -> (World, Vec<usize>) {
    let mut world = World::open().await;
    // Jobs that workers hold would look lost to a reconciler as impatient as those of the other tests.
    world.start_as(Role::Producer, CommandLine::patient()).await;
    world.start(Role::Recorder).await;
    let mut places = Vec::new();
    for _ in 0..workers {
        let command = CommandLine::default().arguments(&["--concurrency", concurrency]);
        places.push(world.start_as(Role::Worker, command).await);
    }
    (world, places)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_fleet_of_workers() {
    let (mut world, workers) = fleet(3, "20").await;
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

/// A worker takes fewer jobs by giving up consumers. RabbitMQ marks what is on its way to a consumer that is cancelled
/// as if a worker had lost it.
#[tokio::test(flavor = "multi_thread")]
async fn of_how_many_jobs_workers_take() {
    let (mut world, workers) = fleet(2, "512").await;
    // Slow links fill the slots, and fewer jobs are taken. Quick ones free them, and more are.
    for round in 0..3 {
        let first = round * 800;
        world.submit(world.site.mix(first..first + 500, 20)).await;
        world.submit(world.site.mix(first + 500..first + 800, 2_000)).await;
    }
    world.stored(1_000).await;
    world.fleet.process(workers[0]).signal("TERM");
    world.fleet.process(workers[0]).stopped().await;
    world.sound().await;
    assert_eq!(world.site.asked(), 3 * 800, "each link was checked once");
    for worker in workers {
        let log = world.fleet.process(worker).log();
        assert!(!log.contains("a job was lost"), "{log}");
    }
}
