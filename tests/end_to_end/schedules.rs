//! Schedules by the command line, and `linkbeat up`, which carries them out in one process.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::{Fleet, free_port, http_status};
use crate::support::form::{Form, arg, both_forms};
use crate::support::process::{Guarded, linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{eventually, named};

/// `linkbeat schedule ARGS`, which must end well.
fn schedule(form: &Form, args: &[&str]) {
    form.run(&[&["schedule"], args].concat()).expect(0);
}

fn shown(form: &Form, name: &str) -> Value {
    form.run(&["schedule", "show", name, "--format", "json"]).expect(0).json()
}

fn refused(form: &Form, args: &[&str]) -> String {
    form.run(&[&["schedule"], args].concat()).expect(2).stderr
}

fn up(form: &Form, args: &[&str]) -> Guarded {
    let mut command: Command = linkbeat(form.folder.path(), ["up", "--allow-network", "127.0.0.0/8"]);
    Guarded::logged(command.args(args), &form.folder.path().join("up.log"))
}

both_forms! {
    fn a_schedule_is_added_shown_changed_paused_and_removed(form: &Form) {
        let list = form.list("name,url\na,https://me:secret@a.example/\nb,https://b.example/\n");
        schedule(form, &["add", "nightly", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--backlink", "my[.]blog",
            "--white-list", "Old friend", "--hide-after", "3", "--jitter", "10m"]);
        schedule(form, &["add", "listed", arg(&list), "--every", "6h", "--anchor", "2026-01-01 01:30", "--overlap", "replace"]);
        schedule(form, &["add", "group", "--group", "Friends", "--tag", "art", "--at", "2099-01-01 00:00"]);

        let nightly = shown(form, "nightly");
        assert_eq!((&nightly["state"], &nightly["timing"]), (&json!("active"), &json!("30 2 * * *")));
        assert_eq!(nightly["words"], "At 02:30, in Europe/Berlin");
        assert_eq!((&nightly["overlap"], &nightly["missed"]), (&json!("forbid"), &json!("once")));
        assert_eq!(nightly["links"], json!({"all": true}));
        assert_eq!((&nightly["options"]["backlink"], &nightly["options"]["hide_after"]), (&json!("my[.]blog"), &json!(3)));
        assert_eq!(nightly["options"]["timeout"], "5s", "the whole request is kept");
        let next = nightly["next"].as_array().unwrap();
        assert_eq!((next.len(), &nightly["last"]), (5, &Value::Null));
        let (local, utc) = (next[0]["local"].as_str().unwrap(), next[0]["utc"].as_str().unwrap());
        assert!(local.contains("T02:30:00+0") || local.contains("T03:00:00+02:00"), "{local}");
        assert!(utc.ends_with('Z') && utc != local, "{utc}");

        let all = form.run(&["schedule", "list", "--format", "json"]).expect(0).json();
        let names: Vec<_> = all.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["group", "listed", "nightly"]);
        assert_eq!(named(&all, "listed")["links"], json!({"listed": 2}));
        assert!(named(&all, "listed")["next"][0]["utc"].as_str().unwrap().contains(":30:00Z"));
        assert_eq!(named(&all, "group")["links"], json!({"groups": ["Friends"], "tags": ["art"]}));
        assert_eq!(named(&all, "group")["next"].as_array().unwrap().len(), 1);
        let told = form.run(&["schedule", "list"]).expect(0).stdout;
        assert!(told.contains("At 02:30, in Europe/Berlin") && told.contains(" UTC"), "{told}");
        assert!(told.contains("group Friends; tag art") && told.contains("overlap replace"), "{told}");
        let told = form.run(&["schedule", "show", "listed"]).expect(0).stdout;
        assert!(!told.contains("secret") && told.contains("2 of a list"), "{told}");

        schedule(form, &["set", "nightly", "--cron", "0 4 * * *", "--no-backlink", "--timeout", "9s", "--missed", "skip"]);
        let changed = shown(form, "nightly");
        assert_eq!((&changed["words"], &changed["missed"]), (&json!("At 04:00, in Europe/Berlin"), &json!("skip")));
        assert_eq!((&changed["options"]["backlink"], &changed["options"]["timeout"]), (&Value::Null, &json!("9s")));
        assert_eq!((&changed["options"]["hide_after"], &changed["jitter_ms"]), (&json!(3), &json!(600_000)), "the rest stays");
        schedule(form, &["set", "listed", "--all"]);
        assert_eq!(shown(form, "listed")["links"], json!({"all": true}));

        schedule(form, &["pause", "nightly"]);
        assert_eq!((&shown(form, "nightly")["state"], &shown(form, "nightly")["next"]), (&json!("paused"), &json!([])));
        schedule(form, &["resume", "nightly"]);
        assert_eq!(shown(form, "nightly")["state"], "active");
        schedule(form, &["pause", "nightly", "--until", "3d"]);
        assert!(shown(form, "nightly")["paused_until"].as_str().unwrap().ends_with('Z'));
        assert!(refused(form, &["pause", "nightly", "--until", "yesterday"]).contains("yesterday"));
        let told = form.run(&["schedule", "list", "--lang", "zh"]).expect(0).stdout;
        assert!(told.contains("nightly: 已暂停 至 2") && told.contains("04:00（Europe/Berlin）"), "{told}");
        let told = form.run(&["schedule", "show", "group", "--lang", "zh"]).expect(0).stdout;
        assert!(told.contains("分组 Friends; 标签 art") && told.contains("对链接的要求"), "{told}");
        schedule(form, &["resume", "nightly"]);
        assert_eq!(shown(form, "nightly")["paused_until"], Value::Null);
        schedule(form, &["remove", "nightly"]);
        assert!(refused(form, &["show", "nightly"]).contains("there is no schedule nightly"));
    }
}

