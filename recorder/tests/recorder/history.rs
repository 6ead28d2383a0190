//! History beside the recording: rolled up and removed under a lease, by one of several recorders, and exactly once
//! whatever dies when. On both databases.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use linkbeat_recorder::HistoryPace;
use linkbeat_shared::history::{Keep, Zone};
use linkbeat_shared::{JobId, LinkId, RunId, RunState};
use linkbeat_store::{HistoryRules, ParkingNotice};
use linkbeat_testbed::database::Database;
use linkbeat_testbed::eventually;
use rand::Rng;
use tempfile::TempDir;
use tokio::time::sleep;
use uuid::{Builder, Uuid};

use crate::world::World;

/// What takes a minute or an hour otherwise.
const QUICK: HistoryPace = HistoryPace {
    every: Duration::from_millis(20),
    due_after: Duration::ZERO,
    lease: Duration::from_millis(300),
};
const KEEP_ALL: HistoryRules = HistoryRules { zone: Zone::UTC, checks: None, runs: None, hours: None };
const LINKS: usize = 3;

/// A database that several processes may open.
enum Place {
    Sqlite(TempDir),
    Postgres(Database),
}

impl Place {
    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("a.db").display()),
            Self::Postgres(database) => database.url.clone(),
        }
    }

    async fn world(&self) -> World {
        World::over(&self.url()).await
    }

    /// Makes the partition of the week of this moment, as if it had been made ahead.
    async fn make_partition(&self, at: DateTime<Utc>) {
        let Self::Postgres(database) = self else { return };
        let monday = at.date_naive().week(chrono::Weekday::Mon).first_day();
        let bounds = format!(
            "first_run_id('{monday} 00:00Z'), first_run_id(timestamptz '{monday} 00:00Z' + interval '7 days')"
        );
        let make = format!(
            "DO $$ DECLARE least uuid; beyond uuid; BEGIN
                 SELECT * INTO least, beyond FROM (SELECT {bounds}) b;
                 CREATE TABLE checks_old (LIKE checks);
                 EXECUTE format('ALTER TABLE checks ATTACH PARTITION checks_old FOR VALUES FROM (%L) TO (%L)', least, beyond);
                 INSERT INTO checks_partitions VALUES ('checks_old', least, beyond);
             END $$"
        );
        database.execute(&make).await;
    }
}

macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Place::Sqlite(tempfile::tempdir().unwrap())).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let database = linkbeat_testbed::database::Database::create("linkbeat_recorder").await;
                super::$case(super::Place::Postgres(database)).await;
            })*
        }
    };
}

on_both![
    what_has_ended_is_rolled_up_and_what_is_old_goes,
    of_two_recorders_one_does_it,
    a_late_result_makes_its_day_anew,
    whatever_dies_when_each_check_counts_once,
];

/// How many checks the days of a link have, by what they came to.
async fn counted(world: &World, link: LinkId) -> u64 {
    let (from, until) = ("1970-01-01".parse().unwrap(), "2999-01-01".parse().unwrap());
    let days = world.store.link_days(link, Zone::UTC, from, until, 100).await.unwrap();
    days.iter().map(|day| day.summary.counts.all()).sum()
}

/// The links that [`World::know_links`] knows.
async fn links(world: &World) -> Vec<LinkId> {
    world.store.links(None, 100).await.unwrap().iter().map(|link| link.id).collect()
}

/// Waits until somebody finds from now on that nothing is left to roll up.
async fn rolled_up(world: &World) {
    let since = Utc::now();
    eventually("everything to be rolled up", async || {
        let status = world.store.history_status().await.unwrap();
        (status.to_roll_up == 0 && status.rolled_at.is_some_and(|at| at > since)).then_some(())
    })
    .await;
}

