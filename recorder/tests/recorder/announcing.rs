//! The ends of runs, told beside the recording.

use std::time::{Duration, Instant};

use linkbeat_broker::{Broadcast, Event, Target};
use linkbeat_shared::RunState;
use linkbeat_shared::wire::{CancelMessage, EventMessage, decode};
use linkbeat_testbed::broker::Fate;

use crate::world::{PATIENCE, World, first_stuck, trace};

#[tokio::test]
async fn an_announcement_that_takes_long_keeps_no_result_from_being_stored() {
    let mut world = World::open().await;
    let stuck = world.start_stuck();
    let (first, job) = world.file().await;
    world.send(first, &job).await;
    assert_eq!(first_stuck(&stuck).await, Target::Event("run.finished".to_owned()));
    for _ in 0..3 {
        let (run, job) = world.file().await;
        world.send(run, &job).await;
        world.recorded(run).await;
    }
    assert_eq!(world.store.run(first).await.unwrap().unwrap().state, RunState::Finished);

    let stopping = Instant::now();
    world.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(8), "the end is in sight: {:?}", stopping.elapsed());
}

/// As when nobody takes the answer to the one who asked for the first.
#[tokio::test]
async fn an_end_that_takes_long_to_tell_holds_up_no_other() {
    let mut world = World::open().await;
    let mut events = world.broker.events("run.finished").await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Listening)));
    let stuck = world.start_stuck();
    let (first, job) = world.file().await;
    world.send(first, &job).await;
    first_stuck(&stuck).await;
    stuck.treats(|_| Fate::Through);
    for _ in 0..3 {
        let (run, job) = world.file().await;
        world.send(run, &job).await;
        let event = tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap();
        let Some(Event::Published { message, .. }) = event else { panic!("no event") };
        assert_eq!(decode::<EventMessage>(&message.body).unwrap().run_id, run.0);
    }
    world.stop().await;
}

#[tokio::test]
async fn more_ends_than_can_be_told_at_once_are_told_all_the_same() {
    let mut world = World::open().await;
    let mut events = world.broker.events("run.cancelled").await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Listening)));
    let mut runs = std::collections::HashSet::new();
    for _ in 0..50 {
        let (run, _) = world.file().await;
        world.store.cancel_run(run).await.unwrap();
        runs.insert(run.0);
    }
    world.start_watched();
    while !runs.is_empty() {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
        let Some(Event::Published { message, .. }) = event else { panic!("no event") };
        runs.remove(&decode::<EventMessage>(&message.body).unwrap().run_id);
    }
    world.stop().await;
}

#[tokio::test]
async fn runs_that_wait_for_their_announcement_can_be_announced_by_others() {
    /// As many as are announced at once.
    const TOLD: usize = 16;
    let mut world = World::open().await;
    let mut runs = Vec::new();
    for _ in 0..TOLD + 2 {
        let (run, _) = world.file().await;
        world.store.cancel_run(run).await.unwrap();
        runs.push(run);
    }
    let stuck = world.start_stuck();
    assert_eq!(first_stuck(&stuck).await, Target::Broadcast);
    let others = world.store.unannounced_runs(None, 10, Duration::from_secs(60)).await.unwrap();
    let others: Vec<_> = others.into_iter().map(|told| told.run.id).collect();
    assert_eq!(others, runs[TOLD..], "the first ones are being told");
    world.stop().await;
}

#[tokio::test]
async fn what_the_last_results_ended_is_closed_before_the_recorder_stops() {
    let mut world = World::open().await;
    let _stuck = world.start_stuck();
    let (run, job) = world.file().await;
    world.send(run, &job).await;
    world.recorded(run).await;
    world.stop().await;
    assert_eq!(world.store.run(run).await.unwrap().unwrap().state, RunState::Finished);
}

#[tokio::test]
async fn a_recorder_for_one_run_leaves_the_ends_of_others_to_be_told() {
    let mut world = World::open().await;
    let (other, _) = world.file().await;
    let (finished, job) = world.file().await;
    let (own, _) = world.file().await;
    world.store.cancel_run(other).await.unwrap();
    world.start_only(own);
    world.send(finished, &job).await;
    world.recorded(finished).await;
    let mut told = world.broadcasts().await;
    assert_eq!(told.next().await, Some(Broadcast::CaughtUp));
    // As `linkbeat runs cancel` does in another process.
    world.store.cancel_run(own).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, told.next()).await.unwrap();
    let Some(Broadcast::Message(told)) = told else { panic!("{told:?}") };
    assert_eq!(decode::<CancelMessage>(&told.body).unwrap().run_id, own.0);
    world.stop().await;
    let open = world.store.close_jobs(own, None, 10).await.unwrap();
    assert_eq!(open, None, "its jobs were closed");
    let left = world.store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|told| told.run.id).collect();
    assert_eq!(left, [other, finished]);
}

#[tokio::test]
async fn the_end_of_a_run_carries_the_trace_of_its_request() {
    let mut world = World::open().await;
    let mut events = world.broker.events("run.finished").await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Listening)));
    let (run, job) = world.file().await;
    world.start_only(run);
    world.send(run, &job).await;
    let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
    let Some(Event::Published { message, .. }) = event else { panic!("no event") };
    assert_eq!(message.headers.trace, trace());
    world.stop().await;
}

#[tokio::test]
async fn the_end_of_a_run_is_announced_after_its_changes() {
    let mut world = World::open().await;
    let stuck = world.start_stuck();
    let (run, job) = world.file().await;
    world.send_failed(run, &job).await;
    assert_eq!(first_stuck(&stuck).await, Target::Event("link.hidden".to_owned()));
    // The recorder looks for ended runs twice a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(stuck.held_back.borrow().len(), 1, "nothing is announced before");
    assert_eq!(world.store.run(run).await.unwrap().unwrap().done, 1);
}
