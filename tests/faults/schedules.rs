//! Producers that file the runs of schedules are killed: each tick is one run.

use std::time::Duration;

use linkbeat_testbed::command::run;

use crate::support::eventually;
use crate::support::fleet::{Role, linkbeat};
use crate::support::world::World;

/// Schedules, each of which ticks every two seconds.
const SCHEDULES: usize = 20;
/// How often the producer that has the lease is killed.
const KILLED: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn each_tick_is_one_run_while_leaders_are_killed() {
    let mut world = World::open().await;
    let producers = [
        world.start(Role::Producer).await,
        world.start(Role::Producer).await,
        world.start(Role::Producer).await,
    ];
    for n in 0..SCHEDULES {
        let mut command = linkbeat(world.folder());
        world.configure(&mut command);
        let name = format!("schedule {n}");
        run(command.args(["schedule", "add", &name, "--every", "2s", "--overlap", "allow"])).expect(0);
    }
    let fired = async |world: &World| world.database.number("SELECT sum(fired)::bigint FROM schedules").await;
    for round in 0..KILLED {
        let before = fired(&world).await;
        eventually("ticks", async || (fired(&world).await >= before + 40).then_some(())).await;
        // One of three is the leader. After the second round it was killed at least once.
        for producer in [round % 3, (round + 1) % 3] {
            world.fleet.process(producers[producer]).kill();
        }
        for producer in [round % 3, (round + 1) % 3] {
            world.restart(producers[producer]).await;
        }
    }
    let before = fired(&world).await;
    eventually("ticks after the last kill", async || (fired(&world).await >= before + 40).then_some(()))
        .await;
    world.database.execute("UPDATE schedules SET state = 'paused'").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let number = async |query: &str| world.database.number(query).await;
    let ticks = number("SELECT count(*) FROM ticks").await;
    assert_eq!(
        number("SELECT count(*) FROM ticks WHERE outcome = 'fired'").await,
        ticks,
        "none was missed or failed"
    );
    assert_eq!(number("SELECT count(*) FROM runs").await, ticks, "a run for each tick, and no other");
    assert_eq!(number("SELECT count(DISTINCT run_id) FROM ticks").await, ticks);
    assert_eq!(fired(&world).await, ticks);
    let gaps = "SELECT count(*) FROM (SELECT due_at - lag(due_at) OVER (PARTITION BY schedule_id ORDER BY due_at) AS step
                                      FROM ticks) t WHERE step <> interval '2 seconds'";
    assert_eq!(number(gaps).await, 0, "no tick was left out");
}
