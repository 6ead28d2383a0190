//! The jobs that wait to be published, or to be done.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{JobId, LinkSelection, Run, RunId, RunSize, RunState, Verdict};
use linkbeat_store::{OpenJobs, ParkingNotice, SharedStore, Unpublished, UnpublishedRun};
use uuid::Uuid;

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file_stored, new_run, record};

cases![
    jobs_leave_the_outbox_when_published_or_done,
    overdue_jobs_are_found,
    jobs_that_come_in_parts_are_not_overdue,
    jobs_come_in_pages,
    done_jobs_keep_their_row_but_not_their_body,
    jobs_of_cancelled_runs_are_never_listed,
    jobs_of_cancelled_runs_are_closed,
    results_of_closed_jobs_are_history,
    runs_with_unpublished_jobs_are_found,
    runs_that_somebody_publishes_are_left_alone,
    a_look_for_unpublished_jobs_passes_by_no_others,
];

const NOW: Duration = Duration::ZERO;

async fn unpublished(store: &SharedStore, which: Unpublished) -> Vec<UnpublishedRun> {
    store.unpublished_runs(which, 100).await.unwrap()
}

async fn ids(store: &SharedStore, which: OpenJobs) -> Vec<JobId> {
    store.open_jobs(which, None, 100).await.unwrap().into_iter().map(|job| job.id).collect()
}

async fn jobs_leave_the_outbox_when_published_or_done(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(4)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let (other, _) = file_stored(&store).await;
    let all: Vec<JobId> = plan.jobs.iter().map(|job| job.id).collect();
    assert_eq!(ids(&store, OpenJobs::OfRun(run)).await, all);
    assert_eq!(ids(&store, OpenJobs::UnpublishedOfRun(run)).await, all);

    store.mark_published(&[all[2], all[0], JobId::new()]).await.unwrap();
    assert_eq!(ids(&store, OpenJobs::OfRun(run)).await, all);
    assert_eq!(ids(&store, OpenJobs::UnpublishedOfRun(run)).await, [all[1], all[3]]);

    record(&store, run, &plan.jobs[..2], Verdict::Up).await;
    assert_eq!(ids(&store, OpenJobs::OfRun(run)).await, [all[2], all[3]]);
    assert_eq!(ids(&store, OpenJobs::UnpublishedOfRun(run)).await, [all[3]]);
    assert_eq!(ids(&store, OpenJobs::UnpublishedOfRun(other)).await.len(), 4);
    assert!(ids(&store, OpenJobs::OfRun(RunId::new())).await.is_empty());
}

async fn overdue_jobs_are_found(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let all: Vec<JobId> = plan.jobs.iter().map(|job| job.id).collect();
    let (now, minute) = (NOW, Duration::from_secs(60));

    assert!(ids(&store, OpenJobs::PublishedFor(now)).await.is_empty());

    store.mark_published(&all).await.unwrap();
    assert_eq!(ids(&store, OpenJobs::PublishedFor(now)).await, all);
    assert!(ids(&store, OpenJobs::PublishedFor(minute)).await.is_empty());

    // Publishing again starts the wait anew.
    tokio::time::sleep(Duration::from_millis(300)).await;
    store.mark_published(&all[..1]).await.unwrap();
    assert_eq!(ids(&store, OpenJobs::PublishedFor(Duration::from_millis(200))).await, all[1..]);

    record(&store, run, &plan.jobs, Verdict::Up).await;
    assert!(ids(&store, OpenJobs::PublishedFor(now)).await.is_empty());
}

async fn runs_with_unpublished_jobs_are_found(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (first, first_plan) = file_stored(&store).await;
    let (second, second_plan) = file_stored(&store).await;
    let Run { request_id, created_at, .. } = store.run(first).await.unwrap().unwrap();
    let minute = Duration::from_secs(60);

    let found = unpublished(&store, Unpublished::IdleFor(NOW)).await;
    assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(
        found[0],
        UnpublishedRun { id: first, request_id, created_at, size: RunSize::Small, begun: false, trace: None }
    );
    assert_eq!(store.unpublished_runs(Unpublished::IdleFor(NOW), 1).await.unwrap(), found[..1]);
    assert_eq!(unpublished(&store, Unpublished::OfRun(first)).await, found[..1]);
    assert!(unpublished(&store, Unpublished::IdleFor(minute)).await.is_empty());
    assert!(unpublished(&store, Unpublished::OfRun(RunId::new())).await.is_empty());

    store.mark_published(&[first_plan.jobs[0].id]).await.unwrap();
    assert!(unpublished(&store, Unpublished::OfRun(first)).await[0].begun);
    // What is done says as much as what is published.
    record(&store, first, &first_plan.jobs[..1], Verdict::Up).await;
    assert!(unpublished(&store, Unpublished::OfRun(first)).await[0].begun);

    for job in &first_plan.jobs[1..] {
        store.mark_published(&[job.id]).await.unwrap();
    }
    assert!(unpublished(&store, Unpublished::OfRun(first)).await.is_empty());
    record(&store, second, &second_plan.jobs, Verdict::Up).await;
    assert!(unpublished(&store, Unpublished::IdleFor(NOW)).await.is_empty());
}

async fn runs_that_somebody_publishes_are_left_alone(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let idle = Unpublished::IdleFor(Duration::from_millis(400));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(unpublished(&store, idle).await[0].id, run);
    store.mark_published(&[plan.jobs[0].id]).await.unwrap();
    assert!(unpublished(&store, idle).await.is_empty(), "the next one will come in a moment");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(unpublished(&store, idle).await[0].id, run, "nobody goes on with it");
}

