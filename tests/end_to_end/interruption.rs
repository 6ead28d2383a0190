//! Killed, interrupted, resumed: nothing is lost and nothing is stored twice.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use linkbeat_shared::RunState;
use linkbeat_store::ReportLinks;
use serde_json::{Value, json};

use crate::support::fleet::{Fleet, Servers};
use crate::support::form::{Form, arg};
use crate::support::process::{Guarded, linkbeat, run, signal};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

const CHECK: [&str; 3] = ["check", "--allow-network", "127.0.0.0/8"];

/// Some links answer at once, others after a second: whenever it is killed, a part is done.
fn half_slow(street: &Street, links: usize) -> String {
    let mut list = "name,url\n".to_owned();
    for n in 0..links {
        let name = format!("site{n}");
        let answer = if n % 2 == 0 {
            Answer::Page(200, String::new())
        } else {
            Answer::After(Duration::from_millis(1_000), String::new())
        };
        list += &format!("{name},{}\n", street.set(&name, answer));
    }
    list
}

#[test]
fn a_check_killed_at_any_moment_is_finished_by_resume() {
    for delay in [30, 150, 400, 900] {
        let (street, form) = (Street::open(), Form::embedded());
        let list = form.list(&half_slow(&street, 40));
        let mut command = linkbeat(form.folder.path(), CHECK);
        let mut check = Guarded::spawn(command.arg(&list).stdout(Stdio::null()).stderr(Stdio::null()));
        std::thread::sleep(Duration::from_millis(delay));
        signal(check.id(), "KILL");
        check.wait();
        let resumed = run(linkbeat(form.folder.path(), CHECK).args(["--resume", "--format", "json"]));
        if resumed.status == Some(2) {
            assert!(
                resumed.stderr.contains("no run to resume"),
                "killed before anything was filed: {resumed:#?}"
            );
            continue;
        }
        let report = resumed.expect(0).json();
        assert_eq!(
            (&report["data"]["up"], &report["data"]["active_num"]),
            (&json!(40), &json!(40)),
            "at {delay} ms"
        );
        form.store(async |store| {
            let runs = store.runs(10).await.unwrap();
            assert_eq!(runs.len(), 1, "resumed, not started anew");
            assert_eq!((runs[0].state, runs[0].done), (RunState::Finished, 40));
            let links = store.report_links(runs[0].id, ReportLinks::All, None, 100).await.unwrap();
            assert_eq!(links.len(), 40, "each link once");
            store.close().await;
        });
    }
}

#[test]
fn a_resumed_run_does_not_fetch_again_what_is_stored() {
    let (street, form) = (Street::open(), Form::embedded());
    let mut list = "name,url\n".to_owned();
    for n in 0..10 {
        list += &format!("fast{n},{}\n", street.set(&format!("fast{n}"), Answer::Page(200, String::new())));
    }
    list += &format!("never,{}\n", street.set("never", Answer::Never));
    let list = form.list(&list);
    let mut command = linkbeat(form.folder.path(), CHECK);
    let mut check = Guarded::spawn(
        command.arg(&list).args(["--timeout", "30s"]).stdout(Stdio::null()).stderr(Stdio::null()),
    );
    eventually("ten stored results", || {
        form.store(async |store| {
            let done = store.runs(1).await.ok()?.first().map(|run| run.done);
            store.close().await;
            done.filter(|done| *done == 10)
        })
    });
    signal(check.id(), "KILL");
    check.wait();
    street.set("never", Answer::Page(200, String::new()));
    run(linkbeat(form.folder.path(), CHECK).args(["--resume"])).expect(0);
    for n in 0..10 {
        assert_eq!(street.hits(&format!("fast{n}")), 1, "fast{n}");
    }
    let again =
        run(linkbeat(form.folder.path(), CHECK).args(["--resume", "--format", "json"])).expect(0).json();
    assert_eq!(again["data"]["up"], 11, "resuming a finished run prints its report");
    assert_eq!(street.hits("never"), 2);
}

