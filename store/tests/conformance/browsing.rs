//! Lists are read page by page: whole, in order, each thing once.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use linkbeat_shared::{
    Certificate, Change, Details, LinkFilter, LinkId, LinkSelection, NewLink, RunId, RunState, Verdict,
};
use linkbeat_store::{
    ChangeKind, ChangeQuery, Count, Cursor, JobResults, LinkChanges, LinkQuery, LinkSort, Page, PageOf,
    ParkingNotice, ReportLinks, RunLinkSort, SharedStore, SortLinksBy, StoreError,
};
use uuid::Uuid;

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file, file_stored, link, new_run, record};

cases![
    pages_of_links_are_whole_in_each_order,
    links_are_found_by_each_filter,
    links_are_counted,
    a_cursor_of_another_list_is_refused,
    changes_are_read_newest_first,
    runs_are_read_newest_first,
    the_checks_of_a_link_are_read_newest_first,
    the_worst_links_of_a_run_come_first,
    certificates_that_end_soon_are_found,
    parked_jobs_are_listed,
    many_links_are_changed_at_once,
];

fn first(limit: u32) -> PageOf {
    PageOf { after: None, limit }
}

/// All that a list has, read in pages of two; `next` reads one.
async fn whole<T: Debug, F>(mut next: impl FnMut(PageOf) -> F) -> Vec<T>
where
    F: Future<Output = linkbeat_store::Result<Page<T>>>,
{
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Page { items, next: cursor } = next(PageOf { after, limit: 2 }).await.unwrap();
        assert!(items.len() == 2 || cursor.is_none(), "only the last page is short: {items:?}");
        all.extend(items);
        let Some(cursor) = cursor else { return all };
        // It goes through the hands of others as text.
        after = Some(cursor.to_string().parse::<Cursor>().unwrap());
    }
}

/// Seven links in groups, of which five were checked: two are up, two are down, one is blocked.
async fn seven(database: &TestDatabase) -> (SharedStore, Vec<LinkId>, RunId) {
    let store = database.open().await;
    let called = |name: &str, url: &str, active: bool| NewLink {
        name: Some(make::name(name)),
        group: url.len().is_multiple_of(2).then(|| "friends".parse().unwrap()),
        active: Some(active),
        ..link(url)
    };
    let links = [
        called("100% sure", "https://e.example/", true),
        called("same", "https://d.example/a_b", true),
        called("same", "https://d.example/axb", true),
        called("友链", "https://c.example/", true),
        called("Ärger", "https://b.example/back\\slash", true),
        called("late", "https://a.example/", false),
        called("z", "https://a.example/z", false),
    ];
    let ids = store.import_links(&links).await.unwrap().ids;
    let (run, plan) = file_stored(&store).await;
    for job in &plan.jobs {
        let at = ids.iter().position(|id| job.links == [*id]).unwrap();
        let verdict = [Verdict::Up, Verdict::Down, Verdict::Down, Verdict::Up, Verdict::Blocked][at];
        record(&store, run, std::slice::from_ref(job), verdict).await;
    }
    store.close_runs(10).await.unwrap();
    (store, ids, run)
}

async fn found(store: &SharedStore, query: &LinkQuery, sort: LinkSort) -> Vec<LinkId> {
    let links = whole(|page| async move { store.browse_links(query, sort, &page).await }).await;
    links.into_iter().map(|listed| listed.link.id).collect()
}

