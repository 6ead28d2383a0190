//! Answers that nobody takes, and those of others beside them.

use std::time::{Duration, Instant};

use linkbeat_broker::{BrokerSettings, Message, Queue, RabbitBroker, Target};
use linkbeat_shared::RunId;
use linkbeat_testbed::broker::{Fate, Watched};
use linkbeat_testbed::queues::{Queues, Raw};
use uuid::Uuid;

use crate::world::{PATIENCE, World};

/// More than there are places for.
const MANY: usize = 40;
/// A run's own answer, and a little for the places that others leave.
const SOON: Duration = Duration::from_secs(12);

fn is_reply(target: &Target) -> bool {
    matches!(target, Target::Reply(_))
}

/// Waits until so many answers were tried in vain. Events do not count.
async fn tried(broker: &Watched, to: &str, times: usize) {
    let of_asker = |target: &Target| matches!(target, Target::Reply(reply) if reply.queue == to);
    let mut held_back = broker.held_back.subscribe();
    let enough =
        held_back.wait_for(|targets| targets.iter().filter(|target| of_asker(target)).count() >= times);
    tokio::time::timeout(PATIENCE, enough).await.unwrap().unwrap();
}

#[tokio::test]
async fn askers_who_take_no_answer_hold_up_no_others() {
    let mut world = World::open().await;
    let broker = world.start_treated(|target| if is_reply(target) { Fate::Stuck } else { Fate::Through });
    for asker in 0..MANY {
        world.end_a_run_for(&format!("stuck-{asker}")).await;
    }
    let began = Instant::now();
    world.end_a_run_for("the last one").await;
    tried(&broker, "the last one", 1).await;
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    world.stop().await;
}

#[tokio::test]
async fn one_asker_with_many_runs_keeps_few_places() {
    let mut world = World::open().await;
    let broker = world.start_treated(|target| if is_reply(target) { Fate::Stuck } else { Fate::Through });
    world.end_a_run_for("stuck").await;
    tried(&broker, "stuck", 1).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut runs = Vec::new();
    for _ in 0..MANY {
        runs.push(world.end_a_run_for("stuck").await);
    }
    world.end_a_run_for("another").await;
    tried(&broker, "another", 1).await;
    let answers = broker.held_back.borrow().iter().filter(|target| is_reply(target)).count();
    assert_eq!(answers, 2, "the first answer, and that of the other asker");
    // Whoever listens to events hears of all of them soon.
    let told = |published: &[(Target, Message)], run: &RunId| {
        let run = run.0.to_string();
        published.iter().any(|(_, message)| String::from_utf8_lossy(&message.body).contains(&run))
    };
    let mut published = broker.published.subscribe();
    let all = published.wait_for(|published| runs.iter().all(|run| told(published, run)));
    tokio::time::timeout(PATIENCE, all).await.unwrap().unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_into_a_full_queue_holds_up_no_other() {
    let name = || format!("test-{}", Uuid::now_v7().simple());
    let (own, askers) = (Queues::shared(&name()), Queues::shared(&name()));
    askers.make("full", 1).await;
    askers.put("full", &[Raw::new("what was there before")]).await;
    askers.make("free", 100).await;
    let settings = BrokerSettings::new(own.url.parse().unwrap(), own.namespace.parse().unwrap(), "test");
    let mut world = World::on(RabbitBroker::connect(settings).await.unwrap(), "sqlite::memory:").await;
    world.start_watched();
    for _ in 0..5 {
        world.end_a_run_for(&askers.name("full")).await;
    }
    while world.broker.waiting(&Queue::RESULTS).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    world.end_a_run_for(&askers.name("free")).await;
    while askers.depth("free").await == 0 {
        assert!(began.elapsed() < PATIENCE, "no answer came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    world.stop().await;
    world.broker.close().await;
    for queue in ["full", "free"] {
        askers.delete(queue).await;
    }
    own.remove_all().await;
}
