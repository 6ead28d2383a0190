//! Jobs that were parked, and runs that end incomplete.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{JobId, LinkSelection, RunState, Verdict};
use linkbeat_store::{OpenJobs, ParkingNotice};
use uuid::Uuid;

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file, file_stored, new_run, record};

cases![
    a_run_with_a_parked_job_ends_incomplete,
    results_finish_a_parked_job,
    a_notice_for_a_done_job_changes_nothing,
    notices_may_repeat_and_overtake_each_other,
    a_job_parked_twice_is_put_back_twice,
    the_parked_jobs_of_a_run_can_be_reopened,
    an_end_that_was_overtaken_is_announced_anew,
];

const NOW: Duration = Duration::ZERO;

fn parked(job_id: JobId) -> ParkingNotice {
    ParkingNotice { id: Uuid::now_v7(), job_id, parked: true, cause: "a panic".into() }
}

fn put_back(job_id: JobId) -> ParkingNotice {
    ParkingNotice { parked: false, ..parked(job_id) }
}

async fn a_run_with_a_parked_job_ends_incomplete(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(5)).await.unwrap();
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 3).await;
    let run = filed.run.id;
    store.mark_published(&[plan.jobs[0].id, plan.jobs[1].id]).await.unwrap();
    assert!(store.note_parkings(&[parked(plan.jobs[0].id)]).await.unwrap().is_empty());
    assert!(store.close_runs(10).await.unwrap().is_empty(), "the other job is open");
    assert_eq!(store.run(run).await.unwrap().unwrap().missing, 3);
    let open = store.open_jobs(OpenJobs::PublishedFor(NOW), None, 10).await.unwrap();
    assert_eq!(open.iter().map(|job| job.id).collect::<Vec<_>>(), [plan.jobs[1].id], "never published again");

    record(&store, run, &plan.jobs[1..], Verdict::Up).await;
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!(
        (closed.len(), closed[0].state, closed[0].done, closed[0].missing),
        (1, RunState::Incomplete, 2, 3)
    );
    assert!(closed[0].finished_at.is_some());
    assert!(store.close_runs(10).await.unwrap().is_empty());
    let report = store.summary(run).await.unwrap().unwrap();
    assert_eq!((report.state, report.missing, report.counts.up), (RunState::Incomplete, 3, 2));
    assert_eq!(database.value("SELECT missing FROM linkbeat_runs").await.as_deref(), Some("3"));
    let told = store.unannounced_runs(None, 10, NOW).await.unwrap();
    store.mark_announced(&told[0]).await.unwrap();

    store.note_parkings(&[put_back(plan.jobs[0].id)]).await.unwrap();
    let again = store.run(run).await.unwrap().unwrap();
    assert_eq!((again.state, again.missing, again.finished_at), (RunState::Running, 0, None));
    assert!(store.unannounced_runs(None, 10, NOW).await.unwrap().is_empty());
    record(&store, run, &plan.jobs[..1], Verdict::Up).await;
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!((closed[0].state, closed[0].done, closed[0].missing), (RunState::Finished, 5, 0));
    assert_eq!(store.unannounced_runs(None, 10, NOW).await.unwrap().len(), 1, "announced again");
}

async fn results_finish_a_parked_job(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 2).await;
    let (run, job) = (filed.run.id, &plan.jobs[0]);
    store.note_parkings(&[parked(job.id)]).await.unwrap();
    assert_eq!(store.close_runs(10).await.unwrap()[0].state, RunState::Incomplete);

    let mut part = make::results(run, job, Verdict::Up);
    part.results.truncate(1);
    store.record(&[part], make::judge()).await.unwrap();
    let now = store.run(run).await.unwrap().unwrap();
    assert_eq!((now.state, now.done, now.missing), (RunState::Incomplete, 1, 1));
    assert!(store.close_runs(10).await.unwrap().is_empty());
    record(&store, run, &plan.jobs, Verdict::Down).await;
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!((closed[0].state, closed[0].done, closed[0].missing), (RunState::Finished, 2, 0));
    assert_eq!(database.value("SELECT state FROM jobs").await.as_deref(), Some("done"));
}