async fn pages_of_links_are_whole_in_each_order(database: Arc<TestDatabase>) {
    let (store, ids, _) = seven(&database).await;
    let all = LinkQuery::default();
    for by in SortLinksBy::ALL {
        let forward = found(&store, &all, LinkSort { by, reverse: false }).await;
        let mut backward = found(&store, &all, LinkSort { by, reverse: true }).await;
        backward.reverse();
        assert_eq!(forward, backward, "{by:?}");
        let mut once = forward.clone();
        once.sort_unstable();
        assert_eq!(once, ids, "{by:?}");
        let at_once = store.browse_links(&all, LinkSort { by, reverse: false }, &first(100)).await.unwrap();
        assert_eq!(at_once.next, None);
        assert_eq!(at_once.items.iter().map(|listed| listed.link.id).collect::<Vec<_>>(), forward);
        if matches!(by, SortLinksBy::Verdict | SortLinksBy::Reason | SortLinksBy::Since) {
            assert!(
                forward[5..].contains(&ids[5]) && forward[5..].contains(&ids[6]),
                "{by:?}: never checked"
            );
        }
    }
    let by_host = found(&store, &all, LinkSort { by: SortLinksBy::Host, reverse: false }).await;
    assert_eq!(by_host, [5, 6, 4, 3, 1, 2, 0].map(|n| ids[n]));
    let by_verdict = found(&store, &all, LinkSort { by: SortLinksBy::Verdict, reverse: false }).await;
    assert_eq!(by_verdict, [4, 1, 2, 0, 3, 5, 6].map(|n| ids[n]));
    let listed = store.listed_link(ids[1]).await.unwrap().unwrap();
    assert_eq!((listed.host.as_str(), listed.link.state.shown), ("d.example", false));
    assert_eq!(listed.verdict_since, Some(listed.shown_since));
    assert!(listed.created_at <= listed.updated_at);
    assert_eq!(store.listed_link(LinkId::new()).await.unwrap(), None);
}

async fn links_are_found_by_each_filter(database: Arc<TestDatabase>) {
    let (store, ids, _) = seven(&database).await;
    let text = |text: &str| LinkQuery { text: Some(text.to_owned()), ..LinkQuery::default() };
    for (query, wanted) in [
        (text("SAME"), &[1, 2][..]),
        (text("D.Example"), &[1, 2]),
        (text("%"), &[0]),
        (text("a_b"), &[1]),
        (text("\\"), &[]),
        (text("友"), &[3]),
        (text("Är"), &[4]),
        (text("/"), &[0, 1, 2, 3, 4, 5, 6]),
        (text("' OR 1=1 --"), &[]),
        (LinkQuery { active: Some(false), ..LinkQuery::default() }, &[5, 6]),
        (LinkQuery { active: Some(true), shown: Some(true), ..LinkQuery::default() }, &[0, 3]),
        (LinkQuery { never_checked: true, ..LinkQuery::default() }, &[5, 6]),
        (LinkQuery { verdict: Some(Verdict::Down), ..text("axb") }, &[2]),
        (LinkQuery { group: Some("nobody".parse().unwrap()), ..LinkQuery::default() }, &[]),
    ] {
        let wanted: Vec<LinkId> = wanted.iter().map(|n| ids[*n]).collect();
        assert_eq!(found(&store, &query, LinkSort::default()).await, wanted, "{query:?}");
        assert_eq!(store.matching_ids(&query, None, 100).await.unwrap(), wanted, "{query:?}");
    }
    // Whether few match or many, a page is the same.
    let (down, by_host) = (
        LinkQuery { verdict: Some(Verdict::Down), ..LinkQuery::default() },
        LinkSort { by: SortLinksBy::Host, reverse: true },
    );
    for query in &[down, LinkQuery::default(), text("e"), text("nobody")] {
        let store = &store;
        let at_once = store.browse_links(query, by_host, &first(100)).await.unwrap();
        for most in [0, 1, 2, 100] {
            let pages = whole(|page| async move {
                Ok(store.browse_counted_links(query, by_host, &page, most).await?.0)
            });
            assert_eq!(pages.await, at_once.items, "{query:?} {most}");
            let (_, count) = store.browse_counted_links(query, by_host, &first(1), most).await.unwrap();
            assert_eq!(count, store.count_links(query, most).await.unwrap(), "{query:?} {most}");
        }
    }
    let later = store.matching_ids(&LinkQuery::default(), Some(ids[3]), 2).await.unwrap();
    assert_eq!(later, ids[4..6]);
}

