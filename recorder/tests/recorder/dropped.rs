//! Results that come when the checks of their run are no longer kept. Only PostgreSQL drops history.

use linkbeat_broker::{Queue, Target};
use linkbeat_shared::{RunId, RunState};
use linkbeat_testbed::database::Database;
use linkbeat_testbed::eventually;
use uuid::Uuid;

use crate::world::World;

#[tokio::test]
async fn late_results_are_parked_with_their_job_and_others_are_stored() {
    let database = Database::create("linkbeat_recorder").await;
    let mut world = World::over(&database.url).await;
    let last = "SELECT from_run::text, name FROM checks_partitions ORDER BY from_run DESC LIMIT 1";
    let last = database.client().await.query_one(last, &[]).await.unwrap();
    let (begins, partition): (String, String) = (last.get(0), last.get(1));
    // As if filed in one of the coming weeks, whose partition is then dropped.
    let late = RunId(begins.parse::<Uuid>().unwrap());
    let late_job = world.file_as(late).await;
    let (now, now_job) = world.file().await;
    database.execute(&format!("DROP TABLE {partition}")).await;
    world.send(late, &late_job).await;
    world.send(now, &now_job).await;

    let watched = world.start_watched();
    world.recorded(now).await;
    let dead = Target::Queue(Queue::DEAD);
    let parked = eventually("they are parked", async || {
        let published = watched.published.borrow();
        published.iter().find(|(target, _)| *target == dead).map(|(_, message)| message.headers.texts())
    });
    let parked = parked.await;
    assert!(parked.iter().any(|(_, text)| text.contains("came too late")), "{parked:?}");
    let lacking = eventually("the run ends without them", async || {
        let run = world.store.run(late).await.unwrap().unwrap();
        (run.state == RunState::Incomplete).then_some(run.missing)
    });
    assert_eq!(lacking.await, 1);
    assert_eq!(database.number("SELECT count(*) FROM checks").await, 1);
    world.stop().await;
}
