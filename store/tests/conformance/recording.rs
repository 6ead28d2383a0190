//! Recording results.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use linkbeat_shared::{
    Change, Details, JobId, LinkId, LinkReport, LinkSelection, PublicUrl, Reason, RunId, RunState, Verdict,
};
use linkbeat_store::{JobResults, LinkChanges, Recorded, SharedStore};
use tokio::time::sleep;

use crate::consistent;
use crate::database::{Kind, TestDatabase};
use crate::make::{
    self, ImportLinks, file, file_stored, link, micros, new_run, record, result, results, stored,
};

cases![
    phases_are_kept_of_the_latest_check_alone,
    whatever_changes_a_link_is_as_its_latest_result_says,
    results_are_stored_and_applied,
    a_result_counts_once,
    repeats_within_a_batch_count_once,
    a_job_may_come_in_parts,
    the_second_run_sees_what_the_first_did,
    an_older_run_never_overwrites_a_newer_one,
    what_was_not_asked_for_is_not_stored,
    results_of_removed_links_are_history,
    results_of_cancelled_runs_are_history,
    white_listed_links_go_the_same_way,
    a_wrong_clock_is_kept_within_the_run,
    every_field_comes_back,
    details_are_kept_with_the_check_and_the_link,
    no_details_break_a_batch,
    recorders_at_the_same_time_come_out_exact,
    recorders_and_editors_do_not_wait_in_a_circle,
    a_check_that_finds_nothing_new_touches_no_index_of_links,
    links_are_found_by_their_keys_also_while_there_are_few,
];

/// The links that were hidden or shown.
fn changed(recorded: &[Recorded]) -> Vec<&LinkReport> {
    let stored = recorded.iter().map(|recorded| match recorded {
        Recorded::Stored { changed, .. } => changed,
        other => panic!("{other:?}"),
    });
    stored.flatten().collect()
}

async fn results_are_stored_and_applied(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let batch = [results(run, &plan.jobs[0], Verdict::Up), results(run, &plan.jobs[1], Verdict::Down)];

    let recorded = store.record(&batch, make::judge()).await.unwrap();

    assert!(
        matches!(&recorded[0], Recorded::Stored { run_id, changed, .. } if *run_id == run && changed.is_empty())
    );
    let hidden = make::reported_of(&store, run, plan.links[1].id).await;
    assert_eq!(changed(&recorded), [&hidden]);
    let reports = [make::reported_of(&store, run, plan.links[0].id).await, hidden];
    assert_eq!(
        (reports[0].id, reports[0].verdict, reports[0].change),
        (plan.links[0].id, Some(Verdict::Up), None)
    );
    assert_eq!((reports[0].shown, reports[0].status, &reports[0].reason), (true, Some(200), &None));
    assert_eq!((reports[1].id, reports[1].change), (plan.links[1].id, Some(Change::Hidden)));
    assert_eq!((reports[1].shown, &reports[1].reason), (false, &Some(Reason::Status { code: 500 })));
    assert_eq!((reports[1].elapsed_ms, &reports[1].url), (Some(42), &PublicUrl::from(&plan.links[1].url)));

    let hidden = stored(&store, plan.links[1].url.expose()).await.state;
    assert!(!hidden.shown);
    assert_eq!((hidden.verdict, hidden.last_run_id), (Some(Verdict::Down), Some(run)));
    assert_eq!((hidden.hidden_reason, hidden.failed_in_a_row), (Some(Reason::Status { code: 500 }), 1));
    let now = store.run(run).await.unwrap().unwrap();
    assert_eq!((now.done, now.state), (2, RunState::Running));
}

async fn a_result_counts_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let first = record(&store, run, &plan.jobs, Verdict::Down).await;
    let before = store.links(None, 10).await.unwrap();

    // A worker that was slow comes to another verdict: the first one stays.
    let again = record(&store, run, &plan.jobs, Verdict::Up).await;

    assert_eq!(changed(&again), changed(&first), "each comes back as it was stored");
    assert_eq!(store.links(None, 10).await.unwrap(), before);
    assert_eq!(store.run(run).await.unwrap().unwrap().done, 2);
    assert_eq!(before[0].state.failed_in_a_row, 1);
}

