//! Messages that nobody can handle: each is parked with its cause, and its neighbours are done.

use serde_json::json;

use crate::support::eventually;
use crate::support::fleet::{CommandLine, Role};
use crate::support::queues::Raw;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_parked() {
    let mut world = World::open().await;
    let mut members = Vec::new();
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        members.push(world.start(role).await);
    }
    let poison = |queue: &str| {
        let schema = queue.trim_end_matches('s');
        let schema = if queue == "results" { "results" } else { schema };
        vec![
            Raw::new("garbage"),
            Raw::new(""),
            Raw::new(vec![0xff; 100]),
            Raw::new(json!({ "schema": "somebody.else/1" }).to_string()),
            Raw::new(json!({ "schema": format!("linkbeat.{schema}/99") }).to_string()),
            Raw::new(json!({ "schema": format!("linkbeat.{schema}/1") }).to_string()),
            Raw::new(vec![b' '; 20 << 20]),
        ]
    };
    world.submit(world.site.mix(0..300, 300)).await;
    let mut put = 0;
    for queue in ["jobs", "results", "requests"] {
        let poison = poison(queue);
        world.queues.put(queue, &poison).await;
        put += poison.len();
    }
    eventually("all poison to be parked", async || {
        let parked = usize::try_from(world.queues.depth("dead").await).unwrap();
        assert!(parked <= put, "parked once each");
        (parked == put).then_some(())
    })
    .await;
    for parked in world.queues.browse("dead").await {
        assert!(parked.header("linkbeat-cause").is_some_and(|cause| !cause.is_empty()), "{parked:?}");
    }
    world.sound().await;
    for member in members {
        assert_eq!(world.fleet.process(member).ended(), None, "nobody died of it");
    }
}

/// The job whose check panics is tried again, then parked; its run says what it lacks, and is completed when
/// the bug is gone and the job is put back.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_panics_is_parked_and_its_neighbours_are_done() {
    let mut world = World::open().await;
    world.start(Role::Producer).await;
    world.start(Role::Recorder).await;
    let bug = CommandLine::default().variable("FAILPOINTS", "worker.check=return;worker.impatient=return");
    let worker = world.start_as(Role::Worker, bug).await;
    let mut links = world.site.mix(0..300, 50);
    links.push(world.site.special(301, "panic"));
    world.submit(links).await;
    let findings = world.sound().await;
    assert_eq!((findings.parked, findings.stored), (1, 300));
    assert_eq!(world.fleet.process(worker).ended(), None, "the worker goes on");
    world.fleet.process(worker).kill();
    world.restart(worker).await;
    completed_by_requeueing(&world).await;
}

/// Whoever takes the job is killed by it. It is parked, and the other jobs that its workers held are done.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_its_workers_is_parked_and_its_neighbours_are_done() {
    let mut world = World::open().await;
    // Copies of the deadly job would be parked as well.
    world.start_as(Role::Producer, CommandLine::patient()).await;
    world.start(Role::Recorder).await;
    let workers = [world.start(Role::Worker).await, world.start(Role::Worker).await];
    // So few links that each is a job of its own.
    let mut links = world.site.mix(0..100, 500);
    links.push(world.site.special(101, "deadly"));
    world.submit(links).await;
    eventually("the deadly job to be parked", async || {
        for worker in workers {
            if world.fleet.process(worker).ended().is_some() {
                world.revive(worker);
            }
        }
        (world.queues.depth("dead").await > 0).then_some(())
    })
    .await;
    assert!(world.site.killed() >= 2, "it was tried more than once: {}", world.site.killed());
    let findings = world.sound().await;
    assert_eq!((findings.parked, findings.stored), (1, 100));
    world.site.become_harmless();
    for worker in workers {
        if world.fleet.process(worker).ended().is_some() {
            world.restart(worker).await;
        }
    }
    completed_by_requeueing(&world).await;
}

async fn completed_by_requeueing(world: &World) {
    let incomplete = "SELECT count(*) FROM runs WHERE state = 'incomplete'";
    assert_eq!(world.database.number(incomplete).await, 1);
    let mut requeue = crate::support::fleet::linkbeat(world.folder());
    requeue.args(["dead", "requeue", "--all"]);
    world.configure(&mut requeue);
    let ended = requeue.output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let finished = "SELECT count(*) FROM runs WHERE state = 'finished' AND announced_at IS NOT NULL";
    eventually("the run to be completed", async || {
        (world.database.number(finished).await == 1).then_some(())
    })
    .await;
    let findings = world.sound().await;
    assert_eq!(findings.parked, 0);
    assert_eq!(usize::try_from(findings.stored).unwrap(), findings.links);
}
