//! Links that are looked at again before they are hidden.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{LinkId, LinkSelection, RecheckAfter, RunId, RunState, ShowRules, Verdict, derived_id};
use linkbeat_store::{
    JobKind, JobResults, NewRun, OpenJobs, ParkingNotice, PlannedJob, SharedStore, StoredJob,
};
use uuid::Uuid;

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, new_run, record, result};

cases![
    the_first_failure_files_a_recheck_and_nothing_else,
    the_second_look_decides,
    what_passes_at_first_is_not_looked_at_again,
    the_same_first_result_defers_once,
    a_recheck_is_published_until_it_is_due,
    the_rechecks_of_a_cancelled_run_are_left,
    a_recheck_can_be_parked,
    recorders_at_the_same_time_defer_once,
];

const AFTER: Duration = Duration::from_secs(600);

/// Files a run over all stored links, in one job, that looks again after ten minutes.
async fn file(store: &SharedStore) -> (RunId, PlannedJob) {
    let recheck_after = Some(RecheckAfter::try_from(AFTER).unwrap());
    let rules = ShowRules { recheck_after, ..ShowRules::default() };
    let (filed, mut plan) =
        make::file(store, NewRun { rules, ..new_run(LinkSelection::Stored) }, 1_000).await;
    (filed.run.id, plan.jobs.remove(0))
}

async fn rechecks(store: &SharedStore) -> Vec<StoredJob> {
    store.open_jobs(OpenJobs::Rechecks, None, 100).await.unwrap()
}

fn second_look(run_id: RunId, recheck: &StoredJob, link: LinkId, verdict: Verdict) -> JobResults {
    JobResults { run_id, job_id: recheck.id, results: vec![result(link, verdict)] }
}

async fn the_first_failure_files_a_recheck_and_nothing_else(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let before = store.links(None, 10).await.unwrap();
    let (run, job) = file(&store).await;

    let recorded = record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;

    assert_eq!(recorded, [make::nothing_changed(&store, run).await]);
    assert_eq!(store.links(None, 10).await.unwrap(), before, "the links are as they were");
    let now = store.run(run).await.unwrap().unwrap();
    assert_eq!((now.state, now.done, now.missing), (RunState::Running, 0, 0));
    assert!(store.close_runs(10).await.unwrap().is_empty(), "it waits for its rechecks");
    let report = store.summary(run).await.unwrap().unwrap();
    assert_eq!((report.to_recheck, report.counts.checked), (2, 0));
    assert_eq!(database.value("SELECT to_recheck FROM linkbeat_runs").await.as_deref(), Some("2"));
    let rechecks = rechecks(&store).await;
    assert_eq!(rechecks.len(), 2);
    for recheck in &rechecks {
        assert_eq!(recheck.kind, JobKind::Recheck);
        assert!(recheck.due_in <= AFTER && recheck.due_in > AFTER / 2, "{:?}", recheck.due_in);
        let (link, url) = make::recheck(recheck);
        assert_eq!(recheck.id, derived_id::recheck_job(run, link));
        let link = before.iter().find(|stored| stored.id == link).unwrap();
        assert_eq!(url, link.url.expose());
    }
    assert_eq!(database.value("SELECT count(*) FROM jobs WHERE state = 'done'").await.as_deref(), Some("1"));
}

async fn the_second_look_decides(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, job) = file(&store).await;
    record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;
    let rechecks = rechecks(&store).await;
    let links: Vec<LinkId> = rechecks.iter().map(|job| make::recheck(job).0).collect();

    let recovered = second_look(run, &rechecks[0], links[0], Verdict::Up);
    let failed = second_look(run, &rechecks[1], links[1], Verdict::Down);
    // In one batch with a repeat of the first look, and twice over.
    let first = make::results(run, &job, Verdict::Down);
    let batch = [first.clone(), failed.clone(), first, recovered, failed];
    for _ in 0..2 {
        store.record(&batch, make::judge()).await.unwrap();
    }

    assert_eq!(store.close_runs(10).await.unwrap()[0].state, RunState::Finished);
    let report = store.summary(run).await.unwrap().unwrap();
    assert_eq!(
        (report.to_recheck, report.counts.checked, report.counts.up, report.counts.down),
        (0, 2, 1, 1)
    );
    assert_eq!((report.counts.to_not_show, report.counts.to_show), (1, 0));
    let stored = store.links(None, 10).await.unwrap();
    let state = |id| &stored.iter().find(|link| link.id == id).unwrap().state;
    assert!(state(links[0]).shown && !state(links[1]).shown);
    assert!(state(links[1]).hidden_reason.is_some());
    assert_eq!(database.value("SELECT count(*) FROM jobs WHERE state <> 'done'").await.as_deref(), Some("0"));
}

