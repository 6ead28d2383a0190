//! Checks in partitions, and results that come when theirs is gone. SQLite has none.

use std::sync::Arc;

use linkbeat_shared::{LinkSelection, RunId, Verdict};
use linkbeat_store::{NewRun, Recorded};
use uuid::Uuid;

use crate::consistent;
use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file, file_stored, new_run, record, results};

cases![
    partitions_are_made_ahead_once,
    runs_of_odd_times_are_kept_all_the_same,
    late_results_of_a_dropped_partition_are_refused_alone,
];

/// How many partitions there are, that for odd times not counted.
const PARTITIONS: &str = "SELECT count(*) - 1 FROM pg_inherits WHERE inhparent = 'checks'::regclass";

async fn partitions_are_made_ahead_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    assert_eq!(store.make_partitions().await.unwrap(), 0, "the migration made them");
    if database.kind == Kind::Sqlite {
        return;
    }
    assert_eq!(database.value(PARTITIONS).await.as_deref(), Some("5"));
    let last = "SELECT name FROM checks_partitions ORDER BY from_run DESC LIMIT 1";
    let last = database.value(last).await.unwrap();
    database
        .execute(&format!("DROP TABLE {last}; DELETE FROM checks_partitions WHERE name = '{last}'"))
        .await;
    assert_eq!(store.make_partitions().await.unwrap(), 1);
    assert_eq!(database.value(PARTITIONS).await.as_deref(), Some("5"));
    let bounds = "SELECT count(*) FROM checks_partitions a JOIN checks_partitions b ON a.to_run = b.from_run";
    assert_eq!(database.value(bounds).await.as_deref(), Some("4"), "no gaps");
}

async fn runs_of_odd_times_are_kept_all_the_same(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    for id in [Uuid::nil(), Uuid::max()] {
        let run = NewRun { id: RunId(id), ..new_run(LinkSelection::Stored) };
        let (filed, plan) = file(&store, run, 10).await;
        for _ in 0..2 {
            record(&store, filed.run.id, &plan.jobs, Verdict::Down).await;
        }
        assert_eq!(make::report_links(&store, filed.run.id).await.len(), 2);
    }
    if database.kind == Kind::Postgres {
        assert_eq!(database.value("SELECT count(*) FROM checks_other").await.as_deref(), Some("4"));
    }
    consistent::assert(&database).await;
}

async fn late_results_of_a_dropped_partition_are_refused_alone(database: Arc<TestDatabase>) {
    if database.kind == Kind::Sqlite {
        return;
    }
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (now, now_plan) = file_stored(&store).await;
    // As if filed in one of the coming weeks, whose partition is then dropped.
    let from_run = "SELECT max(from_run::text) FROM checks_partitions";
    let id: Uuid = database.value(from_run).await.unwrap().parse().unwrap();
    let (late, late_plan) = file(&store, NewRun { id: RunId(id), ..new_run(LinkSelection::Stored) }, 1).await;
    record(&store, late.run.id, &late_plan.jobs[..1], Verdict::Up).await;
    let name = "SELECT name FROM checks_partitions ORDER BY from_run DESC LIMIT 1";
    database.execute(&format!("DROP TABLE {}", database.value(name).await.unwrap())).await;

    let batch = [
        results(late.run.id, &late_plan.jobs[1], Verdict::Down),
        results(now, &now_plan.jobs[0], Verdict::Down),
        results(late.run.id, &late_plan.jobs[0], Verdict::Down),
    ];
    let recorded = store.record(&batch, make::judge()).await.unwrap();

    assert_eq!(recorded[0], Recorded::HistoryDropped);
    assert_eq!(recorded[2], Recorded::HistoryDropped, "also of a link that had its result");
    assert!(matches!(&recorded[1], Recorded::Stored { run_id, .. } if *run_id == now));
    assert_eq!(store.run(now).await.unwrap().unwrap().done, 1);
    let late = store.run(late.run.id).await.unwrap().unwrap();
    assert_eq!(late.done, 1, "what was counted stays counted");
    assert_eq!(make::counts(&store, late.id).await.up, 1);
    assert_eq!(database.value("SELECT count(*) FROM checks").await.as_deref(), Some("1"));
}
