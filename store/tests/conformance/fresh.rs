//! Results of earlier checks that count instead of new ones.

use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, Utc};
use linkbeat_shared::history::Zone;
use linkbeat_shared::{
    CheckResult, CheckSpec, LinkId, LinkSelection, ReuseWithin, RunId, ShowRules, Timeout, Verdict,
};
use linkbeat_store::{JobKind, JobResults, LinkChanges, NewRun, SharedStore};

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, Plan, details, file, judge, new_run, record, result};

cases![
    a_fresh_result_counts_instead_of_a_check,
    only_a_result_of_the_same_check_of_the_same_link_counts,
    an_old_result_is_not_made_young_by_taking_it_over,
    a_result_that_was_overtaken_leaves_its_link_alone,
    a_result_that_is_taken_over_does_not_shut_out_a_newer_one,
    runs_that_share_a_check_count_it_once,
    what_a_run_that_is_held_back_has_found_is_not_taken,
    the_white_list_comes_first,
    history_counts_a_check_once,
];

const WITHIN: Duration = Duration::from_secs(3_600);

fn reusing(links: LinkSelection) -> NewRun {
    NewRun { reuse_within: ReuseWithin::try_from(WITHIN).ok(), ..new_run(links) }
}

/// Files a run of all stored links that takes fresh results over.
async fn reuse(store: &SharedStore) -> (RunId, Plan) {
    let (filed, plan) = file(store, reusing(LinkSelection::Stored), 100).await;
    (filed.run.id, plan)
}

/// Checks all stored links in one job.
async fn check_all(store: &SharedStore, verdict: Verdict) -> RunId {
    let (filed, plan) = file(store, new_run(LinkSelection::Stored), 100).await;
    record(store, filed.run.id, &plan.jobs, verdict).await;
    filed.run.id
}

/// Records what was taken over.
async fn take_over(store: &SharedStore, run: RunId, plan: &Plan) {
    let job = plan.jobs.last().unwrap();
    assert_eq!(job.kind, JobKind::Known);
    let results = JobResults { run_id: run, job_id: job.id, results: plan.fresh.clone() };
    store.record(&[results], judge()).await.unwrap();
}

async fn only_link(store: &SharedStore) -> LinkId {
    store.links(None, 2).await.unwrap()[0].id
}

async fn a_fresh_result_counts_instead_of_a_check(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let job = &plan.jobs[0];
    let found = |(n, link): (usize, &LinkId)| CheckResult {
        details: details(),
        ..result(*link, if n == 0 { Verdict::Down } else { Verdict::Up })
    };
    let results = job.links.iter().enumerate().map(found).collect();
    let first = JobResults { run_id: filed.run.id, job_id: job.id, results };
    store.record(&[first], judge()).await.unwrap();
    let (before, reported) =
        (store.links(None, 9).await.unwrap(), make::report_links(&store, filed.run.id).await);

    let (run, plan) = reuse(&store).await;

    assert_eq!((plan.jobs.len(), plan.fresh.len()), (1, 3), "nothing is left to check");
    take_over(&store, run, &plan).await;
    store.close_runs(10).await.unwrap();
    let counts = make::counts(&store, run).await;
    assert_eq!((counts.active, counts.checked, counts.up, counts.down, counts.reused), (3, 3, 2, 1, 3));
    let again = make::report_links(&store, run).await;
    let seen = |links: &[linkbeat_shared::LinkReport]| -> Vec<_> {
        links.iter().map(|link| (link.id, link.verdict, link.status, link.details.clone())).collect()
    };
    assert_eq!(seen(&again), seen(&reported));
    let now = store.links(None, 9).await.unwrap();
    for (before, now) in before.iter().zip(&now) {
        assert_eq!(now.state.last_checked_at, before.state.last_checked_at, "it was not looked at again");
        assert_eq!(now.state.last_run_id, Some(run));
    }
    let of_runs = "SELECT sum(reused) || '' FROM linkbeat_runs";
    assert_eq!(database.value(of_runs).await.as_deref(), Some("3"));
    let early = "SELECT count(*) || '' FROM linkbeat_checks c JOIN linkbeat_runs r ON r.id = c.run_id
                 WHERE c.checked_at < r.created_at";
    assert_eq!(database.value(early).await.as_deref(), Some("3"), "so they are told apart");
}

async fn only_a_result_of_the_same_check_of_the_same_link_counts(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let id = only_link(&store).await;
    let fresh = async |run: NewRun| file(&store, run, 100).await.1.fresh.len();
    assert_eq!(fresh(reusing(LinkSelection::Stored)).await, 0, "it was never checked");
    check_all(&store, Verdict::Up).await;
    assert_eq!(fresh(reusing(LinkSelection::Stored)).await, 1);
    assert_eq!(fresh(reusing(LinkSelection::given(make::links(1)))).await, 1, "however it is selected");
    assert_eq!(fresh(new_run(LinkSelection::Stored)).await, 0, "it was not asked for");
    let other = CheckSpec { timeout: Timeout::from_millis(1_234).unwrap(), ..CheckSpec::default() };
    assert_eq!(fresh(NewRun { check: other, ..reusing(LinkSelection::Stored) }).await, 0, "other options");
    let rules = ShowRules { hide_after: 7.try_into().unwrap(), ..ShowRules::default() };
    assert_eq!(fresh(NewRun { rules, ..reusing(LinkSelection::Stored) }).await, 1, "rules do not matter");

    let moved = LinkChanges { url: Some(make::url("https://moved.example/")), ..LinkChanges::default() };
    store.set_link(id, &moved).await.unwrap();
    assert_eq!(fresh(reusing(LinkSelection::Stored)).await, 0, "that was another page");
    check_all(&store, Verdict::Up).await;
    assert_eq!(fresh(reusing(LinkSelection::Stored)).await, 1);
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let white =
        JobResults { run_id: filed.run.id, job_id: plan.jobs[0].id, results: vec![make::white_listed(id)] };
    store.record(&[white], judge()).await.unwrap();
    assert_eq!(fresh(reusing(LinkSelection::Stored)).await, 0, "the latest one fetched nothing");
}