async fn what_passes_at_first_is_not_looked_at_again(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, job) = file(&store).await;
    record(&store, run, std::slice::from_ref(&job), Verdict::Up).await;
    // The job was carried out twice, and the other worker saw the site down.
    record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;
    assert!(rechecks(&store).await.is_empty());
    assert_eq!(make::counts(&store, run).await.up, 1);
}

async fn the_same_first_result_defers_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, job) = file(&store).await;
    record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;
    let first = rechecks(&store).await;
    for verdict in [Verdict::Down, Verdict::Up] {
        let recorded = record(&store, run, &[job.clone(), job.clone()], verdict).await;
        assert_eq!(recorded[0], make::nothing_changed(&store, run).await);
    }
    let ids = |jobs: &[StoredJob]| jobs.iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(&rechecks(&store).await), ids(&first), "a recheck that was filed decides");
    assert_eq!(
        database.value("SELECT links_done FROM jobs WHERE kind = 'check'").await.as_deref(),
        Some("1")
    );
    assert_eq!(store.run(run).await.unwrap().unwrap().done, 0);
}

async fn a_recheck_is_published_until_it_is_due(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, job) = file(&store).await;
    record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;
    let recheck = rechecks(&store).await.remove(0);
    for which in [OpenJobs::UnpublishedOfRun(run), OpenJobs::RechecksOfRun(run)] {
        assert_eq!(store.open_jobs(which, None, 10).await.unwrap().len(), 1, "{which:?}");
    }
    store.mark_published(&[recheck.id]).await.unwrap();
    assert!(rechecks(&store).await.is_empty());
    let stale = async || store.open_jobs(OpenJobs::PublishedFor(Duration::ZERO), None, 10).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(stale().await.is_empty(), "it is not lost as long as it waits");
    database.execute("UPDATE jobs SET due_at = created_at").await;
    assert_eq!(stale().await.len(), 1);
    assert_eq!(stale().await[0].due_in, Duration::ZERO);
}

async fn the_rechecks_of_a_cancelled_run_are_left(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, job) = file(&store).await;
    let (first, second) = (job.links[0], job.links[1]);
    let of = |link| JobResults { run_id: run, job_id: job.id, results: vec![result(link, Verdict::Down)] };
    store.record(&[of(first)], make::judge()).await.unwrap();
    let recheck = rechecks(&store).await.remove(0);
    store.cancel_run(run).await.unwrap();

    assert!(rechecks(&store).await.is_empty());
    let report = store.summary(run).await.unwrap().unwrap();
    assert_eq!(report.to_recheck, 0, "nothing of it is looked at again");
    assert_eq!(database.value("SELECT to_recheck FROM linkbeat_runs").await.as_deref(), Some("0"));
    store
        .record(&[of(second), second_look(run, &recheck, first, Verdict::Down)], make::judge())
        .await
        .unwrap();
    assert!(store.links(None, 10).await.unwrap().iter().all(|link| link.state.shown));
    assert_eq!(store.run(run).await.unwrap().unwrap().done, 2, "what came is kept as history");
}

async fn a_recheck_can_be_parked(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, job) = file(&store).await;
    // The first job is parked when its results come: what it lacks moves to the rechecks.
    let notice = |job_id, parked| ParkingNotice { id: Uuid::now_v7(), job_id, parked, cause: String::new() };
    store.note_parkings(&[notice(job.id, true)]).await.unwrap();
    assert_eq!(store.close_runs(10).await.unwrap()[0].state, RunState::Incomplete);
    record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;
    let now = store.run(run).await.unwrap().unwrap();
    assert_eq!((now.state, now.missing), (RunState::Running, 0), "its rechecks are on their way");

    let both = rechecks(&store).await;
    store.note_parkings(&[notice(both[0].id, true), notice(both[1].id, true)]).await.unwrap();
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!((closed[0].state, closed[0].missing), (RunState::Incomplete, 2));
    assert!(rechecks(&store).await.is_empty());
    store.note_parkings(&[notice(both[0].id, false)]).await.unwrap();
    assert_eq!(store.run(run).await.unwrap().unwrap().missing, 1);
}

async fn recorders_at_the_same_time_defer_once(database: Arc<TestDatabase>) {
    const LINKS: usize = 30;
    let store = database.open().await;
    store.import_links(&make::links(LINKS)).await.unwrap();
    let (run, job) = file(&store).await;
    let mut recorders = Vec::new();
    for _ in 0..6 {
        let (store, job) = (database.open().await, job.clone());
        recorders.push(tokio::spawn(async move {
            record(&store, run, std::slice::from_ref(&job), Verdict::Down).await;
        }));
    }
    for recorder in recorders {
        recorder.await.unwrap();
    }
    assert_eq!(rechecks(&store).await.len(), LINKS);
    let done = database.value("SELECT links_done FROM jobs WHERE kind = 'check'").await;
    assert_eq!(done.as_deref(), Some("30"));
}