async fn jobs_that_come_in_parts_are_not_overdue(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(6)).await.unwrap();
    let (filed, plan) = make::file(&store, new_run(LinkSelection::Stored), 3).await;
    let all: Vec<JobId> = plan.jobs.iter().map(|job| job.id).collect();
    store.mark_published(&all).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut part = make::results(filed.run.id, &plan.jobs[0], Verdict::Up);
    part.results.truncate(1);
    store.record(&[part], make::judge()).await.unwrap();
    assert_eq!(ids(&store, OpenJobs::OfRun(filed.run.id)).await, all);
    assert_eq!(ids(&store, OpenJobs::PublishedFor(Duration::from_millis(200))).await, all[1..]);
}

async fn jobs_come_in_pages(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(7)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.open_jobs(OpenJobs::OfRun(run), after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.push(page.len());
    }
    assert_eq!((seen, after), (vec![3, 3, 1], plan.jobs.last().map(|job| job.id)));
}

async fn done_jobs_keep_their_row_but_not_their_body(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..1], Verdict::Up).await;
    let of_state = |state| format!("SELECT count(*) FROM jobs WHERE state = '{state}'");
    let done = format!("{} AND body IS NULL AND links_done = 1", of_state("done"));
    assert_eq!(database.value(&done).await.as_deref(), Some("1"));
    let open = format!("{} AND body IS NOT NULL AND links_done = 0", of_state("open"));
    assert_eq!(database.value(&open).await.as_deref(), Some("1"));
}

async fn jobs_of_cancelled_runs_are_never_listed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (filed, plan) = make::file(&store, new_run(LinkSelection::Stored), 1).await;
    store.mark_published(&[plan.jobs[0].id]).await.unwrap();
    store.cancel_run(filed.run.id).await.unwrap();
    for which in
        [OpenJobs::OfRun(filed.run.id), OpenJobs::UnpublishedOfRun(filed.run.id), OpenJobs::PublishedFor(NOW)]
    {
        assert!(ids(&store, which).await.is_empty(), "{which:?}");
    }
    for which in [Unpublished::OfRun(filed.run.id), Unpublished::IdleFor(NOW)] {
        assert!(unpublished(&store, which).await.is_empty(), "{which:?}");
    }
}

async fn jobs_of_cancelled_runs_are_closed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(5)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let (other, _) = file_stored(&store).await;
    let all: Vec<JobId> = plan.jobs.iter().map(|job| job.id).collect();
    let close = async |after, limit| store.close_jobs(run, after, limit).await.unwrap();
    assert_eq!(close(None, 10).await, None, "it is running");
    assert_eq!(ids(&store, OpenJobs::OfRun(run)).await, all);

    store.cancel_run(run).await.unwrap();
    assert_eq!(close(None, 2).await, Some(all[1]));
    assert_eq!(close(Some(all[1]), 2).await, Some(all[3]));
    assert_eq!(close(Some(all[3]), 2).await, Some(all[4]));
    assert_eq!(close(Some(all[4]), 2).await, None);
    let left = "SELECT count(*) FROM jobs WHERE state = 'open'";
    assert_eq!(database.value(left).await.as_deref(), Some("5"), "those of the other run");
    assert_eq!(ids(&store, OpenJobs::OfRun(other)).await.len(), 5);
    let bodies = "SELECT count(*) FROM jobs WHERE body IS NOT NULL";
    assert_eq!(database.value(bodies).await.as_deref(), Some("5"));
}

async fn results_of_closed_jobs_are_history(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(4)).await.unwrap();
    let (filed, plan) = make::file(&store, new_run(LinkSelection::Stored), 2).await;
    let (run, job) = (filed.run.id, plan.jobs[0].id);
    store.cancel_run(run).await.unwrap();
    store.close_jobs(run, None, 10).await.unwrap();

    let notice =
        |parked| ParkingNotice { id: Uuid::now_v7(), job_id: job, parked, cause: "a cause".to_owned() };
    store.note_parkings(&[notice(true), notice(false), notice(false)]).await.unwrap();
    let mut part = make::results(run, &plan.jobs[0], Verdict::Down);
    part.results.truncate(1);
    store.record(&[part], make::judge()).await.unwrap();
    assert_eq!(store.run(run).await.unwrap().unwrap().done, 1);
    record(&store, run, &plan.jobs, Verdict::Down).await;

    let now = store.run(run).await.unwrap().unwrap();
    assert_eq!((now.state, now.done, now.missing), (RunState::Cancelled, 4, 0));
    assert_eq!(make::counts(&store, run).await.down, 4);
    let done = "SELECT count(*) FROM jobs WHERE state = 'done' AND links_done = 2";
    assert_eq!(database.value(done).await.as_deref(), Some("2"));
    assert!(store.links(None, 10).await.unwrap().iter().all(|link| link.state.shown));
}

/// Each of two looks is one step in an index.
async fn a_look_for_unpublished_jobs_passes_by_no_others(database: Arc<TestDatabase>) {
    // SQLite does not count how often it uses an index.
    if database.kind == Kind::Sqlite {
        return;
    }
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let worked_on = format!(
        "INSERT INTO jobs (id, run_id, kind, links, links_count, body, published_at)
         SELECT gen_random_uuid(), '{run}', 'check', '{{}}', 1, 'a job', clock_timestamp()
         FROM generate_series(1, 20000); ANALYZE jobs"
    );
    database.execute(&worked_on).await;
    let found = unpublished(&store, Unpublished::IdleFor(NOW)).await;
    assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
    assert_eq!(ids(&store, OpenJobs::UnpublishedOfRun(run)).await, [plan.jobs[0].id]);
    // The server counts what a connection did when that ends, at the latest.
    store.close().await;
    let used = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_unpublished'";
    for _ in 0..100 {
        if database.value(used).await.as_deref() == Some("2") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the index was not used");
}
