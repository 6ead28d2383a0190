//! Parked messages by filter, and more of them than one look holds.

use chrono::{TimeDelta, Utc};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Connection};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Folder;
use crate::support::fleet::Servers;
use crate::support::form::block_on;
use crate::support::process::{Ended, linkbeat, run};

/// One parked message, as a role parks it.
struct Letter {
    id: Uuid,
    queue: &'static str,
    cause: &'static str,
    age: TimeDelta,
    attempts: u32,
    body: String,
}

impl Letter {
    fn new(queue: &'static str, body: impl Into<String>) -> Self {
        let body = body.into();
        Self { id: Uuid::now_v7(), queue, cause: "unreadable", age: TimeDelta::zero(), attempts: 0, body }
    }

    fn properties(&self) -> BasicProperties {
        let mut headers = FieldTable::default();
        let mut set = |name: &str, value: String| {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        };
        set("linkbeat-cause", self.cause.to_owned());
        set("linkbeat-queue", self.queue.to_owned());
        set("linkbeat-parked-at", (Utc::now() - self.age).to_rfc3339());
        set("linkbeat-attempt", self.attempts.to_string());
        let id = ShortString::from(self.id.to_string());
        BasicProperties::default().with_message_id(id).with_headers(headers).with_delivery_mode(2)
    }
}

struct Dead {
    servers: Servers,
    folder: Folder,
}