async fn repeats_within_a_batch_count_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let mut twice = results(run, &plan.jobs[0], Verdict::Down);
    twice.results.push(result(plan.links[0].id, Verdict::Up));
    let recorded =
        store.record(&[twice, results(run, &plan.jobs[0], Verdict::Up)], make::judge()).await.unwrap();

    assert_eq!(recorded.len(), 2);
    let reports = changed(&recorded);
    assert_eq!(reports.len(), 3);
    assert!(reports.iter().all(|report| *report == reports[0] && report.verdict == Some(Verdict::Down)));
    assert_eq!(store.run(run).await.unwrap().unwrap().done, 1);
    assert_eq!(stored(&store, plan.links[0].url.expose()).await.state.failed_in_a_row, 1);
}

async fn a_job_may_come_in_parts(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(4)).await.unwrap();
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 4).await;
    let whole = results(filed.run.id, &plan.jobs[0], Verdict::Up);
    for (part, done) in [(0..1, 1), (0..3, 3), (2..4, 4)] {
        let part = JobResults { results: whole.results[part].to_vec(), ..whole.clone() };
        store.record(&[part], make::judge()).await.unwrap();
        assert_eq!(store.run(filed.run.id).await.unwrap().unwrap().done, done);
        let open = database.value("SELECT count(*) FROM jobs WHERE state = 'open'").await;
        assert_eq!(open.as_deref(), Some(if done < 4 { "1" } else { "0" }));
    }
}

async fn the_second_run_sees_what_the_first_did(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (first, first_plan) = file_stored(&store).await;
    let (second, second_plan) = file_stored(&store).await;
    // In one batch, in the order of the runs.
    let batch = [
        results(first, &first_plan.jobs[0], Verdict::Down),
        results(second, &second_plan.jobs[0], Verdict::NoBacklink),
    ];
    let recorded = store.record(&batch, make::judge()).await.unwrap();
    let change_of = async |run| make::report_links(&store, run).await[0].change;
    assert_eq!((change_of(first).await, change_of(second).await), (Some(Change::Hidden), None));
    assert_eq!(changed(&recorded).len(), 1);
    let state = stored(&store, first_plan.links[0].url.expose()).await.state;
    assert_eq!((state.failed_in_a_row, state.last_run_id), (2, Some(second)));

    let (third, plan) = file_stored(&store).await;
    let recorded = record(&store, third, &plan.jobs, Verdict::Up).await;
    assert_eq!(changed(&recorded)[0].change, Some(Change::Shown));
    let state = stored(&store, plan.links[0].url.expose()).await.state;
    assert_eq!((state.shown, state.passed_in_a_row, state.failed_in_a_row), (true, 1, 0));
}

async fn an_older_run_never_overwrites_a_newer_one(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (older, older_plan) = file_stored(&store).await;
    let (newer, newer_plan) = file_stored(&store).await;
    record(&store, newer, &newer_plan.jobs, Verdict::Up).await;
    let before = store.links(None, 10).await.unwrap();

    // Its check even ended later, by the worker's clock.
    let recorded = record(&store, older, &older_plan.jobs, Verdict::Down).await;

    assert!(changed(&recorded).is_empty());
    let late = make::report_links(&store, older).await.remove(0);
    assert_eq!((late.verdict, late.change, late.shown), (Some(Verdict::Down), None, true));
    assert_eq!(store.links(None, 10).await.unwrap(), before);
    assert_eq!(before[0].state.last_run_id, Some(newer));
    assert_eq!(store.run(older).await.unwrap().unwrap().done, 1);
    assert_eq!(make::counts(&store, older).await.down, 1);
}

