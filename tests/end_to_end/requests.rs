//! Other apps: requests over the queue, answers, events; the Python example is the client.

use std::process::Command;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::fleet::Fleet;
use crate::support::named;
use crate::support::process::{Ended, linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

/// The example client, as anybody would run it.
pub(crate) fn python_client(fleet: &Fleet, folder: &Folder, args: &[&str]) -> Ended {
    let python = std::env::var("LINKBEAT_TEST_PYTHON")
        .expect("LINKBEAT_TEST_PYTHON must name a Python with pika; run scripts/test");
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/request_run.py");
    let mut command = Command::new(python);
    command.current_dir(folder.path()).arg(client).arg(&fleet.servers.broker_url);
    run(command.args(args).args(["--namespace", &fleet.servers.namespace]))
}

fn links(street: &Street) -> String {
    let up = street.set("up", Answer::Page(200, "https://my.blog/".into()));
    let lost = street.set("lost", Answer::Page(200, "nothing".into()));
    json!([{ "name": "up", "url": up }, { "name": "lost", "url": lost }]).to_string()
}

#[test]
fn a_python_client_asks_for_a_run_and_gets_its_report() {
    let (street, fleet, folder) = (Street::open(), Fleet::start(&[]), Folder::new());
    folder.write("links.json", links(&street));
    let mut answer = Value::Null;
    let events = fleet.servers.events("run.finished", || {
        answer = python_client(&fleet, &folder, &["links.json", "--backlink", "my[.]blog"]).expect(0).json();
    });
    let data = &answer["data"];
    assert_eq!(
        (&answer["code"], &data["active_num"], &data["to_not_show"]),
        (&json!(0), &json!(2), &json!(1))
    );
    let listed: Vec<_> = data["links"].as_array().unwrap().iter().map(|link| link["name"].clone()).collect();
    assert_eq!(listed, ["lost"], "a reply lists what changed or failed");
    let types: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(types, ["run.started", "link.hidden", "run.finished"]);
    assert_eq!((&events[1]["link"]["name"], &events[1]["link"]["shown"]), (&json!("lost"), &json!(false)));
    assert_eq!(events[2]["report"]["to_not_show"], 1);
    street.set("lost", Answer::Page(200, "https://my.blog/ again".into()));
    let events = fleet.servers.events("run.finished", || {
        python_client(&fleet, &folder, &["--backlink", "my[.]blog"]).expect(0);
    });
    assert!(events.iter().any(|event| event["event"] == "link.shown"), "{events:#?}");
}

#[test]
fn the_same_request_id_twice_is_one_run_and_both_are_answered() {
    let (street, fleet, folder) = (Street::open(), Fleet::start(&[]), Folder::new());
    folder.write("links.json", links(&street));
    let id = Uuid::now_v7().to_string();
    let ask = || python_client(&fleet, &folder, &["links.json", "--request-id", &id]).expect(0).json();
    let (first, second) = (ask(), ask());
    assert_eq!(first["data"]["run_id"], second["data"]["run_id"]);
    assert_eq!(street.hits("up"), 1, "checked once");
    let mut list = linkbeat(folder.path(), ["runs", "list", "--format", "json"]);
    fleet.configure(&mut list);
    assert_eq!(run(&mut list).expect(0).json().as_array().unwrap().len(), 1);
}

#[test]
fn a_bad_request_is_answered_with_an_error_and_files_nothing() {
    let (fleet, folder) = (Fleet::start(&[]), Folder::new());
    folder.write("links.json", r#"[{"url": "http://127.0.0.1/"}, {"url": "ftp://old.example/"}]"#);
    let answer = python_client(&fleet, &folder, &["links.json"]).expect(1).json();
    assert_eq!(
        (&answer["code"], &answer["error"], &answer["data"]),
        (&json!(2), &json!("bad_request"), &Value::Null)
    );
    assert!(answer["message"].as_str().unwrap().contains("links[1]"), "{answer}");
    folder.write("links.json", "[]");
    let answer = python_client(&fleet, &folder, &["links.json", "--backlink", "a(?=b)"]).expect(1).json();
    assert!(answer["message"].as_str().unwrap().contains("look-around"), "{answer}");
    let mut list = linkbeat(folder.path(), ["runs", "list", "--format", "json"]);
    fleet.configure(&mut list);
    assert_eq!(run(&mut list).expect(0).json(), json!([]));
    assert_eq!(fleet.servers.depth("dead"), 0, "whoever asked was told: nothing is parked");
}

#[test]
fn what_nobody_can_be_told_of_is_parked_not_dropped() {
    let fleet = Fleet::start(&[]);
    fleet.servers.publish("requests", b"no json at all");
    fleet.servers.publish("requests", br#"{"schema":"linkbeat.request/9","request_id":"x"}"#);
    fleet.servers.publish("jobs", b"garbage");
    fleet.servers.publish("results", b"garbage");
    eventually("four parked messages", || (fleet.servers.depth("dead") == 4).then_some(()));
}

#[test]
fn a_request_without_links_covers_all_stored_active_ones() {
    let (street, fleet, folder) = (Street::open(), Fleet::start(&[]), Folder::new());
    let list = folder.write("list.txt", format!("{}\n", street.set("a", Answer::Page(404, String::new()))));
    let mut import = linkbeat(folder.path(), ["links", "import", list.to_str().unwrap()]);
    fleet.configure(&mut import);
    run(&mut import).expect(0);
    let answer = python_client(&fleet, &folder, &["--timeout-ms", "2000"]).expect(0).json();
    assert_eq!(answer["data"]["active_num"], 1);
    assert_eq!(named(&answer["data"]["links"], "127.0.1.98")["verdict"], "down");
}
