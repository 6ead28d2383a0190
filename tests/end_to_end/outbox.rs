//! Between the database and the queues: what a crash leaves unpublished, and what a queue lost, is carried
//! out all the same.

use std::time::Duration;

use linkbeat_shared::{
    CheckSpec, LinkSelection, LinkUrl, NewLink, Request, RequestId, RequestOptions, RunId, RunState,
    ShowRules, WhiteList,
};

use linkbeat_store::{OpenJobs, OpenMode, SharedStore, Unpublished, open};
use serde_json::json;
use uuid::Uuid;

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg, block_on};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, PATIENCE, eventually};

#[test]
fn a_run_that_was_filed_but_never_published_is_carried_out() {
    let (street, form) = (Street::open(), Form::fleet());
    let url = |name| NewLink::from_url(LinkUrl::parse(&street.url(name)).unwrap());
    street.set("checked", Answer::Page(200, String::new()));
    let friend = NewLink { name: Some("friend".parse().unwrap()), shown: Some(false), ..url("friend") };
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::given(vec![url("checked"), friend]),
        white_list: WhiteList(["friend".to_owned()].into()),
        reuse_within: None,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    // As if the process had been killed right after the commit.
    let run = form.store(async |store| linkbeat_producer::file(&store, request).await.unwrap().run.id);
    let counts = eventually("the producer to find and publish its jobs", || {
        form.store(async |store| {
            let state = store.run(run).await.unwrap().unwrap().state;
            let counts = store.summary(run).await.unwrap().unwrap().counts;
            store.close().await;
            (state == RunState::Finished).then_some(counts)
        })
    });
    assert_eq!((counts.up, counts.white_listed, counts.to_show), (1, 1, 1));
    assert_eq!(street.hits("checked"), 1);
}

#[test]
fn jobs_that_a_queue_lost_are_published_again_but_a_backlog_is_left_alone() {
    let street = Street::open();
    let mut fleet = Fleet::without_workers(&[("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "2")]);
    let folder = Folder::new();
    let urls: String =
        (0..3).map(|n| street.set(&format!("site{n}"), Answer::Page(200, String::new())) + "\n").collect();
    let list = folder.write("list.txt", urls);
    let mut file = linkbeat(folder.path(), ["run", arg(&list), "--format", "json"]);
    fleet.configure(&mut file);
    let id = run(&mut file).expect(0).json()["run_id"].as_str().unwrap().to_owned();
    assert_eq!(fleet.servers.depth("jobs"), 3);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(fleet.servers.depth("jobs"), 3, "nobody takes them, but they are not lost: no storm");
    fleet.servers.purge("jobs");
    eventually("the lost jobs to be published again", || (fleet.servers.depth("jobs") == 3).then_some(()));
    fleet.start_worker(&[]);
    let mut show = linkbeat(folder.path(), ["runs", "show", &id, "--format", "json"]);
    fleet.configure(&mut show);
    eventually("the run to be carried out", || (run(&mut show).json()["data"]["up"] == 3).then_some(()));
}

#[test]
fn a_run_whose_producer_was_killed_is_announced_all_the_same() {
    let fleet = Fleet::without_workers(&[]);
    let link = NewLink::from_url(LinkUrl::parse("http://a.example/").unwrap());
    let request =
        Request::new(RequestId::new(), LinkSelection::given(vec![link]), RequestOptions::default(), None);
    let mut run = None;
    let events = fleet.servers.events("run.started", || {
        run = Some(block_on(async {
            let store = open(&fleet.database_url().parse().unwrap(), OpenMode::Check).await.unwrap();
            linkbeat_producer::file(&store, request).await.unwrap().run.id
        }));
    });
    assert_eq!(events[0]["run_id"], json!(run));
}

/// Twelve thousand jobs: some seconds of publishing.
const LINKS: u64 = 200_000;

#[test]
fn a_small_run_behind_a_huge_one_is_published_long_before_its_end() {
    let fleet = Fleet::without_workers(&[]);
    fleet.servers.execute(&format!(
        "INSERT INTO links (id, name, url, url_key, host)
         SELECT gen_random_uuid(), host, 'http://' || host || '/', 'http://' || host || '/', host
         FROM (SELECT 'h' || n || '.example' AS host FROM generate_series(1, {LINKS}) AS n) AS hosts"
    ));
    let ask = |request: serde_json::Value| fleet.servers.publish("requests", request.to_string().as_bytes());
    block_on(async {
        let store = open(&fleet.database_url().parse().unwrap(), OpenMode::Check).await.unwrap();
        let large = Uuid::now_v7();
        std::thread::scope(|scope| {
            scope.spawn(|| ask(json!({"schema": "linkbeat.request/1", "request_id": large})));
        });
        let large = filed(&store, large).await;

        let small = Uuid::now_v7();
        let links: Vec<_> = (0..10).map(|n| json!({"url": format!("http://small-{n}.example/")})).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                ask(json!({"schema": "linkbeat.request/1", "request_id": small, "links": links}));
            });
        });
        let small = filed(&store, small).await;
        let published = async {
            while !store.open_jobs(OpenJobs::UnpublishedOfRun(small), None, 1).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, published).await.unwrap();
        let left = store.unpublished_runs(Unpublished::OfRun(large), 1).await.unwrap();
        assert!(left.first().is_some_and(|run| run.begun), "the large run is not published whole by then");
        store.close().await;
    });
}

/// Waits until a request has its run.
async fn filed(store: &SharedStore, request: Uuid) -> RunId {
    let filed = async {
        loop {
            let runs = store.runs(10).await.unwrap();
            if let Some(run) = runs.iter().find(|run| run.request_id.0 == request) {
                return run.id;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, filed).await.unwrap()
}