async fn links_are_counted(database: Arc<TestDatabase>) {
    let (store, ..) = seven(&database).await;
    let down = LinkQuery { verdict: Some(Verdict::Down), ..LinkQuery::default() };
    assert_eq!(store.count_links(&down, 2).await.unwrap(), Count::Exactly(2));
    assert_eq!(store.count_links(&down, 1).await.unwrap(), Count::MoreThan(1));
    assert_eq!(store.count_links(&LinkQuery::default(), 7).await.unwrap(), Count::Exactly(7));
    let about = store.count_links(&LinkQuery::default(), 6).await.unwrap();
    assert!(matches!(about, Count::About(_) | Count::Exactly(7)), "{about:?}");
    let totals = store.link_totals().await.unwrap();
    let sum = |of: &dyn Fn(&linkbeat_store::LinkTotal) -> bool| {
        totals.iter().filter(|total| of(total)).map(|total| total.links).sum::<u64>()
    };
    assert_eq!(sum(&|_| true), 7);
    assert_eq!(sum(&|total| total.verdict == Some(Verdict::Down) && !total.shown && total.active), 2);
    assert_eq!(sum(&|total| total.verdict.is_none() && !total.active), 2);
    let groups = store.link_groups(10).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].0.as_str(), "friends");
    assert!(store.link_groups(0).await.unwrap().is_empty());
}

async fn a_cursor_of_another_list_is_refused(database: Arc<TestDatabase>) {
    let (store, ids, run) = seven(&database).await;
    let sort = |by| LinkSort { by, reverse: false };
    let query = LinkQuery::default();
    let by_name = store.browse_links(&query, sort(SortLinksBy::Name), &first(1)).await.unwrap().next;
    let page = PageOf { after: by_name, limit: 1 };
    let refused = |error: StoreError| assert!(matches!(error, StoreError::BadCursor(_)), "{error}");
    refused(store.browse_links(&query, sort(SortLinksBy::Since), &page).await.unwrap_err());
    refused(store.browse_links(&query, sort(SortLinksBy::Added), &page).await.unwrap_err());
    refused(store.browse_changes(&ChangeQuery::default(), &page).await.unwrap_err());
    refused(store.browse_runs(None, &page).await.unwrap_err());
    refused(store.browse_checks(ids[0], &page).await.unwrap_err());
    for sort in [RunLinkSort::Added, RunLinkSort::WorstFirst] {
        refused(store.browse_run_links(run, ReportLinks::All, sort, &page).await.unwrap_err());
    }
    refused(store.browse_parked(&page).await.unwrap_err());
}

async fn changes_are_read_newest_first(database: Arc<TestDatabase>) {
    let (store, ids, run) = seven(&database).await;
    let shown = LinkChanges { shown: Some(true), ..LinkChanges::default() };
    store.set_link(ids[1], &shown).await.unwrap();
    store.remove_links(&ids[2..3]).await.unwrap();
    let of = |query: ChangeQuery| {
        let store = store.clone();
        async move {
            whole(|page| {
                let store = store.clone();
                async move { store.browse_changes(&query, &page).await }
            })
            .await
        }
    };
    let all = of(ChangeQuery::default()).await;
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by(|newer, older| (newer.at, newer.id) > (older.at, older.id)));
    assert_eq!((all[0].link_id, all[0].change, all[0].run_id), (ids[1], Some(Change::Shown), None));
    let hidden = of(ChangeQuery { kind: Some(ChangeKind::Hidden), ..ChangeQuery::default() }).await;
    assert_eq!(hidden.len(), 3);
    assert!(
        hidden.iter().any(|change| change.link_id == ids[2] && change.name.as_str() == "same"),
        "removed"
    );
    let only_verdict = of(ChangeQuery { kind: Some(ChangeKind::Verdict), ..ChangeQuery::default() }).await;
    assert!(only_verdict.iter().all(|change| change.verdict == Some(Verdict::Up)) && only_verdict.len() == 2);
    let of_link = of(ChangeQuery { link: Some(ids[1]), ..ChangeQuery::default() }).await;
    assert_eq!(of_link.len(), 2);
    assert_eq!((of_link[1].former_verdict, of_link[1].verdict), (None, Some(Verdict::Down)));
    assert!(of_link[1].reason.is_some());
    let by_run =
        of(ChangeQuery { run: Some(run), verdict: Some(Verdict::Blocked), ..ChangeQuery::default() });
    assert_eq!(by_run.await.len(), 1);
    let newest = all[0].at;
    assert_eq!(of(ChangeQuery { since: Some(newest), ..ChangeQuery::default() }).await.len(), 1);
    assert_eq!(of(ChangeQuery { until: Some(newest), ..ChangeQuery::default() }).await.len(), 5);
}

