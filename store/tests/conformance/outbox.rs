//! The jobs that wait to be published, or to be done.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{JobId, RunId, Verdict};
use linkbeat_store::{OpenJobs, RunLinks, SharedStore};

use crate::database::TestDatabase;
use crate::make::{self, file_stored, new_run, record};

cases![
    jobs_leave_the_outbox_when_published_or_done,
    overdue_jobs_are_found,
    jobs_come_in_pages,
    done_jobs_keep_their_row_but_not_their_body,
    jobs_of_cancelled_runs_are_never_listed,
];

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
    let (now, minute) = (Duration::ZERO, Duration::from_secs(60));

    assert_eq!(ids(&store, OpenJobs::UnpublishedFor(now)).await, all);
    assert!(ids(&store, OpenJobs::UnpublishedFor(minute)).await.is_empty());
    assert!(ids(&store, OpenJobs::PublishedFor(now)).await.is_empty());

    store.mark_published(&all).await.unwrap();
    assert!(ids(&store, OpenJobs::UnpublishedFor(now)).await.is_empty());
    assert_eq!(ids(&store, OpenJobs::PublishedFor(now)).await, all);
    assert!(ids(&store, OpenJobs::PublishedFor(minute)).await.is_empty());

    // Publishing again starts the wait anew.
    tokio::time::sleep(Duration::from_millis(300)).await;
    store.mark_published(&all[..1]).await.unwrap();
    assert_eq!(ids(&store, OpenJobs::PublishedFor(Duration::from_millis(200))).await, all[1..]);

    record(&store, run, &plan.jobs, Verdict::Up).await;
    assert!(ids(&store, OpenJobs::PublishedFor(now)).await.is_empty());
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
    let (filed, plan) = make::file(&store, new_run(RunLinks::Stored), 1).await;
    store.mark_published(&[plan.jobs[0].id]).await.unwrap();
    store.cancel_run(filed.run.id).await.unwrap();
    let now = Duration::ZERO;
    for which in [
        OpenJobs::OfRun(filed.run.id),
        OpenJobs::UnpublishedOfRun(filed.run.id),
        OpenJobs::UnpublishedFor(now),
        OpenJobs::PublishedFor(now),
    ] {
        assert!(ids(&store, which).await.is_empty(), "{which:?}");
    }
}
