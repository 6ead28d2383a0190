//! Parked messages: listed, shown, put back, dropped.

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::fleet::Fleet;
use crate::support::process::{Ended, linkbeat, run};

fn dead(fleet: &Fleet, args: &[&str]) -> Ended {
    let folder = crate::support::Folder::new();
    let mut command = linkbeat(folder.path(), [&["dead"], args].concat());
    fleet.configure(&mut command);
    run(&mut command)
}

fn listed(fleet: &Fleet, args: &[&str]) -> Vec<Value> {
    let list = dead(fleet, &[&["list", "--format", "json"], args].concat()).expect(0).json();
    list.as_array().unwrap().clone()
}

#[test]
fn parked_messages_are_listed_shown_put_back_and_dropped() {
    let fleet = Fleet::start(&[]);
    fleet.servers.publish("jobs", b"garbage");
    fleet.servers.publish("results", br#"{"schema":"linkbeat.results/7"}"#);
    let parked =
        |count: u32| eventually("parked messages", || (fleet.servers.depth("dead") == count).then_some(()));
    parked(2);

    let all = listed(&fleet, &[]);
    assert_eq!(all.len(), 2);
    let of_jobs = listed(&fleet, &["--queue", "jobs"]);
    assert_eq!((of_jobs.len(), &of_jobs[0]["queue"], &of_jobs[0]["bytes"]), (1, &json!("jobs"), &json!(7)));
    assert_eq!(listed(&fleet, &["--cause", "newer than this linkbeat"])[0]["queue"], "results");
    parked(2);

    let id = of_jobs[0]["id"].as_str().unwrap();
    assert_eq!(dead(&fleet, &["show", id]).expect(0).json()["body"], "garbage");
    assert!(dead(&fleet, &["requeue", "--all", "--queue", "jobs"]).expect(0).stderr.contains("1 put back"));
    parked(2);
    assert_eq!(listed(&fleet, &["--queue", "jobs"])[0]["id"], id, "parked again, under the same id");

    assert!(dead(&fleet, &["drop", id]).expect(0).stderr.contains("1 dropped"));
    parked(1);
    assert!(dead(&fleet, &["drop", id]).expect(2).stderr.contains(id), "it is gone");
    dead(&fleet, &["drop"]).expect(2);
    assert!(dead(&fleet, &["drop", "--all"]).expect(0).stderr.contains("1 dropped"));
    parked(0);
    assert_eq!(listed(&fleet, &[]), Vec::<Value>::new());
}