async fn what_was_not_asked_for_is_not_stored(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let (other_run, _) = file_stored(&store).await;
    let good = results(run, &plan.jobs[0], Verdict::Down);
    let mut partly = results(run, &plan.jobs[1], Verdict::Down);
    partly.results.push(result(plan.links[2].id, Verdict::Down));
    let batch = [
        JobResults { job_id: JobId::new(), ..good.clone() },
        JobResults { run_id: other_run, ..good.clone() },
        JobResults { run_id: RunId::new(), ..good.clone() },
        JobResults { results: vec![result(LinkId::new(), Verdict::Down)], ..good.clone() },
        partly,
        good,
    ];

    let recorded = store.record(&batch, make::judge()).await.unwrap();

    assert!(recorded[..5].iter().all(|recorded| *recorded == Recorded::NotAskedFor));
    assert_eq!(changed(&recorded[5..]).len(), 1);
    assert_eq!(database.value("SELECT count(*) FROM checks").await.as_deref(), Some("1"));
    assert_eq!(database.value("SELECT sum(done) FROM runs").await.as_deref(), Some("1"));
    assert_eq!(database.value("SELECT sum(links_done) FROM jobs").await.as_deref(), Some("1"));
    assert!(store.record(&[], make::judge()).await.unwrap().is_empty());
}

async fn results_of_removed_links_are_history(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    store.remove_links(&[plan.links[0].id]).await.unwrap();
    // Even past linkbeat.
    database.execute("DELETE FROM links").await;

    let recorded = record(&store, run, &plan.jobs, Verdict::Down).await;

    assert!(changed(&recorded).is_empty());
    for link in &plan.links {
        let report = make::reported_of(&store, run, link.id).await;
        assert_eq!(
            (report.id, &report.name, &report.url),
            (link.id, &link.name, &PublicUrl::from(&link.url))
        );
        assert_eq!((report.verdict, report.change), (Some(Verdict::Down), None));
    }
    assert_eq!(store.run(run).await.unwrap().unwrap().done, 2);
    assert_eq!(store.close_runs(10).await.unwrap().len(), 1);
    assert!(store.links(None, 10).await.unwrap().is_empty());
}

async fn results_of_cancelled_runs_are_history(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    store.cancel_run(run).await.unwrap();
    let before = store.links(None, 10).await.unwrap();

    let recorded = record(&store, run, &plan.jobs, Verdict::Down).await;

    assert!(changed(&recorded).is_empty());
    let report = make::report_links(&store, run).await.remove(0);
    assert_eq!((report.change, report.shown), (None, true));
    assert_eq!(store.links(None, 10).await.unwrap(), before);
    let run = store.run(run).await.unwrap().unwrap();
    assert_eq!((run.done, run.state), (1, RunState::Cancelled));
    assert!(store.close_runs(10).await.unwrap().is_empty());
}

async fn white_listed_links_go_the_same_way(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let white = linkbeat_shared::NewLink {
        name: Some(make::name("white one")),
        shown: Some(false),
        ..link("https://a.example/")
    };
    store.import_links(&[white]).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let recorded = record(&store, run, &plan.jobs, Verdict::Down).await;
    let report = changed(&recorded)[0];
    assert_eq!((report.verdict, report.change, report.shown), (None, Some(Change::Shown), true));
    assert_eq!((report.status, report.elapsed_ms), (None, None));
    let state = stored(&store, "https://a.example/").await.state;
    assert_eq!((state.shown, state.verdict, state.last_run_id), (true, None, Some(run)));
}

async fn a_wrong_clock_is_kept_within_the_run(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let created_at = store.run(run).await.unwrap().unwrap().created_at;
    let day = Duration::from_secs(86_400);
    let right = created_at + Duration::from_micros(1);
    for (job, clock) in plan.jobs.iter().zip([Utc::now() - day, Utc::now() + day, right]) {
        let mut entry = results(run, job, Verdict::Up);
        entry.results[0].checked_at = clock;
        store.record(&[entry], make::judge()).await.unwrap();
    }
    let links = store.links(None, 10).await.unwrap();
    let checked_at = |n: usize| {
        let link = links.iter().find(|link| link.id == plan.links[n].id).unwrap();
        link.state.last_checked_at.unwrap()
    };
    assert_eq!(micros(checked_at(0)), micros(created_at));
    assert!(checked_at(1) >= created_at && checked_at(1) <= Utc::now() + Duration::from_secs(5));
    assert_eq!(micros(checked_at(2)), micros(right));
}

