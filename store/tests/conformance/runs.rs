//! The life of runs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_shared::{LinkSelection, RequestId, RunId, RunState, Verdict};
use linkbeat_store::{KeptRequest, NewRun, Next, Recorded, Unannounced};

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file_stored, new_run, record};

cases![
    what_a_run_was_asked_is_kept,
    a_run_ends_with_its_last_result,
    each_run_is_closed_once,
    ends_are_announced_once,
    complete_runs_are_ended_and_claimed_in_one_step,
    what_may_be_held_back_is_not_ended_in_one_step,
    the_end_of_one_run_can_be_asked_for,
    an_end_that_cannot_be_told_keeps_no_other_waiting,
    the_latest_runs_come_first,
    only_running_runs_are_cancelled,
    what_was_stored_is_there_after_reopening,
];

async fn a_run_ends_with_its_last_result(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..1], Verdict::Up).await;
    assert!(store.close_runs(10).await.unwrap().is_empty());
    record(&store, run, &plan.jobs[1..], Verdict::Up).await;
    let recorded_at = Utc::now();

    tokio::time::sleep(Duration::from_millis(50)).await;
    let closed = store.close_runs(10).await.unwrap();

    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].id, closed[0].state, closed[0].done), (run, RunState::Finished, 2));
    let finished_at = closed[0].finished_at.unwrap();
    assert!(finished_at >= closed[0].created_at && finished_at <= recorded_at, "{finished_at} {recorded_at}");
    assert_eq!(store.run(run).await.unwrap().unwrap().finished_at, Some(finished_at));
    assert!(store.close_runs(10).await.unwrap().is_empty());
}

async fn each_run_is_closed_once(database: Arc<TestDatabase>) {
    const RUNS: usize = 20;
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let mut runs = HashSet::new();
    for _ in 0..RUNS {
        let (run, plan) = file_stored(&store).await;
        record(&store, run, &plan.jobs, Verdict::Up).await;
        runs.insert(run);
    }
    let mut recorders = Vec::new();
    for _ in 0..6 {
        let store = database.open().await;
        recorders.push(tokio::spawn(async move {
            let mut closed = Vec::new();
            for _ in 0..RUNS {
                let now = store.close_runs(3).await.unwrap();
                assert!(now.len() <= 3);
                closed.extend(now.into_iter().map(|run| run.id));
            }
            closed
        }));
    }
    let mut closed: Vec<RunId> = Vec::new();
    for recorder in recorders {
        closed.extend(recorder.await.unwrap());
    }
    assert_eq!(closed.len(), RUNS);
    assert_eq!(closed.into_iter().collect::<HashSet<_>>(), runs);
}

async fn ends_are_announced_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (run, plan) = file_stored(&store).await;
        runs.push(run);
        assert!(store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap().is_empty());
        record(&store, run, &plan.jobs, Verdict::Up).await;
    }
    store.close_runs(10).await.unwrap();
    let claim = async |limit, hold| store.unannounced_runs(None, limit, hold).await.unwrap();
    let ids = |claimed: &[Unannounced]| claimed.iter().map(|told| told.run.id).collect::<Vec<_>>();
    let first = claim(10, Duration::ZERO).await;
    assert_eq!(ids(&first), runs);
    let second = claim(2, Duration::from_secs(60)).await;
    assert_eq!(ids(&second), runs[..2]);
    assert_eq!(ids(&claim(10, Duration::ZERO).await), runs[2..], "the others are claimed");
    store.mark_announced(&first[0]).await.unwrap();
    store.mark_announced(&second[1]).await.unwrap();
    database.execute("UPDATE runs SET claimed_until = NULL").await;
    let left = claim(10, Duration::ZERO).await;
    assert_eq!(ids(&left), [runs[0], runs[2]], "a claim that was taken over marks nothing");
}

async fn complete_runs_are_ended_and_claimed_in_one_step(database: Arc<TestDatabase>) {
    const HOLD: Duration = Duration::from_secs(60);
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let next = |recorded: &[Recorded]| match recorded {
        [Recorded::Stored { next, .. }] => *next,
        other => panic!("{other:?}"),
    };
    let first = record(&store, run, &plan.jobs[..1], Verdict::Down).await;
    assert_eq!(next(&first), Next::Nothing);
    assert!(store.end_runs(&[run], HOLD).await.unwrap().is_empty(), "a result lacks");
    let last = record(&store, run, &plan.jobs[1..], Verdict::Up).await;
    assert_eq!(next(&last), Next::End);

    let ended = store.end_runs(&[run, RunId::new()], HOLD).await.unwrap();

    assert_eq!(ended.len(), 1);
    assert_eq!((ended[0].run.id, ended[0].run.state, ended[0].run.done), (run, RunState::Finished, 2));
    assert_eq!(Some(&ended[0].summary), store.summary(run).await.unwrap().as_ref());
    assert_eq!(store.run(run).await.unwrap().unwrap().finished_at, ended[0].run.finished_at);
    assert!(ended[0].run.finished_at.is_some());
    assert!(store.end_runs(&[run], HOLD).await.unwrap().is_empty(), "it has ended");
    assert!(store.close_runs(10).await.unwrap().is_empty());
    assert!(store.unannounced_runs(None, 10, HOLD).await.unwrap().is_empty(), "it is claimed");
    let repeated = record(&store, run, &plan.jobs[1..], Verdict::Up).await;
    assert_ne!(next(&repeated), Next::End);
    store.mark_announced(&ended[0]).await.unwrap();
    database.execute("UPDATE runs SET claimed_until = NULL").await;
    assert!(store.unannounced_runs(None, 10, HOLD).await.unwrap().is_empty(), "it is told");
}

