//! Counts and reports.

use std::sync::Arc;

use linkbeat_shared::{Change, Counts, NewLink, RunId, Verdict};
use linkbeat_store::ReportLinks;

use crate::database::TestDatabase;
use crate::make::{self, Plan, file_stored, link, name, record, results, rule};

cases![
    a_run_is_counted,
    a_report_lists_all_links_in_order,
    a_short_report_says_what_it_left_out,
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
    store.record(&batch, rule).await.unwrap();
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
        to_not_show: 4,
        to_show: 2,
    };
    assert_eq!(store.counts(run).await.unwrap(), Some(expected));
    assert_eq!(store.counts(RunId::new()).await.unwrap(), None);

    let (unchecked, plan) = file_stored(&store).await;
    let counts = store.counts(unchecked).await.unwrap().unwrap();
    assert_eq!(counts, Counts { active: 8, ..Counts::default() });
    record(&store, unchecked, &plan.jobs[..3], Verdict::Up).await;
    let counts = store.counts(unchecked).await.unwrap().unwrap();
    assert_eq!(counts, Counts { active: 8, checked: 3, up: 3, ..Counts::default() });
}

async fn a_report_lists_all_links_in_order(database: Arc<TestDatabase>) {
    let (run, plan) = run(&database).await;
    let store = database.open().await;
    let report = store.report(run, ReportLinks::All).await.unwrap().unwrap();
    assert_eq!((report.run_id, report.finished_at, report.links_left_out), (run, None, 0));
    assert_eq!(Some(report.counts), store.counts(run).await.unwrap());
    let mut planned: Vec<_> = plan.links.iter().map(|link| link.id).collect();
    planned.sort_unstable();
    assert_eq!(report.links.iter().map(|link| link.id).collect::<Vec<_>>(), planned);

    let closed = store.close_runs(1).await.unwrap();
    let report = store.report(run, ReportLinks::All).await.unwrap().unwrap();
    assert_eq!((report.finished_at, report.created_at), (closed[0].finished_at, closed[0].created_at));
    assert!(store.report(RunId::new(), ReportLinks::All).await.unwrap().is_none());
}

async fn a_short_report_says_what_it_left_out(database: Arc<TestDatabase>) {
    let (run, _) = run(&database).await;
    let store = database.open().await;
    // One came back, five did not pass, and a white-listed one is shown again.
    for (limit, listed, left_out) in [(100, 7, 0), (7, 7, 0), (3, 3, 4), (0, 0, 7)] {
        let which = ReportLinks::ChangedOrFailed { limit };
        let report = store.report(run, which).await.unwrap().unwrap();
        assert_eq!((report.links.len(), report.links_left_out), (listed, left_out), "at most {limit}");
        assert!(report.links.iter().all(|link| {
            link.change.is_some() || link.verdict.is_some_and(|verdict| verdict != Verdict::Up)
        }));
        assert!(report.links.is_sorted_by_key(|link| link.id));
    }
}

async fn a_report_keeps_what_the_run_saw(database: Arc<TestDatabase>) {
    let (first, plan) = run(&database).await;
    let store = database.open().await;
    let before = store.report(first, ReportLinks::All).await.unwrap().unwrap();
    let (second, second_plan) = file_stored(&store).await;
    record(&store, second, &second_plan.jobs, Verdict::Up).await;
    store.remove_links(&[plan.links[3].id]).await.unwrap();
    assert_eq!(store.report(first, ReportLinks::All).await.unwrap().unwrap(), before);
    let second = store.report(second, ReportLinks::All).await.unwrap().unwrap();
    assert!(second.links.iter().all(|link| link.shown && link.change != Some(Change::Hidden)));
}