async fn runs_are_read_newest_first(database: Arc<TestDatabase>) {
    let (store, _, run) = seven(&database).await;
    let mut filed = vec![run];
    for _ in 0..4 {
        filed.push(file_stored(&store).await.0);
    }
    store.cancel_run(filed[2]).await.unwrap();
    let store = &store;
    let of = async |state| {
        let runs = whole(|page| async move { store.browse_runs(state, &page).await }).await;
        runs.into_iter().map(|listed| listed.run.id).collect::<Vec<_>>()
    };
    assert_eq!(of(None).await, [4, 3, 2, 1, 0].map(|n| filed[n]));
    assert_eq!(of(Some(RunState::Running)).await, [4, 3, 1].map(|n| filed[n]));
    assert_eq!(of(Some(RunState::Cancelled)).await, [filed[2]]);
    let finished = store.browse_runs(Some(RunState::Finished), &first(10)).await.unwrap().items;
    assert_eq!((finished.len(), finished[0].counts.down, finished[0].counts.active), (1, 2, 5));
}

/// A run of this moment. Ids of runs begin with their time.
fn run_at(moment: DateTime<Utc>) -> RunId {
    let mut bytes = RunId::new().0.into_bytes();
    bytes[..6].copy_from_slice(&moment.timestamp_millis().to_be_bytes()[2..]);
    RunId(Uuid::from_bytes(bytes))
}

async fn the_checks_of_a_link_are_read_newest_first(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&make::links(2)).await.unwrap().ids;
    let days = [400, 200, 30, 29, 3, 1, 0, 0];
    let mut runs = Vec::new();
    for (n, days) in days.into_iter().enumerate() {
        let id = run_at(Utc::now() - TimeDelta::days(days) + TimeDelta::seconds(i64::try_from(n).unwrap()));
        let run = linkbeat_store::NewRun { id, ..new_run(LinkSelection::Stored) };
        let (_, plan) = file(&store, run, 2).await;
        record(&store, id, &plan.jobs, if n % 2 == 0 { Verdict::Up } else { Verdict::Down }).await;
        runs.push(id);
    }
    runs.reverse();
    let store = &store;
    let watched = ids[1];
    let checks = whole(|page| async move { store.browse_checks(watched, &page).await }).await;
    assert_eq!(checks.iter().map(|check| check.run_id).collect::<Vec<_>>(), runs);
    assert_eq!((checks[0].verdict, checks[0].change), (Some(Verdict::Down), Some(Change::Hidden)));
    assert_eq!((checks[0].status, checks[0].elapsed_ms, checks[1].shown), (Some(500), Some(42), true));
    assert!(store.browse_checks(LinkId::new(), &first(10)).await.unwrap().items.is_empty());

    // So many runs of others lie between that they are not asked all at once.
    let of_others = NewLink { group: Some("others".parse().unwrap()), ..link("https://others.example/") };
    store.import_links(&[of_others]).await.unwrap();
    let others = LinkFilter { groups: vec!["others".parse().unwrap()], ..LinkFilter::default() };
    for n in 0..80 {
        let id = run_at(Utc::now() - TimeDelta::days(n / 10) - TimeDelta::minutes(n));
        file(store, linkbeat_store::NewRun { id, ..new_run(LinkSelection::Matching(others.clone())) }, 1)
            .await;
    }
    let checks = whole(|page| async move { store.browse_checks(watched, &page).await }).await;
    assert_eq!(checks.iter().map(|check| check.run_id).collect::<Vec<_>>(), runs);

    // Runs of many links, in between and at both ends.
    store.import_links(&make::links(300)).await.unwrap();
    for days in [500, 150, 2, 0] {
        let id = run_at(Utc::now() - TimeDelta::days(days) + TimeDelta::minutes(1));
        let run = linkbeat_store::NewRun { id, ..new_run(LinkSelection::Stored) };
        let (_, plan) = file(store, run, 64).await;
        record(store, id, &plan.jobs, Verdict::Up).await;
        runs.push(id);
    }
    runs.sort_unstable_by(|a, b| b.cmp(a));
    let checks = whole(|page| async move { store.browse_checks(watched, &page).await }).await;
    assert_eq!(checks.iter().map(|check| check.run_id).collect::<Vec<_>>(), runs);
}

