//! Requests that cannot be read, and answers that cannot be given: others are served, and nothing is hidden.

use std::time::{Duration, Instant};

use linkbeat_testbed::background;
use linkbeat_testbed::raw_amqp::{RawPublisher, poison, short};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::eventually;
use crate::support::fleet::Fleet;
use crate::support::process::{Ended, linkbeat, run};
use crate::support::site::{Answer, Street};

/// Requests that are good.
const GOOD: usize = 20;

fn command(fleet: &Fleet, args: &[&str]) -> Ended {
    let folder = crate::support::Folder::new();
    let mut command = linkbeat(folder.path(), args);
    fleet.configure(&mut command);
    run(&mut command)
}

fn listed(fleet: &Fleet, args: &[&str]) -> Vec<Value> {
    command(fleet, &[args, &["--format", "json"]].concat()).expect(0).json().as_array().unwrap().clone()
}

/// Puts a message into one of the queues as any app could.
fn put(fleet: &Fleet, queue: &str, properties: &[u8], body: &[u8]) {
    background(async {
        let mut raw = RawPublisher::connect(&fleet.servers.broker_url).await;
        raw.publish(&format!("{}.{queue}", fleet.servers.namespace), b"", properties, body).await;
    });
}

/// A new request for one link.
fn request(url: &str) -> String {
    let links = json!([{ "name": "link", "url": url }]);
    json!({ "schema": "linkbeat.request/1", "request_id": Uuid::now_v7(), "links": links }).to_string()
}

fn good_requests_are_served(fleet: &Fleet, street: &Street) {
    let url = street.set("up", Answer::Page(200, "fine".into()));
    let begun = Instant::now();
    for _ in 0..GOOD {
        fleet.servers.publish("requests", request(&url).as_bytes());
    }
    eventually("the good requests to be served", || {
        let runs = listed(fleet, &["runs", "list", "--limit", "100"]);
        (runs.iter().filter(|run| run["state"] == "finished").count() == GOOD).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn messages_that_cannot_be_read_are_parked_and_others_are_served() {
    let (street, fleet) = (Street::open(), Fleet::start(&[]));
    for queue in ["requests", "jobs", "results", "broadcast", "dead"] {
        for (name, properties, _) in poison() {
            put(&fleet, queue, &properties, name.as_bytes());
        }
    }
    good_requests_are_served(&fleet, &street);
    let all = poison().len() * 4;
    eventually("all to be parked", || (listed(&fleet, &["dead", "list"]).len() == all).then_some(()));
    for queue in ["requests", "jobs", "results"] {
        let parked = listed(&fleet, &["dead", "list", "--queue", queue]);
        assert_eq!(parked.len(), poison().len(), "{queue}");
        assert!(
            parked.iter().all(|letter| letter["cause"].as_str().unwrap().starts_with("it cannot be read"))
        );
    }
    // One that lies in the dead queue as it came.
    let nested = listed(&fleet, &["dead", "list", "--cause", "nested"]);
    let own = nested.iter().find(|letter| letter["queue"] == Value::Null).unwrap();
    let id = own["id"].as_str().unwrap();
    let shown = command(&fleet, &["dead", "show", id]).expect(0).json();
    assert!(shown["cause"].as_str().unwrap().contains("nested"), "{shown}");
    assert!(poison().iter().any(|(name, ..)| shown["body"] == *name), "{shown}");
    assert!(command(&fleet, &["dead", "drop", id]).expect(0).stderr.contains("1 dropped"));
    command(&fleet, &["dead", "drop", "--all"]).expect(0);
    assert_eq!(listed(&fleet, &["dead", "list"]), Vec::<Value>::new());
}

#[test]
fn equal_messages_without_an_id_are_dropped_together() {
    let fleet = Fleet::start(&[]);
    for _ in 0..3 {
        put(&fleet, "dead", b"\x00\x00", b"the same");
    }
    eventually("three", || (listed(&fleet, &["dead", "list"]).len() == 3).then_some(()));
    assert!(command(&fleet, &["dead", "drop", "--all"]).expect(0).stderr.contains("3 dropped"));
    assert_eq!(listed(&fleet, &["dead", "list"]), Vec::<Value>::new());
}

#[test]
fn addresses_that_end_connections_or_are_our_own_hold_up_nobody() {
    let (street, fleet) = (Street::open(), Fleet::start(&[]));
    let url = street.set("up", Answer::Page(200, "fine".into()));
    let own = format!("{}.requests", fleet.servers.namespace);
    // The second names a node that no cluster has.
    let addresses = [
        "amq.rabbitmq.reply-to.xxx.yyy",
        "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA0NjgzNTczMQAAAtIAAAAAawhDkQ==.wIGLxUncPubLQCmp/WvLpg==",
        "amq.rabbitmq.reply-to.anVuayEh.wIGLxUncPubLQCmp/WvLpg==",
        own.as_str(),
    ];
    for address in addresses {
        let properties = [&[0x02, 0][..], &short(address.as_bytes())].concat();
        for url in ["ftp://old.example/", url.as_str(), "ftp://old.example/"] {
            put(&fleet, "requests", &properties, request(url).as_bytes());
        }
    }
    let runs = |count: usize| {
        eventually("all runs", || {
            let runs = listed(&fleet, &["runs", "list", "--limit", "100"]);
            (runs.iter().filter(|run| run["state"] == "finished").count() == count).then_some(())
        });
    };
    runs(addresses.len());
    // Nobody could be told that these two are bad: they were addressed to a queue of ours.
    assert_eq!(listed(&fleet, &["dead", "list", "--queue", "requests"]).len(), 2);
    let begun = Instant::now();
    for _ in 0..GOOD {
        fleet.servers.publish("requests", request(&url).as_bytes());
    }
    runs(addresses.len() + GOOD);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}
