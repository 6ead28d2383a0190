//! Filing runs.

use std::num::NonZeroU32;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use linkbeat_shared::wire::JobLinkMessage;
use linkbeat_shared::{
    CheckResult, CheckSpec, HoldBack, LinkFilter, LinkSelection, NewLink, OnBlocked, OnSign, RecheckAfter,
    ReplyTo, RequestId, RunId, RunState, ShowRules, TraceContext,
};
use linkbeat_store::{
    Account, Filed, LinkChanges, LinkQuery, NewRun, OpenJobs, OverLimit, PlannedJob, Planner, SharedStore,
    StoreError, Unpublished,
};

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file, link, name, new_run, url};

/// From the specification's examples.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

cases![
    a_run_is_filed_whole,
    the_same_request_is_one_run,
    the_same_request_at_the_same_time_is_one_run,
    whoever_asks_last_is_answered,
    whoever_asks_again_while_results_are_stored_is_answered,
    links_come_ordered_by_host,
    only_active_links_are_planned,
    a_pause_ends_by_itself,
    given_links_are_imported_and_no_others_planned,
    runs_of_many_pages_cover_each_link_once,
    a_run_of_no_links_has_no_jobs,
    an_app_stays_within_its_limits,
    of_many_requests_at_once_only_so_many_are_filed,
    a_short_list_does_not_wait_for_the_run_of_a_long_one,
];

async fn a_run_is_filed_whole(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(5)).await.unwrap();
    let run = NewRun {
        check: CheckSpec {
            backlink: Some("my\\.blog".parse().unwrap()),
            accept: "200,204".parse().unwrap(),
            ..CheckSpec::default()
        },
        rules: ShowRules {
            hide_after: 3.try_into().unwrap(),
            show_after: 2.try_into().unwrap(),
            on_blocked: OnBlocked::Keep,
            recheck_after: Some(RecheckAfter::from_millis(600_000).unwrap()),
            on_scripted: OnBlocked::Keep,
            on_moved_domain: OnSign::Hide,
            on_parked: OnSign::Hide,
            on_title_changed: OnSign::Hide,
            on_language_changed: OnSign::Hide,
            hold_back: HoldBack { links: 7, percent: 25.try_into().unwrap() },
        },
        reply_to: Some(ReplyTo { queue: "answers".into(), correlation_id: Some("42".into()) }),
        lang: <_>::default(),
        progress: false,
        trace: TraceContext::parse(TRACE, Some("vendor=1")),
        ..new_run(LinkSelection::Stored)
    };
    let (filed, plan) = file(&store, run.clone(), 2).await;

    assert!(!filed.existed);
    assert_eq!((filed.run.id, filed.run.request_id), (run.id, run.request_id));
    assert_eq!((filed.run.links, filed.run.done, filed.run.state), (5, 0, RunState::Running));
    assert_eq!(filed.run.finished_at, None);
    let found = store.run(run.id).await.unwrap().unwrap();
    assert_eq!((&found.reply_to, &found.trace), (&run.reply_to, &run.trace));
    assert!(run.trace.is_some());
    let stored = async |column| database.value(&format!("SELECT {column} FROM runs")).await.unwrap();
    let check: CheckSpec = serde_json::from_str(&stored("check_spec").await).unwrap();
    let rules: ShowRules = serde_json::from_str(&stored("show_rules").await).unwrap();
    assert_eq!((check, rules), (run.check, run.rules));
    assert_eq!((found.links, found.created_at), (5, filed.run.created_at));

    assert_eq!(plan.announced, 5);
    let mut jobs = store.open_jobs(OpenJobs::OfRun(run.id), None, 10).await.unwrap();
    jobs.sort_by_key(|job| job.id);
    assert_eq!(jobs.len(), 3);
    let unpublished = store.unpublished_runs(Unpublished::OfRun(run.id), 1).await.unwrap();
    assert_eq!(unpublished[0].trace, run.trace);
    for (stored, planned) in jobs.iter().zip(&plan.jobs) {
        assert_eq!(stored.trace, run.trace);
        assert_eq!((stored.id, stored.kind, &stored.body), (planned.id, planned.kind, &planned.body));
    }
}