async fn a_notice_for_a_done_job_changes_nothing(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Up).await;
    let job = plan.jobs[0].id;
    store.note_parkings(&[parked(job), put_back(job), put_back(job)]).await.unwrap();
    store.note_parkings(&[parked(job), parked(job)]).await.unwrap();
    assert_eq!(database.value("SELECT state FROM jobs").await.as_deref(), Some("done"));
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!((closed[0].state, closed[0].missing), (RunState::Finished, 0));

    let stranger = JobId::new();
    assert_eq!(store.note_parkings(&[parked(stranger), parked(job)]).await.unwrap(), [stranger]);
    assert!(store.note_parkings(&[]).await.unwrap().is_empty());
}

async fn notices_may_repeat_and_overtake_each_other(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (_, plan) = file_stored(&store).await;
    let job = plan.jobs[0].id;
    let (first, back, second) = (parked(job), put_back(job), parked(job));
    let state = async || database.value("SELECT state FROM jobs").await.unwrap();

    store.note_parkings(std::slice::from_ref(&back)).await.unwrap();
    assert_eq!(state().await, "open");
    store.note_parkings(&[first.clone(), first.clone()]).await.unwrap();
    assert_eq!(state().await, "open", "it was put back, which came first");
    store.note_parkings(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(state().await, "parked");
    for _ in 0..2 {
        store.note_parkings(&[back.clone(), second.clone(), first.clone()]).await.unwrap();
        assert_eq!(state().await, "parked", "repeats change nothing");
    }
    assert_eq!(database.value("SELECT parked FROM runs").await.as_deref(), Some("1"));
}

async fn a_job_parked_twice_is_put_back_twice(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (_, plan) = file_stored(&store).await;
    let job = plan.jobs[0].id;
    store.note_parkings(&[parked(job), parked(job)]).await.unwrap();
    store.note_parkings(&[put_back(job)]).await.unwrap();
    assert_eq!(database.value("SELECT state FROM jobs").await.as_deref(), Some("parked"), "one is left");
    store.note_parkings(&[put_back(job)]).await.unwrap();
    assert_eq!(database.value("SELECT state FROM jobs").await.as_deref(), Some("open"));
}

async fn the_parked_jobs_of_a_run_can_be_reopened(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let (other, other_plan) = file_stored(&store).await;
    let job = plan.jobs[0].id;
    store.note_parkings(&[parked(job), parked(job), parked(other_plan.jobs[0].id)]).await.unwrap();
    record(&store, run, &plan.jobs[1..], Verdict::Up).await;
    assert_eq!(store.close_runs(10).await.unwrap()[0].state, RunState::Incomplete);

    assert_eq!(store.reopen_parked(run).await.unwrap(), 1);
    assert_eq!(store.reopen_parked(run).await.unwrap(), 0);
    let now = store.run(run).await.unwrap().unwrap();
    assert_eq!((now.state, now.missing), (RunState::Running, 0));
    let open = store.open_jobs(OpenJobs::OfRun(run), None, 10).await.unwrap();
    assert_eq!(open.iter().map(|job| job.id).collect::<Vec<_>>(), [job]);
    assert_eq!(store.run(other).await.unwrap().unwrap().missing, 1, "another run's stay parked");
}

async fn an_end_that_was_overtaken_is_announced_anew(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    store.note_parkings(&[parked(plan.jobs[0].id)]).await.unwrap();
    store.close_runs(10).await.unwrap();
    let incomplete = store.unannounced_runs(None, 10, Duration::from_secs(60)).await.unwrap();
    assert_eq!(incomplete[0].run.state, RunState::Incomplete);
    // While that is told, the last result comes.
    record(&store, run, &plan.jobs, Verdict::Up).await;
    store.close_runs(10).await.unwrap();
    store.mark_announced(&incomplete[0]).await.unwrap();
    let told: Vec<_> = store.unannounced_runs(None, 10, NOW).await.unwrap();
    assert_eq!((told.len(), told[0].run.state), (1, RunState::Finished));
}