async fn every_field_comes_back(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let mut entry = results(run, &plan.jobs[0], Verdict::Refused);
    let reason = Reason::UnsafeAddress { address: Some("169.254.169.254 \u{0} \"quoted\" 中".into()) };
    entry.results[0].reason = Some(reason.clone());
    entry.results[0].status = None;
    entry.results[0].elapsed_ms = u32::MAX;
    // PostgreSQL cannot keep U+0000 in a document; nobody's message may make a batch fail for that.
    let recorded = store.record(&[entry], make::judge()).await.unwrap();
    let report = changed(&recorded)[0];
    // 24 days, the most that is kept.
    assert_eq!((report.status, report.elapsed_ms), (None, Some(i32::MAX.unsigned_abs())));
    let again = record(&store, run, &plan.jobs, Verdict::Up).await;
    assert_eq!(changed(&again)[0].reason, report.reason);
}

async fn details_are_kept_with_the_check_and_the_link(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let mut entry = results(run, &plan.jobs[0], Verdict::Up);
    entry.results[0].details = make::details();
    let plain = results(run, &plan.jobs[1], Verdict::Up);
    store.record(&[entry, plain], make::judge()).await.unwrap();

    assert_eq!(make::reported_of(&store, run, plan.links[0].id).await.details, make::details());
    assert_eq!(make::reported_of(&store, run, plan.links[1].id).await.details, Details::default());
    let before = make::report_links(&store, run).await;
    let url = plan.links[0].url.expose();
    assert_eq!(stored(&store, url).await.state.details, make::details());
    let bare = "SELECT count(*) FROM links WHERE details IS NULL";
    assert_eq!(database.value(bare).await.as_deref(), Some("1"), "nothing to tell takes no room");

    // A person's edit leaves them alone; the next check has its own.
    let changes = LinkChanges { active: Some(true), ..LinkChanges::default() };
    store.set_link(plan.links[0].id, &changes).await.unwrap();
    store.import_links(&[link(url)]).await.unwrap();
    assert_eq!(stored(&store, url).await.state.details, make::details());
    let (next, next_plan) = file_stored(&store).await;
    record(&store, next, &next_plan.jobs, Verdict::Up).await;
    assert_eq!(stored(&store, url).await.state.details, Details::default());
    assert_eq!(make::report_links(&store, run).await, before);
}

async fn no_details_break_a_batch(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let mut batch: Vec<_> = plan.jobs.iter().map(|job| results(run, job, Verdict::Up)).collect();
    for (entry, ends) in
        batch.iter_mut().zip([DateTime::<Utc>::MIN_UTC, DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC])
    {
        let details = &mut entry.results[0].details;
        *details = make::details();
        details.redirects.push("http://c.example/\u{0}".into());
        let certificate = details.certificate.as_mut().unwrap();
        certificate.expires_at = ends;
        certificate.issuer = "\u{0}Nobody".into();
    }
    store.record(&batch, make::judge()).await.unwrap();
    let all = make::report_links(&store, run).await;
    let of = |n: usize| all.iter().find(|link| link.id == plan.jobs[n].links[0]).unwrap();
    let reported = [of(0), of(1), of(2)];
    assert_eq!(reported[0].details.redirects[2], "http://c.example/");
    assert_eq!(reported[0].details.certificate.as_ref().unwrap().issuer, "Nobody");
    let ends = |n: usize| reported[n].details.certificate.as_ref().unwrap().expires_at;
    assert!(ends(0) <= ends(1) && ends(1) < ends(2));
    for view in ["linkbeat_links", "linkbeat_checks"] {
        let readable = format!("SELECT count(tls_expires_at) FROM {view}");
        assert_eq!(database.value(&readable).await.as_deref(), Some("3"), "{view}");
    }
}

