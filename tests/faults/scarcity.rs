//! A worker that may open 256 files, among others that may open more.

use crate::support::fleet::{CommandLine, Role};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn few_descriptors_are_never_a_verdict() {
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    world.start(Role::Recorder).await;
    let few =
        CommandLine::default().through(&["prlimit", "--nofile=256"]).arguments(&["--concurrency", "2000"]);
    let worker = world.start_as(Role::Worker, few).await;
    world.submit(world.site.mix(0..600, 300)).await;
    world.sound().await;
    let usage = world.fleet.process(worker).usage().unwrap();
    assert!(usage.descriptors <= 256, "{usage:?}");
}
