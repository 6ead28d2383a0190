//! The dashboard over the queues of a real RabbitMQ: parked messages, depths, workers, and how many may ask at once.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::ask_api;
use crate::support::fleet::{Fleet, free_port};
use crate::support::process::{Guarded, linkbeat};
use crate::support::{Folder, eventually};

/// A dashboard of a fleet.
struct Dashboard {
    port: u16,
    _process: Guarded,
    _folder: Folder,
}

impl Dashboard {
    fn of(fleet: &Fleet) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let listen = format!("127.0.0.1:{port}");
        let mut command = linkbeat(folder.path(), ["dashboard", "--listen", &listen]);
        fleet.configure(&mut command);
        let process = Guarded::logged(&mut command, &folder.path().join("dashboard.log"));
        eventually("the dashboard", || {
            ask_api(port, "GET", "/api/v1/health", "").filter(|(status, _)| *status == 200)
        });
        Self { port, _process: process, _folder: folder }
    }

    fn ask(&self, request: &str, body: &Value) -> (u16, Value) {
        let (method, path) = request.split_once(' ').unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = ask_api(self.port, method, &format!("/api/v1{path}"), &body).unwrap();
        (status, serde_json::from_str(&answer).unwrap())
    }

    fn parked(&self) -> Vec<Value> {
        let (status, listed) = self.ask("GET /parked", &Value::Null);
        assert_eq!(status, 200, "{listed}");
        listed["items"].as_array().unwrap().clone()
    }

    /// How many of these were found.
    fn settle(&self, how: &str, ids: &[&Value]) -> u64 {
        let (status, settled) = self.ask(&format!("POST /parked/{how}"), &json!({ "ids": ids }));
        assert_eq!(status, 200, "{settled}");
        settled["messages"].as_u64().unwrap()
    }
}

fn of_queue<'a>(parked: &'a [Value], queue: &str) -> &'a Value {
    parked.iter().find(|message| message["queue"] == queue).unwrap_or_else(|| panic!("{parked:?}"))
}

#[test]
fn parked_messages_are_seen_put_back_and_dropped_over_the_dashboard() {
    let fleet = Fleet::start(&[]);
    let dashboard = Dashboard::of(&fleet);
    fleet.servers.publish("jobs", b"garbage");
    fleet.servers.publish("results", br#"{"schema":"linkbeat.results/7"}"#);
    let left =
        |count: u32| eventually("parked messages", || (fleet.servers.depth("dead") == count).then_some(()));
    left(2);
    let parked = dashboard.parked();
    assert_eq!(parked.len(), 2);
    let (job, result) = (of_queue(&parked, "jobs"), of_queue(&parked, "results"));
    assert!(result["cause"].as_str().unwrap().contains("newer than this linkbeat"), "{result}");
    assert!(parked.iter().all(|message| message["parked_at"].is_string()), "{parked:?}");
    // To look at them holds them until the connection ends.
    left(2);
    assert_eq!(dashboard.ask("GET /parked?limit=1", &Value::Null).1["items"].as_array().unwrap().len(), 1);

    assert_eq!(dashboard.settle("requeue", &[&job["id"]]), 1);
    let again = eventually("the job to be parked anew", || {
        let again = dashboard.parked();
        again.iter().find(|other| other["id"] == job["id"] && other["parked_at"] != job["parked_at"])?;
        (again.len() == 2).then_some(again)
    });
    assert_eq!(of_queue(&again, "jobs")["id"], job["id"]);

    assert_eq!(dashboard.settle("drop", &[&result["id"]]), 1);
    left(1);
    let unknown = json!("0190a1b2-0000-7000-8000-000000000001");
    assert_eq!(dashboard.settle("drop", &[&result["id"], &unknown]), 0, "they are not there");
    assert_eq!(dashboard.settle("drop", &[&job["id"], &unknown]), 1, "the other one is not there");
    left(0);
    assert_eq!(dashboard.parked(), Vec::<Value>::new());
}

#[test]
fn workers_and_queues_are_told_and_only_so_many_ask_the_broker_at_once() {
    let fleet = Fleet::start(&[]);
    let dashboard = Dashboard::of(&fleet);
    let begun = Instant::now();
    let answers: Vec<(u16, Value)> = thread::scope(|scope| {
        let asking: Vec<_> =
            (0..6).map(|_| scope.spawn(|| dashboard.ask("GET /workers", &Value::Null))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let (told, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 200);
    // Each asks for seven seconds. Two ask at once, two more come after them, and the others wait for ten.
    assert!(told.len() >= 2 && told.len() <= 4, "{answers:?}");
    for (_, workers) in told {
        assert_eq!(workers["items"].as_array().unwrap().len(), 2, "{workers}");
    }
    for (status, problem) in refused {
        assert_eq!(*status, 503, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("others are asking"), "{problem}");
    }
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());

    // Parked messages have a turn of their own, and the overview tells the queues.
    assert_eq!(dashboard.parked(), Vec::<Value>::new());
    let overview = eventually("the workers on the overview", || {
        let (_, page) = ask_api(dashboard.port, "GET", "/", "")?;
        page.contains("results.large").then_some(page)
    });
    assert!(overview.contains("jobs"), "{overview}");
}
