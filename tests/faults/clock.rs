//! Workers whose clocks are an hour off: order and times come from the database.

use crate::support::fleet::{CommandLine, Role};
use crate::support::ledger::Request;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_off_on_one_worker() {
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    world.start(Role::Recorder).await;
    let ahead = world.start_as(Role::Worker, CommandLine::default().clock_off("+1h")).await;
    world.submit(world.site.mix(0..200, 20)).await;
    world.sound().await;
    // The same links, found otherwise by a worker of an hour before.
    world.fleet.process(ahead).kill();
    world.start_as(Role::Worker, CommandLine::default().clock_off("-1h")).await;
    let links = world.site.mix(0..200, 20);
    world.submit_request(Request { accept: vec![200, 404, 500], ..Request::of(links) }).await;
    world.sound().await;
    let impossible = "SELECT count(*) FROM checks JOIN runs ON runs.id = run_id
                      WHERE checked_at < created_at OR checked_at > clock_timestamp()";
    assert_eq!(
        world.database.number(impossible).await,
        0,
        "no check ended before its run began, or after now"
    );
}