async fn the_worst_links_of_a_run_come_first(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut links = make::links(5);
    links[4].name = Some(make::name("white sheep"));
    let ids = store.import_links(&links).await.unwrap().ids;
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 4).await;
    let run = filed.run.id;
    let result = |n: usize, verdict, elapsed_ms| linkbeat_shared::CheckResult {
        elapsed_ms,
        ..make::result(ids[n], verdict)
    };
    let results = vec![
        result(0, Verdict::Up, 9_000),
        result(1, Verdict::Down, 10),
        result(2, Verdict::Refused, 20),
        result(3, Verdict::Up, 1),
    ];
    store
        .record(&[JobResults { run_id: run, job_id: plan.jobs[0].id, results }], make::judge())
        .await
        .unwrap();
    record(&store, run, &plan.jobs[1..], Verdict::Up).await;
    let store = &store;
    let of = async |which, sort| {
        let links = whole(|page| async move { store.browse_run_links(run, which, sort, &page).await }).await;
        links.into_iter().map(|link| ids.iter().position(|id| *id == link.id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of(ReportLinks::All, RunLinkSort::WorstFirst).await, [2, 1, 0, 3, 4]);
    assert_eq!(of(ReportLinks::All, RunLinkSort::Added).await, [0, 1, 2, 3, 4]);
    assert_eq!(of(ReportLinks::ChangedOrFailed, RunLinkSort::WorstFirst).await, [2, 1]);
}

async fn certificates_that_end_soon_are_found(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&make::links(4)).await.unwrap().ids;
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 4).await;
    let ends = |at: &str| Details {
        certificate: Some(Certificate { expires_at: at.parse().unwrap(), issuer: "somebody".into() }),
        ..Details::default()
    };
    let details = [
        ends("2027-01-02T00:00:00Z"),
        Details::default(),
        ends("2026-12-31T23:59:59Z"),
        ends("2027-03-01T00:00:00Z"),
    ];
    let results = ids
        .iter()
        .zip(details)
        .map(|(id, details)| linkbeat_shared::CheckResult { details, ..make::result(*id, Verdict::Up) });
    let results = JobResults { run_id: filed.run.id, job_id: plan.jobs[0].id, results: results.collect() };
    store.record(&[results], make::judge()).await.unwrap();
    let before = "2027-02-01T00:00:00Z".parse().unwrap();
    let ending = store.certificates_ending(before, 10).await.unwrap();
    assert_eq!(ending.iter().map(|listed| listed.link.id).collect::<Vec<_>>(), [ids[2], ids[0]]);
    assert_eq!(store.certificates_ending(before, 1).await.unwrap().len(), 1);
    let inactive = LinkChanges { active: Some(false), ..LinkChanges::default() };
    store.set_link(ids[2], &inactive).await.unwrap();
    assert_eq!(store.certificates_ending(before, 10).await.unwrap().len(), 1, "nobody checks it");
}

async fn parked_jobs_are_listed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(8)).await.unwrap();
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 2).await;
    for (job, cause) in plan.jobs[..3].iter().zip(["first", "second", "third"]) {
        let notice = ParkingNotice { id: Uuid::now_v7(), job_id: job.id, parked: true, cause: cause.into() };
        store.note_parkings(&[notice]).await.unwrap();
    }
    let store = &store;
    let parked = whole(|page| async move { store.browse_parked(&page).await }).await;
    assert_eq!(
        parked.iter().map(|job| job.cause.as_deref().unwrap()).collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
    assert!(parked.iter().all(|job| job.run_id == filed.run.id && job.missing == 2));
}

async fn many_links_are_changed_at_once(database: Arc<TestDatabase>) {
    let (store, ids, _) = seven(&database).await;
    let hidden =
        LinkChanges { shown: Some(false), group: Some("hidden".parse().unwrap()), ..LinkChanges::default() };
    let some = [ids[0], ids[1], LinkId::new(), ids[5]];
    assert_eq!(store.set_links(&some, &hidden).await.unwrap(), 3);
    let of_group =
        LinkQuery { group: Some("hidden".parse().unwrap()), shown: Some(false), ..LinkQuery::default() };
    assert_eq!(found(&store, &of_group, LinkSort::default()).await, [ids[0], ids[1], ids[5]]);
    let by_hand = "SELECT count(*) FROM changes WHERE run_id IS NULL";
    assert_eq!(database.value(by_hand).await.as_deref(), Some("2"), "one was hidden already");
}