async fn the_same_request_is_one_run(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let first = new_run(LinkSelection::Stored);
    file(&store, first.clone(), 1).await;
    let again = NewRun { request_id: first.request_id, ..new_run(LinkSelection::given(make::links(10))) };
    let (filed, plan) = file(&store, again, 1).await;

    assert!(filed.existed);
    assert_eq!((filed.run.id, filed.run.links), (first.id, 3));
    assert!(plan.links.is_empty());
    assert_eq!(store.links(None, 100).await.unwrap().len(), 3);
    assert_eq!(store.runs(10).await.unwrap().len(), 1);
}

async fn the_same_request_at_the_same_time_is_one_run(database: Arc<TestDatabase>) {
    database.open().await.import_links(&make::links(30)).await.unwrap();
    for links in [LinkSelection::Stored, LinkSelection::given(make::links(40))] {
        let request_id = RequestId::new();
        let mut producers = Vec::new();
        for _ in 0..6 {
            let (store, links) = (database.open().await, links.clone());
            producers.push(tokio::spawn(async move {
                file(&store, NewRun { request_id, ..new_run(links) }, 3).await.0
            }));
        }
        let mut filed = Vec::new();
        for producer in producers {
            filed.push(producer.await.unwrap());
        }
        assert_eq!(filed.iter().filter(|filed| !filed.existed).count(), 1);
        assert!(filed.iter().all(|other| other.run.id == filed[0].run.id));
        let query = format!(
            "SELECT sum(links_count) FROM jobs JOIN linkbeat_runs r ON r.seq = (SELECT seq FROM runs WHERE runs.id = run_id) WHERE r.id = '{}'",
            filed[0].run.id
        );
        assert_eq!(database.value(&query).await, Some(filed[0].run.links.to_string()));
    }
}

async fn whoever_asks_last_is_answered(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ask = |queue: &str| Some(ReplyTo { queue: queue.into(), correlation_id: Some(queue.into()) });
    let run = NewRun { reply_to: ask("first"), ..new_run(LinkSelection::Stored) };
    file(&store, run.clone(), 1).await;
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!(closed[0].reply_to, ask("first"));
    let told = store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
    store.mark_announced(&told[0]).await.unwrap();
    assert!(store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap().is_empty());

    file(&store, NewRun { reply_to: None, ..run.clone() }, 1).await;
    assert!(
        store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap().is_empty(),
        "nobody waits for another answer"
    );
    file(&store, NewRun { reply_to: ask("second"), ..run.clone() }, 1).await;
    let unannounced = store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
    assert_eq!((unannounced.len(), &unannounced[0].run.reply_to), (1, &ask("second")));
}

async fn whoever_asks_again_while_results_are_stored_is_answered(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    for links in [LinkSelection::Stored, LinkSelection::given(make::links(1))] {
        let first = new_run(links);
        file(&store, first.clone(), 1).await;
        // Whoever stores results holds the run's row while it is asked for again.
        let held = database.held("UPDATE runs SET done = done").await;
        let reply_to = Some(ReplyTo { queue: "second".into(), correlation_id: None });
        let again = NewRun { id: RunId::new(), reply_to: reply_to.clone(), ..first.clone() };
        let (filed, ()) = tokio::join!(file(&store, again, 1), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            held.commit().await;
        });
        assert!(filed.0.existed);
        assert_eq!((filed.0.run.id, &filed.0.run.reply_to), (first.id, &reply_to));
        assert_eq!(store.run(first.id).await.unwrap().unwrap().reply_to, reply_to);
    }
}

