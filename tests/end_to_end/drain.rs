//! A worker that stops lets go of what hangs, and another one carries on with it.

use std::time::Duration;

use crate::support::fleet::Fleet;
use crate::support::form::arg;
use crate::support::process::{linkbeat, run, signal};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

#[test]
fn a_worker_ends_within_its_drain_timeout_and_another_finishes_the_job() {
    let (street, folder) = (Street::open(), Folder::new());
    let mut fleet = Fleet::without_workers(&[]);
    let first = fleet.start_worker(&["--drain-timeout", "1s"]);
    let list = folder.write("list.txt", street.set("hangs", Answer::Never) + "\n");
    let mut file = linkbeat(folder.path(), ["run", arg(&list), "--timeout", "50s", "--format", "json"]);
    fleet.configure(&mut file);
    let id = run(&mut file).expect(0).json()["run_id"].as_str().unwrap().to_owned();
    eventually("the check to be under way", || (street.hits("hangs") == 1).then_some(()));
    signal(fleet.role(first).id(), "TERM");
    let (status, took) = fleet.role(first).wait();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
    street.set("hangs", Answer::Page(200, String::new()));
    fleet.start_worker(&[]);
    let mut show = linkbeat(folder.path(), ["runs", "show", &id, "--format", "json"]);
    fleet.configure(&mut show);
    eventually("the run to be finished", || (run(&mut show).json()["data"]["up"] == 1).then_some(()));
}

#[test]
fn the_default_is_told() {
    let folder = Folder::new();
    let help = run(&mut linkbeat(folder.path(), ["worker", "--help"])).expect(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("[default: the check's timeout + 5 s]"), "{help}");
}