async fn recorders_at_the_same_time_come_out_exact(database: Arc<TestDatabase>) {
    const LINKS: usize = 120;
    let store = database.open().await;
    store.import_links(&make::links(LINKS)).await.unwrap();
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 4).await;
    let (run, jobs) = (filed.run.id, Arc::new(plan.jobs));
    let mut recorders = Vec::new();
    for n in 0..8 {
        let (store, jobs) = (database.open().await, jobs.clone());
        recorders.push(tokio::spawn(async move {
            // Everybody records everything, each in another order and in other batches.
            let mut order: Vec<usize> = (0..jobs.len()).map(|i| (i * 7 + n * 11) % jobs.len()).collect();
            if n % 2 == 1 {
                order.reverse();
            }
            let mut hidden = 0;
            for batch in order.chunks(2 + n) {
                let batch: Vec<_> = batch.iter().map(|i| results(run, &jobs[*i], Verdict::Down)).collect();
                let recorded = store.record(&batch, make::judge()).await.unwrap();
                hidden += changed(&recorded).len();
            }
            hidden
        }));
    }
    for recorder in recorders {
        assert_eq!(recorder.await.unwrap(), LINKS);
    }
    let run = store.run(run).await.unwrap().unwrap();
    let counts = make::counts(&store, run.id).await;
    assert_eq!((run.done, counts.checked, counts.to_not_show), (LINKS as u64, LINKS as u64, LINKS as u64));
    let links = store.links(None, 1_000).await.unwrap();
    assert!(links.iter().all(|link| link.state.failed_in_a_row == 1));
    assert_eq!(database.value("SELECT sum(links_done) FROM jobs").await, Some(LINKS.to_string()));
    consistent::assert(&database).await;
    assert_eq!(database.value("SELECT count(*) FROM jobs WHERE state = 'open'").await.as_deref(), Some("0"));
}