async fn links_come_ordered_by_host(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let paged = NewLink { page_url: Some(url("https://b-b.example/")), ..link("https://zzz.example/") };
    let input = [
        link("https://c.example/1"),
        link("https://b.example/1"),
        paged,
        link("https://c.example/2"),
        link("https://b.example/2"),
        link("https://a.example/1"),
    ];
    store.import_links(&input).await.unwrap();
    let hosts = ["a.example", "b-b.example", "b.example", "b.example", "c.example", "c.example"];
    for links in [LinkSelection::Stored, LinkSelection::given(input.to_vec())] {
        let (_, plan) = file(&store, new_run(links), 1).await;
        let seen: Vec<&str> =
            plan.links.iter().map(|link| link.page_url.as_ref().unwrap_or(&link.url).host()).collect();
        assert_eq!(seen, hosts);
        let places: Vec<_> = seen.iter().zip(plan.links.iter().map(|link| link.id)).collect();
        assert!(places.is_sorted());
    }
}

async fn only_active_links_are_planned(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&make::links(4)).await.unwrap().ids;
    let inactive = LinkChanges { active: Some(false), ..LinkChanges::default() };
    store.set_link(ids[1], &inactive).await.unwrap();
    for links in [LinkSelection::Stored, LinkSelection::given(make::links(4))] {
        let (filed, plan) = file(&store, new_run(links), 1).await;
        assert_eq!((plan.announced, filed.run.links), (3, 3));
        let planned: Vec<_> = plan.links.iter().map(|link| link.id).collect();
        assert_eq!(planned, [ids[0], ids[2], ids[3]]);
    }
}

async fn a_pause_ends_by_itself(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut all = make::links(4);
    all.iter_mut().for_each(|link| link.group = Some("Friends".parse().unwrap()));
    all[3].paused_until = Some(Utc::now() - TimeDelta::seconds(5));
    let ids = store.import_links(&all).await.unwrap().ids;
    let ahead = "2999-01-01T00:00:00Z".parse().unwrap();
    let pause = |paused_until| LinkChanges { active: Some(false), paused_until, ..LinkChanges::default() };
    store.set_links(&ids[..1], &pause(Some(ahead))).await.unwrap();
    store.set_links(&ids[1..2], &pause(None)).await.unwrap();
    let past = Some(Utc::now() - TimeDelta::hours(1));
    assert!(store.set_link(ids[2], &pause(past)).await.unwrap().unwrap().active);

    let stored = store.links(None, 10).await.unwrap();
    let seen: Vec<_> = stored.iter().map(|link| (link.active, link.paused_until)).collect();
    assert_eq!(seen, [(false, Some(ahead)), (false, None), (true, None), (true, None)]);
    let friends = LinkFilter { groups: vec!["Friends".parse().unwrap()], tags: Vec::new() };
    for links in
        [LinkSelection::Stored, LinkSelection::given(make::links(4)), LinkSelection::matching(friends)]
    {
        let (filed, plan) = file(&store, new_run(links), 1).await;
        let planned: Vec<_> = plan.links.iter().map(|link| link.id).collect();
        assert_eq!((planned, plan.announced, filed.run.links), (ids[2..].to_vec(), 2, 2));
    }
    for (active, wanted) in [(true, &ids[2..]), (false, &ids[..2])] {
        let query = LinkQuery { active: Some(active), ..LinkQuery::default() };
        assert_eq!(store.matching_ids(&query, None, 10).await.unwrap(), wanted);
        let totals = store.link_totals().await.unwrap();
        assert_eq!(
            totals.iter().filter(|total| total.active == active).map(|total| total.links).sum::<u64>(),
            2
        );
    }
    let value = async |query: &str| database.value(query).await.unwrap();
    assert_eq!(value("SELECT count(*) FROM linkbeat_links WHERE active").await, "2");
    assert_eq!(value("SELECT count(*) FROM linkbeat_links WHERE paused_until IS NOT NULL").await, "1");

    // Who says only whether it is active takes the end away, in a list too.
    let mut again = make::links(1);
    again[0].active = Some(false);
    store.import_links(&again).await.unwrap();
    assert_eq!(store.links(None, 1).await.unwrap()[0].paused_until, None);
    again[0].paused_until = Some(ahead);
    store.import_links(&again).await.unwrap();
    assert_eq!(store.links(None, 1).await.unwrap()[0].paused_until, Some(ahead));
    let shown = LinkChanges { shown: Some(false), ..LinkChanges::default() };
    assert_eq!(store.set_link(ids[0], &shown).await.unwrap().unwrap().paused_until, Some(ahead));
}