async fn what_has_ended_is_rolled_up_and_what_is_old_goes(place: Place) {
    let mut world = place.world().await;
    let long_ago = Utc::now() - TimeDelta::days(100);
    place.make_partition(long_ago).await;
    let millis = u64::try_from(long_ago.timestamp_millis()).unwrap();
    let old = RunId(Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid());
    let old_job = world.file_as(old).await;
    let (new, new_job) = world.file().await;
    world.send(old, &old_job).await;
    world.send(new, &new_job).await;
    world.start_keeping(QUICK, HistoryRules { checks: Some(Keep::days(90)), ..KEEP_ALL });
    let removed = eventually("the old check to be removed", async || {
        world.store.clean_ups().await.unwrap().1.filter(|last| !last.removed.is_nothing())
    });
    removed.await;
    rolled_up(&world).await;
    assert_eq!(world.store.history_status().await.unwrap().checks, 1, "the new one stays");
    for (run, job) in [(old, old_job), (new, new_job)] {
        assert_eq!(counted(&world, job.links[0]).await, 1, "its day stays");
        let summary = world.store.summary(run).await.unwrap().unwrap();
        assert_eq!((summary.state, summary.counts.up), (RunState::Finished, 1), "its counts stay");
    }
    world.stop().await;
}

async fn of_two_recorders_one_does_it(place: Place) {
    let (mut first, mut second) = (place.world().await, place.world().await);
    for _ in 0..40 {
        first.know_links(LINKS).await;
    }
    first.start_keeping(QUICK, KEEP_ALL);
    second.start_keeping(QUICK, KEEP_ALL);
    rolled_up(&first).await;
    for link in links(&first).await {
        assert_eq!(counted(&first, link).await, 40);
    }
    // Whoever has the lease keeps it, and when that recorder ends, the other one goes on.
    let third = Uuid::now_v7();
    for _ in 0..10 {
        assert!(!first.store.lease("history", third, QUICK.lease).await.unwrap(), "one of them has it");
        sleep(QUICK.lease / 10).await;
    }
    first.stop().await;
    second.know_links(LINKS).await;
    rolled_up(&second).await;
    assert_eq!(counted(&second, links(&second).await[0]).await, 41);
    second.stop().await;
}

async fn a_late_result_makes_its_day_anew(place: Place) {
    let mut world = place.world().await;
    let (run, jobs) = world.file_links(2).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    world.store.mark_published(&ids).await.unwrap();
    let parked = ParkingNotice { id: Uuid::now_v7(), job_id: ids[1], parked: true, cause: "a panic".into() };
    world.store.note_parkings(&[parked]).await.unwrap();
    world.start_keeping(QUICK, KEEP_ALL);
    world.send(run, &jobs[0]).await;
    eventually("the run to end without the other result", async || {
        let run = world.store.run(run).await.unwrap().unwrap();
        (run.state == RunState::Incomplete).then_some(())
    })
    .await;
    rolled_up(&world).await;
    assert_eq!((counted(&world, jobs[0].links[0]).await, counted(&world, jobs[1].links[0]).await), (1, 0));

    world.send(run, &jobs[1]).await;
    eventually("the late result to be stored", async || {
        (world.store.run(run).await.unwrap().unwrap().done == 2).then_some(())
    })
    .await;
    // It counts at once, and once: before and after its day is made anew.
    for _ in 0..20 {
        assert_eq!(
            (counted(&world, jobs[0].links[0]).await, counted(&world, jobs[1].links[0]).await),
            (1, 1)
        );
        sleep(QUICK.every).await;
    }
    rolled_up(&world).await;
    world.stop().await;
}

async fn whatever_dies_when_each_check_counts_once(place: Place) {
    const RUNS: u64 = 150;
    let mut world = place.world().await;
    for _ in 0..RUNS {
        world.know_links(LINKS).await;
    }
    let links = links(&world).await;
    for _ in 0..6 {
        world.start_keeping(QUICK, KEEP_ALL);
        // Until the lease of the one before has ended, and then into the middle of a step.
        sleep(QUICK.lease + Duration::from_millis(rand::rng().random_range(0..80))).await;
        world.abort().await;
        for link in &links {
            assert_eq!(counted(&world, *link).await, RUNS);
        }
    }
    world.start_keeping(QUICK, KEEP_ALL);
    rolled_up(&world).await;
    for link in &links {
        assert_eq!(counted(&world, *link).await, RUNS);
    }
    world.stop().await;
}