impl Dead {
    fn holding(letters: &[Letter]) -> Self {
        let dead = Self { servers: Servers::new(), folder: Folder::new() };
        // Whoever connects declares the queues.
        dead.run(&["list"]).expect(0);
        block_on(async {
            let connection = Connection::connect(&dead.servers.broker_url, <_>::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(<_>::default()).await.unwrap();
            let queue = format!("{}.dead", dead.servers.namespace);
            let mut confirms = Vec::new();
            for letter in letters {
                let body = letter.body.as_bytes();
                let published = channel.basic_publish(
                    "".into(),
                    queue.as_str().into(),
                    <_>::default(),
                    body,
                    letter.properties(),
                );
                confirms.push(published.await.unwrap());
            }
            for confirm in confirms {
                assert!(matches!(confirm.await.unwrap(), lapin::Confirmation::Ack(None)));
            }
            connection.close(200, "".into()).await.unwrap();
        });
        dead
    }

    fn run(&self, args: &[&str]) -> Ended {
        let mut command = linkbeat(self.folder.path(), [&["dead"], args].concat());
        self.servers.configure(&mut command);
        run(&mut command)
    }

    fn listed(&self, args: &[&str]) -> Vec<Value> {
        let list = self.run(&[&["list", "--format", "json"], args].concat()).expect(0).json();
        list.as_array().unwrap().clone()
    }

    /// Takes the first message of a queue.
    fn take(&self, queue: &str) -> (Value, FieldTable) {
        block_on(async {
            let connection = Connection::connect(&self.servers.broker_url, <_>::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            let name = format!("{}.{queue}", self.servers.namespace);
            let options = lapin::options::BasicGetOptions { no_ack: true };
            let got = channel.basic_get(name.into(), options).await.unwrap();
            let got = got.unwrap_or_else(|| panic!("nothing in {queue}"));
            connection.close(200, "".into()).await.unwrap();
            let headers = got.delivery.properties.headers().clone().unwrap_or_default();
            (serde_json::from_slice(&got.delivery.data).unwrap(), headers)
        })
    }
}

fn ids(letters: &[Value]) -> Vec<&str> {
    letters.iter().map(|letter| letter["id"].as_str().unwrap()).collect()
}

#[test]
fn each_filter_leaves_what_it_says() {
    let run_id = Uuid::now_v7();
    let letters = [
        Letter { age: TimeDelta::hours(3), ..Letter::new("jobs", json!({ "run_id": run_id }).to_string()) },
        Letter { cause: "a check panicked", attempts: 3, ..Letter::new("suspects", "no JSON") },
        Letter::new("results", json!({ "run_id": run_id }).to_string()),
        Letter::new("requests", "{}"),
    ];
    let dead = Dead::holding(&letters);
    let id = |index: usize| letters[index].id.to_string();
    let run_id = run_id.to_string();
    let cases: [(&[&str], &[usize]); 6] = [
        (&[], &[0, 1, 2, 3]),
        (&["--queue", "jobs"], &[0, 1]),
        (&["--queue", "suspects"], &[1]),
        (&["--cause", "panicked"], &[1]),
        (&["--older-than", "1h"], &[0]),
        (&["--run", &run_id], &[0, 2]),
    ];
    for (args, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|index| id(*index)).collect();
        assert_eq!(ids(&dead.listed(args)), expected, "{args:?}");
    }
    let panicked = &dead.listed(&["--cause", "panicked"])[0];
    assert_eq!((&panicked["attempts"], &panicked["run_id"]), (&json!(3), &Value::Null));
    let table = dead.run(&["list", "--run", &run_id]).expect(0);
    assert!(table.stdout.contains(&run_id) && table.stdout.contains("TRIES"), "{}", table.stdout);
    assert!(table.stderr.contains("showing 2 of 2 that match; 4 parked"), "{}", table.stderr);
    // The same filters choose what is settled; the others stay.
    assert!(dead.run(&["drop", "--all", "--older-than", "1h"]).expect(0).stderr.contains("1 dropped"));
    assert!(dead.run(&["drop", "--all", "--run", &run_id]).expect(0).stderr.contains("1 dropped"));
    assert_eq!(ids(&dead.listed(&[])), [id(1), id(3)]);
    dead.run(&["drop", "--older-than", "1h"]).expect(2);
}

#[test]
fn a_job_that_is_put_back_begins_anew_and_its_run_is_told() {
    let (job_id, run_id) = (Uuid::now_v7(), Uuid::now_v7());
    let job = json!({
        "schema": "linkbeat.job/1", "job_id": job_id, "run_id": run_id,
        "links": [{ "id": Uuid::now_v7(), "url": "http://a.example/" }],
        "timeout_ms": 5_000, "retries": 1, "accept": "200",
    });
    let parked = Letter { attempts: 3, ..Letter::new("isolated", job.to_string()) };
    let id = parked.id.to_string();
    let dead = Dead::holding(&[parked, Letter::new("results", "{}")]);
    assert!(dead.run(&["requeue", &id]).expect(0).stderr.contains("1 put back"));
    assert_eq!(dead.servers.depth("results"), 1);
    let (notice, _) = dead.take("results");
    assert_eq!((&notice["schema"], &notice["parked"]), (&json!("linkbeat.parking/1"), &json!(false)));
    assert_eq!(notice["job_id"], json!(job_id));
    let (back, headers) = dead.take("isolated");
    assert_eq!(back, job);
    let ours = headers.inner().keys().filter(|name| name.as_str().starts_with("linkbeat-")).count();
    assert_eq!(ours, 0, "{headers:?}");
    assert!(dead.run(&["requeue", "--all"]).expect(0).stderr.contains("1 put back"));
    assert_eq!(dead.take("results").0, json!({}), "of what is no job nothing is told");
}

#[test]
fn thousands_are_looked_through_and_counted_honestly() {
    let mut letters: Vec<Letter> = (0..2_300).map(|_| Letter::new("results", "{}")).collect();
    letters.push(Letter::new("requests", "{}"));
    let last = letters.last().unwrap().id.to_string();
    let dead = Dead::holding(&letters);
    let list = dead.run(&["list", "--format", "json"]).expect(0);
    assert_eq!(list.json().as_array().unwrap().len(), 100);
    assert!(list.stderr.contains("showing 100 of 2301 parked"), "{}", list.stderr);
    assert_eq!(
        ids(&dead.listed(&["--queue", "requests"])),
        [last.as_str()],
        "it stands behind the first page"
    );
    let some = dead.run(&["list", "--queue", "results", "--limit", "5"]).expect(0).stderr;
    // The order of letters that were looked at before is RabbitMQ's.
    let all_but_one = ["1000", "999"].map(|count| format!("showing 5 of {count} or more that match"));
    assert!(all_but_one.iter().any(|told| some.contains(told)), "{some}");
    assert!(some.contains("only 1000 of 2301 were looked at"), "{some}");
    assert_eq!(dead.run(&["show", &last]).expect(0).json()["queue"], "requests");
    assert!(dead.run(&["requeue", "--all", "--queue", "requests"]).expect(0).stderr.contains("1 put back"));
    assert_eq!(dead.servers.depth("requests"), 1);
    let dropped = dead.run(&["drop", "--all"]).expect(0).stderr;
    assert!(dropped.contains("2300 dropped"), "{dropped}");
    assert_eq!(dead.servers.depth("dead"), 0);
}