async fn given_links_are_imported_and_no_others_planned(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let given = vec![
        link("https://host-000001.example/"),
        NewLink { name: Some(name("new")), ..link("https://new.example/") },
        link("https://NEW.example"),
    ];
    let (filed, plan) = file(&store, new_run(LinkSelection::given(given)), 1).await;
    let planned: Vec<_> = plan.links.iter().map(|link| link.url.host()).collect();
    assert_eq!(planned, ["host-000001.example", "new.example"]);
    assert_eq!(plan.links[1].name, name("new"));
    assert_eq!((plan.announced, filed.run.links), (2, 2));
    assert_eq!(store.links(None, 10).await.unwrap().len(), 4);
}

async fn runs_of_many_pages_cover_each_link_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    // More than two pages, and one host that fills more than one.
    let mut input = make::links(2_000);
    input.extend((0..2_500).map(|n| link(&format!("https://host-000777.example/{n}"))));
    let mut ids = store.import_links(&input).await.unwrap().ids;
    ids.sort_unstable();
    for links in [LinkSelection::Stored, LinkSelection::given(input)] {
        let (filed, plan) = file(&store, new_run(links), 16).await;
        assert_eq!((plan.announced, filed.run.links), (4_500, 4_500));
        let mut planned: Vec<_> = plan.links.iter().map(|link| link.id).collect();
        planned.sort_unstable();
        assert_eq!(planned, ids);
        assert!(plan.links.is_sorted_by_key(|link| link.url.host()));
        let jobs = store.open_jobs(OpenJobs::OfRun(filed.run.id), None, 1_000).await.unwrap();
        assert_eq!(jobs.len(), plan.jobs.len());
    }
}

async fn a_run_of_no_links_has_no_jobs(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 1).await;
    assert_eq!((filed.run.links, plan.announced, plan.jobs.len()), (0, 0, 0));
    let closed = store.close_runs(10).await.unwrap();
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].id, closed[0].state), (filed.run.id, RunState::Finished));
}

fn account(name: &str, runs_at_once: u32, links_a_day: u64) -> Account {
    let links_a_day = (links_a_day > 0).then_some(links_a_day);
    Account { name: name.to_owned(), runs_at_once: NonZeroU32::new(runs_at_once), links_a_day }
}

async fn file_for(store: &SharedStore, run: NewRun, account: &Account) -> Result<Filed, StoreError> {
    let (planner, _) = make::planner(3);
    store.file_asked(run, planner, account).await
}

fn of_links(count: usize) -> NewRun {
    new_run(LinkSelection::given(make::links(count)))
}

async fn an_app_stays_within_its_limits(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let blog = account("blog", 2, 0);
    let first = of_links(1);
    let run = file_for(&store, first.clone(), &blog).await.unwrap().run.id;
    file_for(&store, of_links(1), &blog).await.unwrap();
    let refused = file_for(&store, of_links(1), &blog).await.unwrap_err();
    assert_eq!(refused, StoreError::OverLimit(OverLimit::Runs { limit: 2.try_into().unwrap() }));
    assert!(file_for(&store, first, &blog).await.unwrap().existed, "what it has already is no run more");
    file_for(&store, of_links(1), &account("shop", 2, 0)).await.unwrap();
    store.cancel_run(run).await.unwrap();
    file_for(&store, of_links(1), &blog).await.unwrap();

    let reader = account("reader", 0, 10);
    file_for(&store, of_links(6), &reader).await.unwrap();
    let refused = file_for(&store, of_links(5), &reader).await.unwrap_err();
    let StoreError::OverLimit(OverLimit::Links { limit: 10, left: 4, asked: 5, room_in: Some(room_in) }) =
        refused
    else {
        panic!("{refused:?}")
    };
    assert!(room_in > Duration::from_secs(86_000) && room_in <= Duration::from_secs(86_400), "{room_in:?}");
    file_for(&store, of_links(4), &reader).await.unwrap();
    assert!(file_for(&store, of_links(1), &reader).await.is_err());
    assert_eq!(store.runs(100).await.unwrap().len(), 6, "nothing is left of what was refused");
}

