//! A worker that is stopped for longer than a link may take: no verdict comes of it.

use std::time::Duration;

use crate::support::fleet::{CommandLine, Role};
use crate::support::ledger::Request;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_hides_nothing() {
    let mut world = World::open().await;
    // What a stopped worker holds would look lost to a reconciler as impatient as those of the other tests.
    world.start_as(Role::Producer, CommandLine::patient()).await;
    world.start(Role::Recorder).await;
    let worker = world.start(Role::Worker).await;
    let links = (0..300).map(|number| world.site.link(number, 200, 1_000)).collect();
    world.submit_request(Request { timeout_ms: 2_000, ..Request::of(links) }).await;
    world.under_way(100).await;
    world.fleet.process(worker).signal("STOP");
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.fleet.process(worker).signal("CONT");
    world.sound().await;
}