#[test]
fn a_signal_ends_check_cleanly_and_the_run_can_be_resumed() {
    for name in ["INT", "TERM"] {
        let (street, form) = (Street::open(), Form::embedded());
        let fast = street.set("fast", Answer::Page(200, String::new()));
        let never = street.set("never", Answer::Never);
        let list = form.list(&format!("name,url\nfast,{fast}\nnever,{never}\n"));
        let mut command = linkbeat(form.folder.path(), CHECK);
        let mut check = Guarded::spawn(
            command.args([arg(&list), "--timeout", "60s"]).stdout(Stdio::null()).stderr(Stdio::null()),
        );
        eventually("the check to be under way", || (street.hits("never") == 1).then_some(()));
        signal(check.id(), name);
        let (status, took) = check.wait();
        assert_eq!(status, Some(130));
        assert!(took < Duration::from_secs(7), "stated: a few seconds; took {took:?}");
        street.set("never", Answer::Page(200, String::new()));
        let report =
            run(linkbeat(form.folder.path(), CHECK).args(["--resume", "--format", "json"])).expect(0).json();
        assert_eq!(report["data"]["up"], 2);
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let (street, form) = (Street::open(), Form::embedded());
    let list = form.list(&format!("name,url\nnever,{}\n", street.set("never", Answer::Never)));
    let mut command = linkbeat(form.folder.path(), CHECK);
    let mut check = Guarded::spawn(
        command.args([arg(&list), "--timeout", "60s"]).stdout(Stdio::null()).stderr(Stdio::null()),
    );
    eventually("the check to be under way", || (street.hits("never") == 1).then_some(()));
    signal(check.id(), "INT");
    std::thread::sleep(Duration::from_millis(200));
    signal(check.id(), "INT");
    let (status, took) = check.wait();
    assert_eq!(status, Some(130));
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_daemon_asked_for_json_writes_nothing_else_even_when_it_is_stopped_or_fails() {
    let (servers, folder) = (Servers::new(), Folder::new());
    let events =
        |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let log = folder.path().join("stderr");
    let mut worker = linkbeat(folder.path(), ["worker", "--log-format", "json"]);
    servers.configure(&mut worker);
    let mut worker = Guarded::spawn(worker.stdout(Stdio::null()).stderr(File::create(&log).unwrap()));
    let told = || std::fs::read_to_string(&log).unwrap();
    eventually("the worker to start", || told().contains("started").then_some(()));
    signal(worker.id(), "TERM");
    assert_eq!(worker.wait().0, Some(0));
    let said = events(&told());
    assert!(said.iter().any(|event| event["fields"]["message"].as_str().unwrap().starts_with("draining")));

    // Its database was never migrated.
    let mut recorder = linkbeat(folder.path(), ["recorder", "--log-format", "json"]);
    servers.configure(&mut recorder);
    let said = events(&run(&mut recorder).expect(3).stderr);
    let last = said.last().unwrap();
    assert_eq!(last["level"], "ERROR", "{said:#?}");
    assert!(last["fields"]["message"].as_str().unwrap().contains("linkbeat migrate"), "{said:#?}");
}

#[test]
fn sigterm_ends_every_role_cleanly_and_gives_its_work_back() {
    let street = Street::open();
    let mut fleet = Fleet::start(&[]);
    let never = street.set("never", Answer::Never);
    let list = format!("name,url\nnever,{never}\n");
    let form = Form::embedded();
    let list = form.list(&list);
    let mut file = linkbeat(form.folder.path(), ["run", arg(&list), "--timeout", "8s"]);
    fleet.configure(&mut file);
    run(&mut file).expect(0);
    eventually("the check to be under way", || (street.hits("never") == 1).then_some(()));
    let limits = [("producer", 0, 11), ("recorder", 1, 11), ("worker", 2, 14), ("worker", 3, 14)];
    for (_, index, _) in limits {
        signal(fleet.role(index).id(), "TERM");
    }
    for (role, index, limit) in limits {
        let (status, took) = fleet.role(index).wait();
        assert_eq!(status, Some(0), "{role}");
        assert!(took < Duration::from_secs(limit), "{role}: {took:?}");
    }
    let waiting = fleet.servers.depth("jobs") + fleet.servers.depth("results");
    assert_eq!(waiting, 1, "the job, or the result of its check, waits for the next to come");
}