async fn recorders_and_editors_do_not_wait_in_a_circle(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&make::links(60)).await.unwrap().ids;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 20).await;
        tasks.push(tokio::spawn(record_backwards(database.open().await, filed.run.id, plan.jobs)));
    }
    for round in 0..3 {
        let (store, mut ids) = (database.open().await, ids.clone());
        tasks.push(tokio::spawn(async move {
            ids.reverse();
            let mut input = make::links(60);
            for (n, link) in input.iter_mut().enumerate() {
                link.name = Some(make::name(&format!("{round} {n}")));
            }
            store.import_links(&input).await.unwrap();
            for id in ids {
                let changes = LinkChanges { backlink: Some(round == 0), ..LinkChanges::default() };
                store.set_link(id, &changes).await.unwrap();
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
    }
    assert_eq!(database.value("SELECT sum(done) FROM runs").await.as_deref(), Some("180"));
    consistent::assert(&database).await;
}

async fn record_backwards(store: SharedStore, run: RunId, mut jobs: Vec<linkbeat_store::PlannedJob>) {
    jobs.reverse();
    record(&store, run, &jobs, Verdict::Up).await;
}

async fn phases_are_kept_of_the_latest_check_alone(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let spent = |ms: u64| linkbeat_shared::Phases::of([std::time::Duration::from_millis(ms); 5]);
    for phases in [spent(7), spent(9), None] {
        let (run, plan) = file_stored(&store).await;
        let mut results = make::results(run, &plan.jobs[0], Verdict::Up);
        results.results[0].phases = phases.map(Box::new);
        store.record(&[results], make::judge()).await.unwrap();
        let link = &store.links(None, 1).await.unwrap()[0];
        assert_eq!(link.state.phases, phases);
    }
    let checks = "SELECT count(*) FROM checks WHERE details IS NOT NULL";
    assert_eq!(database.value(checks).await.as_deref(), Some("0"), "checks do not keep them");
}

/// Each step changes one more thing, or nothing but the times: what is not written would be seen here.
async fn whatever_changes_a_link_is_as_its_latest_result_says(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let ends = |status: u16, reason: Option<Reason>, details: &Details, elapsed_ms: u32| {
        let verdict = if reason.is_some() { Verdict::Down } else { Verdict::Up };
        (verdict, status, reason, details.clone(), elapsed_ms)
    };
    let (plain, rich) = (Details::default(), make::details());
    let renewed = Details {
        certificate: rich.certificate.clone().map(|certificate| linkbeat_shared::Certificate {
            expires_at: "2027-06-30T00:00:00Z".parse().unwrap(),
            ..certificate
        }),
        ..rich.clone()
    };
    let code = |code| Some(Reason::Status { code });
    for (verdict, status, reason, details, elapsed_ms) in [
        ends(200, None, &plain, 1),
        ends(200, None, &plain, 2),
        ends(204, None, &plain, 3),
        ends(204, None, &rich, 3),
        ends(204, None, &rich, 4),
        ends(204, None, &renewed, 4),
        ends(500, code(500), &plain, 5),
        ends(500, code(500), &plain, 6),
        ends(502, code(502), &plain, 6),
        ends(200, None, &plain, 7),
    ] {
        let (run, plan) = file_stored(&store).await;
        let mut results = make::results(run, &plan.jobs[0], verdict);
        let result = &mut results.results[0];
        (result.status, result.reason) = (Some(status), reason);
        (result.details, result.elapsed_ms) = (details, elapsed_ms);
        let result = result.clone();
        store.record(&[results], make::judge()).await.unwrap();
        let state = store.links(None, 1).await.unwrap().remove(0).state;
        let found = (state.verdict, state.status, state.reason, state.details, state.elapsed_ms);
        let told = (result.verdict, result.status, result.reason.clone(), result.details, Some(elapsed_ms));
        assert_eq!(found, told);
        assert_eq!((state.shown, state.hidden_reason), (result.reason.is_none(), result.reason));
        assert_eq!(state.last_run_id, Some(run));
    }
    consistent::assert(&database).await;
}

/// The new row of a link fits beside the old one.
async fn a_check_that_finds_nothing_new_touches_no_index_of_links(database: Arc<TestDatabase>) {
    if database.kind == Kind::Sqlite {
        return;
    }
    let store = database.open().await;
    store.import_links(&make::links(1000)).await.unwrap();
    for _ in 0..2 {
        let (run, plan) = file_stored(&store).await;
        record(&store, run, &plan.jobs, Verdict::Up).await;
    }
    // The server counts what a connection did when that ends, at the latest.
    store.close().await;
    let counted = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'links'";
    let mut looks = 0;
    while database.value(counted).await.as_deref() != Some("2000") {
        looks += 1;
        assert!(looks < 100, "the updates were not counted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let untouched = "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'links'";
    let untouched: u32 = database.value(untouched).await.unwrap().parse().unwrap();
    // The first check of a link finds something new: its verdict.
    assert!((900..=1000).contains(&untouched), "{untouched}");
}

/// A connection keeps its plans. One that reads a small table whole would do so for ever, also once it is large.
async fn links_are_found_by_their_keys_also_while_there_are_few(database: Arc<TestDatabase>) {
    if database.kind == Kind::Sqlite {
        return;
    }
    let producer = database.open().await;
    producer.import_links(&make::links(2)).await.unwrap();
    let mut filed = Vec::new();
    // From the sixth time on, PostgreSQL takes one plan for all values.
    for _ in 0..8 {
        filed.push(file_stored(&producer).await);
    }
    producer.close().await;
    let before = read_whole(&database).await;

    let recorder = database.open().await;
    for (run, plan) in filed {
        record(&recorder, run, &plan.jobs, Verdict::Up).await;
    }
    recorder.close().await;
    assert_eq!(read_whole(&database).await, before);
}

/// How often the table of links was read whole, as told by all connections that were closed.
async fn read_whole(database: &TestDatabase) -> Option<String> {
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    for _ in 0..200 {
        if database.value(others).await.as_deref() == Some("0") {
            return database.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'links'").await;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("a connection of a closed store is open");
}