/// However many producers file, and whichever links are asked for.
async fn of_many_requests_at_once_only_so_many_are_filed(database: Arc<TestDatabase>) {
    let (store, other) = (database.open().await, database.open().await);
    store.import_links(&make::links(20)).await.unwrap();
    let stored = || new_run(LinkSelection::Stored);
    for (number, run) in [(0, of_links(20)), (1, stored())] {
        for (account, most) in
            [(account(&format!("blog-{number}"), 3, 0), 3), (account(&format!("shop-{number}"), 0, 99), 4)]
        {
            let at_once = (0..12).map(|n| {
                let run = NewRun { id: RunId::new(), request_id: RequestId::new(), ..run.clone() };
                let (store, account) = (if n % 2 == 0 { &store } else { &other }, &account);
                async move { file_for(store, run, account).await }
            });
            let filed = futures::future::join_all(at_once).await;
            let refused = |filed: &&Result<Filed, StoreError>| matches!(filed, Err(StoreError::OverLimit(_)));
            assert_eq!(filed.iter().filter(|filed| filed.is_ok()).count(), most, "{filed:?}");
            assert_eq!(filed.iter().filter(refused).count(), 12 - most, "{filed:?}");
        }
    }
}

/// Plans as usual, once it may.
struct Held {
    begun: mpsc::Sender<()>,
    goes_on: mpsc::Receiver<()>,
    planner: Box<dyn Planner>,
}

impl Planner for Held {
    fn begin(&mut self, run: RunId, links: u64) {
        self.begun.send(()).unwrap();
        self.goes_on.recv_timeout(Duration::from_secs(30)).unwrap();
        self.planner.begin(run, links);
    }

    fn add(&mut self, name: &str, link: JobLinkMessage, fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        self.planner.add(name, link, fresh)
    }

    fn is_white_listed(&self, name: &str) -> bool {
        self.planner.is_white_listed(name)
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        self.planner.finish()
    }
}

/// SQLite does one thing after the other.
async fn a_short_list_does_not_wait_for_the_run_of_a_long_one(database: Arc<TestDatabase>) {
    if database.kind == Kind::Sqlite {
        return;
    }
    let (store, other) = (database.open().await, database.open().await);
    let ((begun, has_begun), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
    let (planner, plan) = make::planner(16);
    let long = of_links(5_000);
    let again = long.clone();
    let filing = {
        let store = store.clone();
        tokio::spawn(async move { store.file_run(long, Box::new(Held { begun, goes_on, planner })).await })
    };
    tokio::task::spawn_blocking(move || has_begun.recv_timeout(Duration::from_secs(30)))
        .await
        .unwrap()
        .unwrap();
    let short = new_run(LinkSelection::given(vec![link("https://short.example/")]));
    let filed = tokio::time::timeout(Duration::from_secs(10), file(&other, short, 1)).await;
    go_on.send(()).unwrap();
    assert_eq!(filed.map(|(filed, _)| filed.run.links), Ok(1), "it does not wait");
    assert_eq!(filing.await.unwrap().unwrap().run.links, 5_000);
    assert_eq!(plan.lock().unwrap().links.len(), 5_000);
    let (planner, _) = make::planner(16);
    assert!(store.file_run(again, planner).await.unwrap().existed);
}