async fn what_may_be_held_back_is_not_ended_in_one_step(database: Arc<TestDatabase>) {
    const HOLD: Duration = Duration::from_secs(60);
    let store = database.open().await;
    store.import_links(&make::links(20)).await.unwrap();
    // Checked once, so that a later run may be held back.
    for verdict in [Verdict::Up, Verdict::Down] {
        let (run, plan) = file_stored(&store).await;
        let recorded = record(&store, run, &plan.jobs, verdict).await;
        let look = recorded.iter().all(|r| matches!(r, Recorded::Stored { next: Next::Look, .. }));
        assert_eq!(look, verdict == Verdict::Down, "{recorded:?}");
        assert_eq!(store.end_runs(&[run], HOLD).await.unwrap().len(), usize::from(!look));
    }
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!(closed.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::HeldBack]);
    let told = store.unannounced_runs(None, 10, HOLD).await.unwrap();
    assert_eq!(Some(&told[0].summary), store.summary(told[0].run.id).await.unwrap().as_ref());
}

async fn the_end_of_one_run_can_be_asked_for(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(file_stored(&store).await.0);
    }
    let only = async |run| {
        let claimed = store.unannounced_runs(Some(run), 10, Duration::from_secs(60)).await.unwrap();
        claimed.into_iter().map(|told| told.run.id).collect::<Vec<_>>()
    };
    assert!(only(runs[1]).await.is_empty(), "it has not ended");
    store.close_runs(10).await.unwrap();
    assert_eq!(only(runs[1]).await, [runs[1]]);
    assert!(only(runs[1]).await.is_empty(), "it is claimed");
    assert!(only(RunId::new()).await.is_empty());
    let others = store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
    let others: Vec<_> = others.into_iter().map(|told| told.run.id).collect();
    assert_eq!(others, [runs[0], runs[2]]);
}

async fn an_end_that_cannot_be_told_keeps_no_other_waiting(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(file_stored(&store).await.0);
    }
    store.close_runs(10).await.unwrap();
    let mut claimed = Vec::new();
    for _ in 0..6 {
        // None of them is told in time.
        let next = store.unannounced_runs(None, 1, Duration::from_millis(1)).await.unwrap();
        claimed.push(next[0].run.id);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(claimed, [runs.clone(), runs].concat(), "each in its turn");
}

async fn the_latest_runs_come_first(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(file_stored(&store).await.0);
    }
    runs.reverse();
    let latest: Vec<RunId> = store.runs(3).await.unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(latest, runs[..3]);
    assert!(store.run(RunId::new()).await.unwrap().is_none());
}

async fn only_running_runs_are_cancelled(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let cancelled = store.cancel_run(run).await.unwrap().unwrap();
    assert_eq!(cancelled.state, RunState::Cancelled);
    assert!(cancelled.finished_at.is_some());
    let again = store.cancel_run(run).await.unwrap().unwrap();
    assert_eq!(again.finished_at, cancelled.finished_at);

    let (finished, _) = {
        record(&store, run, &plan.jobs, Verdict::Up).await;
        let (run, plan) = file_stored(&store).await;
        record(&store, run, &plan.jobs, Verdict::Up).await;
        store.close_runs(10).await.unwrap();
        (run, plan)
    };
    assert_eq!(store.cancel_run(finished).await.unwrap().unwrap().state, RunState::Finished);
    assert!(store.cancel_run(RunId::new()).await.unwrap().is_none());
    let unannounced = store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
    let ended: Vec<_> = unannounced.iter().map(|told| (told.run.id, told.run.state)).collect();
    assert_eq!(ended, [(run, RunState::Cancelled), (finished, RunState::Finished)], "each end is told");
}

async fn what_was_stored_is_there_after_reopening(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    let links = store.links(None, 10).await.unwrap();
    store.close().await;
    let closed = store.links(None, 10).await.unwrap_err();
    assert!(closed.is_transient(), "{closed}");

    let reopened = linkbeat_store::open(&database.url, linkbeat_store::OpenMode::Check).await.unwrap();
    assert_eq!(reopened.links(None, 10).await.unwrap(), links);
    assert_eq!(reopened.run(run).await.unwrap().unwrap().done, 3);
}

async fn what_a_run_was_asked_is_kept(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let kept = KeptRequest { request: "{}".to_owned(), listed: true };
    let run = NewRun { kept: Some(kept.clone()), ..new_run(LinkSelection::given(make::links(5))) };
    let (filed, plan) = make::file(&store, run.clone(), 2).await;
    assert_eq!(store.kept_request(filed.run.id).await.unwrap(), Some(kept));
    let mut links = store.links_of_run(filed.run.id, 100).await.unwrap();
    links.sort_unstable();
    let mut planned: Vec<_> = plan.links.iter().map(|link| link.id).collect();
    planned.sort_unstable();
    assert_eq!(links, planned);
    assert_eq!(store.run_of(run.request_id).await.unwrap().unwrap().id, filed.run.id);

    let (other, _) = make::file(&store, new_run(LinkSelection::Stored), 2).await;
    assert_eq!(store.kept_request(other.run.id).await.unwrap(), None);
    assert!(store.run_of(RequestId::new()).await.unwrap().is_none());
    database.execute("DELETE FROM jobs").await;
    database.execute("DELETE FROM runs").await;
    assert_eq!(database.value("SELECT count(*) FROM run_requests").await.as_deref(), Some("0"));
    assert_eq!(store.links_of_run(filed.run.id, 100).await.unwrap(), []);
}