#[test]
fn what_cannot_be_a_schedule_is_refused_with_the_reason() {
    let form = Form::embedded();
    for (args, reason) in [
        (&["--cron", "0 3 * * *", "--time-zone", "Europe/Berlinn"][..], "is no time zone"),
        (&["--cron", "0 3 * * *", "--time-zone", "+02:00"], "is no time zone"),
        (&["--cron", "0 0 30 2 *"], "never fires"),
        (&["--cron", "61 * * * *"], "is no cron pattern"),
        (&["--cron", "nonsense"], "is no cron pattern"),
        (&["--every", "0s"], "between 1 s and 366 days"),
        (&["--every", "often"], "is no length of time"),
        (&["--at", "2020-01-01 00:00"], "lies in the past"),
        (&["--at", "2027-03-28 02:30", "--time-zone", "Europe/Berlin"], "clocks go forward"),
        (&[], "--cron PATTERN, --every TIME or --at MOMENT"),
        (&["--every", "1h", "--cron", "* * * * *"], "cannot be used with"),
        (&["--every", "1h", "--overlap", "maybe"], "forbid, allow and replace"),
        (&["--every", "1h", "--jitter", "25h"], "between 0 s and 24 h"),
        (&["--every", "1h", "--backlink", "(?=a)"], "look-around"),
        (&["--every", "1h", "no-such-file.csv"], "no-such-file.csv"),
        (&["list.csv", "--every", "1h", "--group", "Friends"], "cannot be used with"),
    ] {
        let error = refused(&form, &[&["add", "a"], args].concat());
        assert!(error.contains(reason), "{args:?}: {error}");
    }
    assert!(refused(&form, &["add", "", "--every", "1h"]).contains("1 to 100 characters"));
    schedule(&form, &["add", "a", "--every", "1h"]);
    assert!(refused(&form, &["add", "a", "--every", "2h"]).contains("already"));
    for command in ["set", "pause", "resume", "remove", "run-now", "show"] {
        assert!(refused(&form, &[command, "b"]).contains("there is no schedule b"), "{command}");
    }
    let ended = form.run(&["schedule", "list", "--format", "json"]).expect(0).json();
    assert_eq!(ended.as_array().unwrap().len(), 1);
}

#[test]
fn up_keeps_the_links_of_a_schedule_checked_and_ends_cleanly() {
    for signal in ["TERM", "INT"] {
        let (street, form) = (Street::open(), Form::embedded());
        let friend = street.set("friend", Answer::Page(200, "my.blog".into()));
        let list = form.list(&format!("name,url\nfriend,{friend}\n"));
        form.run(&["links", "import", arg(&list)]).expect(0);
        schedule(&form, &["add", "often", "--every", "2s", "--backlink", "my[.]blog"]);
        let address = format!("127.0.0.1:{}", free_port());
        let mut up = up(&form, &["--health-addr", &address]);
        eventually("/ready", || (http_status(&address, "/ready") == Some(200)).then_some(()));
        eventually("a check", || (street.hits("friend") > 0).then_some(()));
        street.set("friend", Answer::Page(404, String::new()));
        eventually("the link to be hidden", || (form.links()[0]["shown"] == false).then_some(()));
        street.set("friend", Answer::Page(200, "my.blog".into()));
        eventually("the link to be shown again", || (form.links()[0]["shown"] == true).then_some(()));
        up.signal(signal);
        let (status, took) = up.wait();
        assert_eq!(status, Some(0), "{}", up.log());
        assert!(took < Duration::from_secs(15), "{took:?}");
        let log = up.log();
        assert!(log.contains("tick fired") && log.contains("run ended") && log.contains("stopped"), "{log}");
        let often = shown(&form, "often");
        assert_eq!((&often["last"]["outcome"], &often["counts"]["failed"]), (&json!("fired"), &json!(0)));
        let fired = often["counts"]["fired"].as_u64().unwrap();
        let runs = form.run(&["runs", "list", "--limit", "1000", "--format", "json"]).expect(0).json();
        let states: Vec<_> =
            runs.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
        assert_eq!(states.len() as u64, fired, "a run for each tick");
        assert!(states.iter().filter(|state| **state != "finished").count() <= 1, "{states:?}");
    }
}