async fn an_old_result_is_not_made_young_by_taking_it_over(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let run = check_all(&store, Verdict::Up).await;
    let almost = Utc::now() - WITHIN + Duration::from_secs(120);
    let at = almost.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    database.execute(&format!("UPDATE checks SET checked_at = '{at}'")).await;
    let (second, plan) = reuse(&store).await;
    assert_eq!(plan.fresh.len(), 1, "{run}");
    assert!((plan.fresh[0].checked_at - almost).num_milliseconds().abs() < 2);
    take_over(&store, second, &plan).await;
    let (_, plan) = reuse(&store).await;
    assert!((plan.fresh[0].checked_at - almost).num_milliseconds().abs() < 2, "it keeps its time");
    let older = (almost - Duration::from_secs(180)).format("%Y-%m-%dT%H:%M:%S%.6fZ");
    database.execute(&format!("UPDATE checks SET checked_at = '{older}'")).await;
    assert!(reuse(&store).await.1.fresh.is_empty());
}

async fn a_result_that_was_overtaken_leaves_its_link_alone(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    check_all(&store, Verdict::Up).await;
    let (earlier, plan) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let (reusing, fresh) = reuse(&store).await;
    record(&store, earlier.run.id, &plan.jobs, Verdict::Down).await;
    take_over(&store, reusing, &fresh).await;
    let link = store.links(None, 1).await.unwrap().remove(0);
    assert_eq!((link.state.verdict, link.state.shown), (Some(Verdict::Down), false), "that is newer");
    assert_eq!(make::counts(&store, reusing).await.up, 1, "it is the result of the run all the same");
}

async fn a_result_that_is_taken_over_does_not_shut_out_a_newer_one(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    check_all(&store, Verdict::Up).await;
    let (earlier, plan) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let (reusing, fresh) = reuse(&store).await;
    take_over(&store, reusing, &fresh).await;
    record(&store, earlier.run.id, &plan.jobs, Verdict::Down).await;
    let link = store.links(None, 1).await.unwrap().remove(0);
    assert_eq!((link.state.verdict, link.state.shown), (Some(Verdict::Down), false));
}

async fn runs_that_share_a_check_count_it_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let id = only_link(&store).await;
    let (one, plan) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let (other, others) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let results = vec![result(id, Verdict::Up)];
    for (run, job) in [(one.run.id, &plan.jobs[0]), (other.run.id, &others.jobs[0])] {
        let results = JobResults { run_id: run, job_id: job.id, results: results.clone() };
        store.record(&[results], judge()).await.unwrap();
    }
    let counts = [make::counts(&store, one.run.id).await, make::counts(&store, other.run.id).await];
    assert_eq!(counts.map(|counts| (counts.checked, counts.reused)), [(1, 0), (1, 1)]);
    store.close_runs(10).await.unwrap();
    while store.roll_up(&linkbeat_store::HistoryRules::default(), Duration::ZERO).await.unwrap() {}
    let days = "SELECT sum(up) || '' FROM link_days";
    assert_eq!(database.value(days).await.as_deref(), Some("1"));
}

async fn what_a_run_that_is_held_back_has_found_is_not_taken(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    check_all(&store, Verdict::Up).await;
    for (hold, fresh) in [("open", 0), ("held", 0), ("discarded", 0), ("applied", 1), ("free", 1)] {
        database.execute(&format!("UPDATE runs SET hold = '{hold}'")).await;
        assert_eq!(reuse(&store).await.1.fresh.len(), fresh, "{hold}");
    }
}

async fn the_white_list_comes_first(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut white = make::link("https://white.example/");
    white.name = Some(make::name("white friend"));
    store.import_links(&[white]).await.unwrap();
    let id = only_link(&store).await;
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 100).await;
    let results =
        JobResults { run_id: filed.run.id, job_id: plan.jobs[0].id, results: vec![result(id, Verdict::Up)] };
    store.record(&[results], judge()).await.unwrap();
    let (run, plan) = reuse(&store).await;
    assert!(plan.fresh.is_empty());
    assert_eq!(make::counts(&store, run).await.active, 0);
}

async fn history_counts_a_check_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let id = only_link(&store).await;
    check_all(&store, Verdict::Up).await;
    let days = async || {
        let (from, until) = (NaiveDate::MIN, Utc::now().date_naive().succ_opt().unwrap());
        let days = store.link_days(id, Zone::UTC, from.max(until - chrono::Days::new(3)), until, 10).await;
        days.unwrap().iter().map(|day| day.summary.counts.up).sum::<u64>()
    };
    for _ in 0..2 {
        let (run, plan) = reuse(&store).await;
        take_over(&store, run, &plan).await;
        assert_eq!(days().await, 1);
    }
    store.close_runs(10).await.unwrap();
    while store.roll_up(&linkbeat_store::HistoryRules::default(), Duration::ZERO).await.unwrap() {}
    assert_eq!(days().await, 1);
    // It comes when its run is rolled up.
    let (run, plan) = reuse(&store).await;
    store.cancel_run(run).await.unwrap();
    while store.roll_up(&linkbeat_store::HistoryRules::default(), Duration::ZERO).await.unwrap() {}
    take_over(&store, run, &plan).await;
    while store.roll_up(&linkbeat_store::HistoryRules::default(), Duration::ZERO).await.unwrap() {}
    assert_eq!(days().await, 1);
}
