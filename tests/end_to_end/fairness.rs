//! Apps beside each other: whoever asks for much holds up nobody who asks for little.

use linkbeat_shared::{Run, RunState};
use linkbeat_store::{OpenMode, open};
use serde_json::{Value, json};
use uuid::Uuid;

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
    let on_host = |url: &str, net: usize, host: usize| {
        let port = url.rsplit(':').next().unwrap();
        format!("http://127.{net}.{}.{}:{port}", host / 250, 1 + host % 250)
    };
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
