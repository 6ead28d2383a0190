//! What results only proposed: carried out as soon as it is clear, told before the end, and lost by no crash.

use std::sync::Arc;

use linkbeat_broker::Target;
use linkbeat_recorder::Rules;
use linkbeat_shared::{Decision, RunId, RunState};
use linkbeat_store::PlannedJob;
use linkbeat_testbed::broker::Watched;
use linkbeat_testbed::eventually;

use crate::world::{World, first_stuck, trace};

/// Ten of these that change alike hold a run back.
const LINKS: usize = 12;

/// The events that were published, each with the trace of its run.
fn events(watched: &Watched) -> Vec<String> {
    let published = watched.published.borrow();
    let events = published.iter().filter_map(|(target, message)| match target {
        Target::Event(event) => {
            assert_eq!(message.headers.trace, trace(), "{event}");
            Some(event.clone())
        }
        _ => None,
    });
    events.collect()
}

async fn told(watched: &Watched, last: &str) -> Vec<String> {
    let events = eventually("the end is told", async || {
        let events = events(watched);
        events.last().is_some_and(|event| event == last).then_some(events)
    });
    events.await
}

/// Sends results of which the first so many failed.
async fn send(world: &World, (run, jobs): &(RunId, Vec<PlannedJob>), failed: usize) {
    for (number, job) in jobs.iter().enumerate() {
        if number < failed {
            world.send_failed(*run, job).await;
        } else {
            world.send(*run, job).await;
        }
    }
}

#[tokio::test]
async fn what_is_not_held_back_is_told_before_the_end() {
    let mut world = World::open().await;
    world.know_links(LINKS).await;
    let run = world.file_links(LINKS).await;
    let watched = world.start_watched();
    send(&world, &run, 3).await;
    assert_eq!(
        told(&watched, "run.finished").await,
        ["link.hidden", "link.hidden", "link.hidden", "run.finished"]
    );
    world.stop().await;
    assert!(world.store.untold_changes(None, 10).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_held_back_is_told_when_it_is_applied() {
    let mut world = World::open().await;
    world.know_links(LINKS).await;
    let run = world.file_links(LINKS).await;
    let watched = world.start_watched();
    send(&world, &run, LINKS).await;
    assert_eq!(told(&watched, "run.held_back").await, ["run.held_back"]);
    // The recorder carries it out, also if whoever decided is gone.
    world.store.decide_run(run.0, Decision::Applied).await.unwrap();
    let expected = [vec!["run.held_back"], vec!["link.hidden"; LINKS], vec!["run.finished"]].concat();
    assert_eq!(told(&watched, "run.finished").await, expected);
    world.stop().await;
}

#[tokio::test]
async fn what_one_recorder_carried_out_and_did_not_tell_another_one_tells() {
    let mut world = World::open().await;
    world.know_links(LINKS).await;
    let run = world.file_links(LINKS).await;
    let stuck = world.start_stuck();
    send(&world, &run, 3).await;
    assert_eq!(first_stuck(&stuck).await, Target::Event("link.hidden".to_owned()));
    world.stop().await;
    let shown = world.store.links(None, 100).await.unwrap().into_iter().filter(|link| link.state.shown);
    assert_eq!(shown.count(), LINKS - 3, "it was carried out");
    let watched = world.start_watched();
    assert_eq!(
        told(&watched, "run.finished").await,
        ["link.hidden", "link.hidden", "link.hidden", "run.finished"]
    );
    assert_eq!(world.store.run(run.0).await.unwrap().unwrap().state, RunState::Finished);
    world.stop().await;
}

/// A recorder for one run neither carries out nor tells what others propose.
#[tokio::test]
async fn a_recorder_for_one_run_leaves_the_proposals_of_others() {
    let mut world = World::open().await;
    world.know_links(LINKS).await;
    let other = world.file_links(LINKS).await;
    let (own, job) = world.file().await;
    world.start_only(own);
    send(&world, &other, 3).await;
    world.send(own, &job).await;
    eventually("its own run is closed", async || {
        let run = world.store.run(own).await.unwrap().unwrap();
        (run.state == RunState::Finished).then_some(())
    })
    .await;
    world.stop().await;
    assert_eq!(world.store.run(other.0).await.unwrap().unwrap().state, RunState::Running);
    assert!(world.store.settle(None, 10, Arc::new(Rules)).await.unwrap(), "they are left");
}
