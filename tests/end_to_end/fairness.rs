//! Apps beside each other: whoever asks for much holds up nobody who asks for little.

use linkbeat_shared::{Run, RunState};
use linkbeat_store::{OpenMode, open};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::requests::python_client;
use crate::support::Folder;
use crate::support::eventually;
use crate::support::fleet::{Fleet, Servers};
use crate::support::form::block_on;
use crate::support::site::{Answer, Street};

/// Links of a run that is large.
const LARGE: usize = 1_200;
/// The worker's slots. One in sixteen is kept for small runs.
const SLOTS: usize = 64;
const KEPT: usize = 4;

/// Asks for a run over the queue; returns its request id.
fn ask(servers: &Servers, links: &[String]) -> Uuid {
    let id = Uuid::now_v7();
    let links: Vec<Value> = links.iter().map(|url| json!({ "url": url })).collect();
    let request =
        json!({"schema": "linkbeat.request/1", "request_id": id, "links": links, "timeout_ms": 60_000});
    servers.publish("requests", request.to_string().as_bytes());
    id
}

/// The same page on a host of this number.
fn on_host(url: &str, net: usize, host: usize) -> String {
    let port_and_path = url.rsplit(':').next().unwrap();
    format!("http://127.{net}.{}.{}:{port_and_path}", host / 250, 1 + host % 250)
}

fn run_of(servers: &Servers, request: Uuid) -> Option<Run> {
    block_on(async {
        let store = open(&servers.database_url.parse().unwrap(), OpenMode::Check).await.unwrap();
        let runs = store.runs(10).await.unwrap();
        store.close().await;
        runs.into_iter().find(|run| run.request_id.0 == request)
    })
}

#[test]
fn a_small_run_ends_while_large_ones_hang() {
    let street = Street::open();
    let (hang, up) = (street.set("hang", Answer::Never), street.set("up", Answer::Page(200, String::new())));
    let mut fleet = Fleet::without_workers(&[]);
    fleet.start_worker(&["--concurrency", &SLOTS.to_string()]);
    let large: Vec<Uuid> = (0..4)
        .map(|run| {
            let links: Vec<String> = (0..LARGE).map(|host| on_host(&hang, 10 + run, host)).collect();
            ask(&fleet.servers, &links)
        })
        .collect();
    for run in &large {
        eventually("the large runs to be filed", || run_of(&fleet.servers, *run));
    }
    eventually("the worker to be full", || (street.hits("hang") >= SLOTS - KEPT).then_some(()));

    let small: Vec<String> = (0..10).map(|host| on_host(&up, 20, host)).collect();
    let small = ask(&fleet.servers, &small);
    eventually("the small run to end", || {
        run_of(&fleet.servers, small).filter(|run| run.state == RunState::Finished)
    });
    for run in large {
        let run = run_of(&fleet.servers, run).unwrap();
        assert_eq!((run.state, run.done), (RunState::Running, 0));
    }
    assert_eq!(street.hits("hang"), SLOTS - KEPT, "the slots that are kept were not taken");
    assert!(fleet.servers.depth("jobs.large") <= 256, "the other jobs wait in the database");
}

#[test]
fn an_app_that_asks_for_too_much_is_told_so_at_once() {
    let fleet = Fleet::without_workers(&[
        ("LINKBEAT_PRODUCER_MAX_RUNS_AT_ONCE", "2"),
        ("LINKBEAT_PRODUCER_MAX_LINKS_PER_DAY", "1500"),
    ]);
    let folder = Folder::new();
    let links = |count: usize| (0..count).map(|n| format!("http://h{n}.example/")).collect::<Vec<_>>();
    let refused = |links: Vec<String>| {
        let links: Vec<Value> = links.iter().map(|url| json!({ "url": url })).collect();
        folder.write("links.json", json!(links).to_string());
        python_client(&fleet, &folder, &["links.json"]).json()
    };
    // It is large, and so it is filed from the other queue.
    let large = ask(&fleet.servers, &links(1_200));
    eventually("the large run to be filed", || run_of(&fleet.servers, large));
    let answer = refused(links(301));
    assert_eq!((&answer["code"], &answer["error"]), (&json!(5), &json!("over_limit")), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("only 300 are left"), "{answer}");
    assert!(answer["retry_after_s"].as_u64().is_some_and(|after| (80_000..=86_401).contains(&after)));
    let small = ask(&fleet.servers, &links(1));
    eventually("the small run to be filed", || run_of(&fleet.servers, small));
    let answer = refused(links(1));
    assert!(answer["message"].as_str().unwrap().contains("2 of your runs go on"), "{answer}");
    assert_eq!((&answer["data"], &answer["retry_after_s"]), (&Value::Null, &json!(31)));
}

#[test]
fn an_app_may_be_kept_from_naming_links_or_from_asking_for_all() {
    for (allow, may_name) in [("given", true), ("stored", false)] {
        let fleet = Fleet::without_workers(&[("LINKBEAT_PRODUCER_ALLOW", allow)]);
        let folder = Folder::new();
        folder.write("links.json", r#"[{"url":"http://a.example/"}]"#);
        let forbidden: &[&str] = if may_name { &[] } else { &["links.json"] };
        let answer = python_client(&fleet, &folder, forbidden).json();
        assert_eq!((&answer["code"], &answer["error"]), (&json!(2), &json!("bad_request")), "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(&format!("producer.allow = {allow}")));
        let allowed = if may_name {
            ask(&fleet.servers, &["http://a.example/".to_owned()])
        } else {
            let id = Uuid::now_v7();
            let request = json!({"schema": "linkbeat.request/1", "request_id": id});
            fleet.servers.publish("requests", request.to_string().as_bytes());
            id
        };
        eventually("what is allowed to be filed", || run_of(&fleet.servers, allowed));
    }
}

#[test]
fn one_worker_serves_two_namespaces_and_neither_sees_the_other() {
    let street = Street::open();
    let (hang, up) = (street.set("hang", Answer::Never), street.set("up", Answer::Page(200, String::new())));
    let mut busy = Fleet::without_workers(&[]);
    let other = Fleet::without_workers(&[]);
    let both = format!("{},{}", busy.servers.namespace, other.servers.namespace);
    busy.start_worker(&["--namespace", &both, "--concurrency", "64"]);
    let hanging: Vec<String> = (0..LARGE).map(|host| on_host(&hang, 30, host)).collect();
    let flood = ask(&busy.servers, &hanging);
    // An eighth of the slots is kept for the other namespace, and more for small runs.
    eventually("the worker to be full", || (street.hits("hang") >= 56).then_some(()));
    let links: Vec<String> = (0..20).map(|host| on_host(&up, 31, host)).collect();
    let served = ask(&other.servers, &links);
    eventually("the other namespace to be served", || {
        run_of(&other.servers, served).filter(|run| run.state == RunState::Finished)
    });
    let flood = run_of(&busy.servers, flood).unwrap();
    assert_eq!((flood.state, flood.done), (RunState::Running, 0));
    assert_eq!(street.hits("hang"), 56);
    let stored = |servers: &Servers| {
        block_on(async {
            let store = open(&servers.database_url.parse().unwrap(), OpenMode::Check).await.unwrap();
            let links = store.links(None, 10_000).await.unwrap();
            store.close().await;
            links
        })
    };
    assert!(stored(&busy.servers).iter().all(|link| link.url.expose().ends_with("/hang")));
    assert!(stored(&other.servers).iter().all(|link| link.url.expose().ends_with("/up")));
}
