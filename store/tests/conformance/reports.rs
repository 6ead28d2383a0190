//! Summaries, and the links of a run in pages.

use std::sync::Arc;

use linkbeat_shared::{Change, Counts, NewLink, Report, RunId, Verdict};
use linkbeat_store::ReportLinks;

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, Plan, file_stored, link, name, record, results};

cases![
    a_run_is_counted,
    a_report_lists_all_links_in_order,
    a_short_report_says_what_it_left_out,
    links_are_selected_by_what_became_of_them,
    a_report_keeps_what_the_run_saw,
];

/// A second run over links of every fate: two stay up, one comes back, one goes down, one stays down, one
/// loses its backlink, one is blocked, one is refused; two are on the white list, one of them hidden.
async fn run(database: &TestDatabase) -> (RunId, Plan) {
    let store = database.open().await;
    let white = |n: u8, shown| NewLink {
        name: Some(name(&format!("white {n}"))),
        shown: Some(shown),
        ..link(&format!("https://white-{n}.example/"))
    };
    let mut input = make::links(8);
    input.extend([white(1, true), white(2, false)]);
    for hidden in [2, 4] {
        input[hidden].shown = Some(false);
    }
    store.import_links(&input).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let verdicts = [
        Verdict::Up,
        Verdict::Up,
        Verdict::Up,
        Verdict::Down,
        Verdict::Down,
        Verdict::NoBacklink,
        Verdict::Blocked,
        Verdict::Refused,
        // For the white-listed job, which has none.
        Verdict::Up,
    ];
    let batch: Vec<_> =
        plan.jobs.iter().zip(verdicts).map(|(job, verdict)| results(run, job, verdict)).collect();
    assert_eq!(batch.len(), 9);
    store.record(&batch, make::judge()).await.unwrap();
    (run, plan)
}

async fn a_run_is_counted(database: Arc<TestDatabase>) {
    let (run, _) = run(&database).await;
    let store = database.open().await;
    let expected = Counts {
        active: 8,
        checked: 8,
        up: 3,
        down: 2,
        no_backlink: 1,
        blocked: 1,
        refused: 1,
        white_listed: 2,
        reused: 0,
        to_not_show: 4,
        to_show: 2,
        would_hide: 0,
        would_show: 0,
    };
    assert_eq!(store.summary(run).await.unwrap().map(|run| run.counts), Some(expected));
    assert_eq!(store.summary(RunId::new()).await.unwrap(), None);

    let (unchecked, plan) = file_stored(&store).await;
    let counts = store.summary(unchecked).await.unwrap().unwrap().counts;
    assert_eq!(counts, Counts { active: 8, ..Counts::default() });
    record(&store, unchecked, &plan.jobs[..3], Verdict::Up).await;
    let counts = store.summary(unchecked).await.unwrap().unwrap().counts;
    assert_eq!(counts, Counts { active: 8, checked: 3, up: 3, ..Counts::default() });
}

async fn a_report_lists_all_links_in_order(database: Arc<TestDatabase>) {
    let (run, plan) = run(&database).await;
    let store = database.open().await;
    let summary = store.summary(run).await.unwrap().unwrap();
    assert_eq!((summary.run_id, summary.finished_at), (run, None));
    let mut planned: Vec<_> = plan.links.iter().map(|link| link.id).collect();
    planned.sort_unstable();
    let links = make::report_links(&store, run).await;
    assert_eq!(links.iter().map(|link| link.id).collect::<Vec<_>>(), planned);

    let closed = store.close_runs(1).await.unwrap();
    let summary = store.summary(run).await.unwrap().unwrap();
    assert_eq!((summary.finished_at, summary.created_at), (closed[0].finished_at, closed[0].created_at));
    assert!(store.report_links(RunId::new(), ReportLinks::All, None, 10).await.unwrap().is_empty());
}

async fn a_short_report_says_what_it_left_out(database: Arc<TestDatabase>) {
    let (run, _) = run(&database).await;
    let store = database.open().await;
    let summary = store.summary(run).await.unwrap().unwrap();
    // One came back, five did not pass, and a white-listed one is shown again.
    for (limit, listed, left_out) in [(100, 7, 0), (7, 7, 0), (3, 3, 4), (0, 0, 7)] {
        let links = store.report_links(run, ReportLinks::ChangedOrFailed, None, limit).await.unwrap();
        let report = Report::new(summary.clone(), links);
        assert_eq!((report.links.len() as u64, report.links_left_out), (listed, left_out), "at most {limit}");
        assert!(report.links.iter().all(|link| {
            link.change.is_some() || link.verdict.is_some_and(|verdict| verdict != Verdict::Up)
        }));
        assert!(report.links.is_sorted_by_key(|link| link.id));
    }
}

async fn links_are_selected_by_what_became_of_them(database: Arc<TestDatabase>) {
    let (run, _) = run(&database).await;
    let store = database.open().await;
    let all = make::report_links(&store, run).await;
    let verdicts = Verdict::ALL.map(Some).into_iter().chain([None]);
    let changes = [None, Some(Change::Hidden), Some(Change::Shown)];
    let mut found = Vec::new();
    for (verdict, change) in verdicts.flat_map(|verdict| changes.map(|change| (verdict, change))) {
        let selected = make::selected(&store, run, ReportLinks::Of { change, verdict }).await;
        assert!(selected.iter().all(|link| (link.verdict, link.change) == (verdict, change)));
        assert!(selected.is_sorted_by_key(|link| link.id));
        found.extend(selected);
    }
    found.sort_unstable_by_key(|link| link.id);
    assert_eq!(found, all, "each link is of one kind");
}

async fn a_report_keeps_what_the_run_saw(database: Arc<TestDatabase>) {
    let (first, plan) = run(&database).await;
    let store = database.open().await;
    let summary = store.summary(first).await.unwrap();
    let before = make::report_links(&store, first).await;
    let (second, second_plan) = file_stored(&store).await;
    record(&store, second, &second_plan.jobs, Verdict::Up).await;
    store.remove_links(&[plan.links[3].id]).await.unwrap();
    assert_eq!(store.summary(first).await.unwrap(), summary);
    assert_eq!(make::report_links(&store, first).await, before);
    let second = make::report_links(&store, second).await;
    assert!(second.iter().all(|link| link.shown && link.change != Some(Change::Hidden)));
}