#[test]
fn up_that_was_killed_finishes_its_runs_at_the_next_start() {
    let (street, form) = (Street::open(), Form::embedded());
    let slow = street.set("slow", Answer::Never);
    let list = form.list(&format!("name,url\nslow,{slow}\n"));
    form.run(&["links", "import", arg(&list)]).expect(0);
    schedule(&form, &["add", "soon", "--every", "1s", "--timeout", "60s"]);
    let mut first = up(&form, &[]);
    eventually("the check to be under way", || (street.hits("slow") == 1).then_some(()));
    eventually("a tick to be skipped", || {
        (shown(&form, "soon")["counts"]["skipped_overlap"] != 0).then_some(())
    });
    first.kill();
    schedule(&form, &["pause", "soon"]);
    street.set("slow", Answer::Page(200, String::new()));
    let mut second = up(&form, &[]);
    let finished = || {
        let runs = form.run(&["runs", "list", "--limit", "1000", "--format", "json"]).expect(0).json();
        (runs.as_array().unwrap().len() == 1 && runs[0]["state"] == "finished").then_some(())
    };
    eventually("the run to be finished", finished);
    second.signal("TERM");
    assert_eq!(second.wait().0, Some(0), "{}", second.log());
}

#[test]
fn a_run_by_hand_is_carried_out_by_up_within_seconds() {
    let (street, form) = (Street::open(), Form::embedded());
    let friend = street.set("friend", Answer::Page(200, String::new()));
    let list = form.list(&format!("name,url\nfriend,{friend}\n"));
    schedule(&form, &["add", "yearly", arg(&list), "--cron", "0 0 1 1 *"]);
    let mut up = up(&form, &[]);
    let filed = form.run(&["schedule", "run-now", "yearly", "--format", "json"]).expect(0).json();
    assert_eq!(filed["links"], 1);
    let run_id = filed["run_id"].as_str().unwrap().to_owned();
    let finished = || {
        let runs = form.run(&["runs", "list", "--limit", "1000", "--format", "json"]).expect(0).json();
        (runs[0]["run_id"] == run_id.as_str() && runs[0]["state"] == "finished").then_some(())
    };
    eventually("the run to be finished", finished);
    up.signal("TERM");
    assert_eq!(up.wait().0, Some(0));
    let yearly = shown(&form, "yearly");
    assert_eq!((&yearly["counts"]["by_hand"], &yearly["counts"]["fired"]), (&json!(1), &json!(0)));
    assert_eq!((&yearly["last"]["outcome"], &yearly["last"]["run_id"]), (&json!("by_hand"), &json!(run_id)));
}

#[test]
fn a_fleet_files_the_runs_of_schedules_too() {
    let street = Street::open();
    let fleet = Fleet::start(&[]);
    let folder = crate::support::Folder::new();
    let friend = street.set("friend", Answer::Page(200, String::new()));
    let list = folder.write("list.csv", format!("name,url\nfriend,{friend}\n"));
    let command = |args: &[&str]| {
        let mut command = linkbeat(folder.path(), args);
        fleet.configure(&mut command);
        run(&mut command)
    };
    command(&["schedule", "add", "often", arg(&list), "--every", "1s", "--overlap", "allow"]).expect(0);
    eventually("three checks", || (street.hits("friend") >= 3).then_some(()));
    command(&["schedule", "pause", "often"]).expect(0);
    let often = command(&["schedule", "show", "often", "--format", "json"]).expect(0).json();
    let ticks = often["ticks"].as_array().unwrap();
    assert!(ticks.len() >= 3 && ticks.iter().all(|tick| tick["outcome"] == "fired"), "{often:#}");
}

#[test]
fn up_without_servers_refuses_what_needs_them() {
    let form = Form::embedded();
    let mut command = linkbeat(form.folder.path(), ["up"]);
    command.env("LINKBEAT_CELERY_QUEUES", "linkbeat.celery").stdout(Stdio::null());
    let ended = run(&mut command).expect(2);
    assert!(ended.stderr.contains("celery.queues") && ended.stderr.contains("RabbitMQ"), "{}", ended.stderr);
}
