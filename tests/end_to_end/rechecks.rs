//! `--recheck-after`: a link about to be hidden is looked at again first, in both forms.

use std::process::Stdio;

use linkbeat_shared::RunState;
use serde_json::json;

use crate::support::form::{Form, arg, both_forms};
use crate::support::process::{Guarded, linkbeat, run, signal};
use crate::support::site::{Answer, Street};
use crate::support::{eventually, named};

fn page(status: u16) -> Answer {
    Answer::Page(status, String::new())
}

/// Has a site answer well as soon as it was asked once.
fn recover_after_one_look(street: &Street, name: &str) {
    eventually("the first look", || (street.hits(name) == 1).then_some(()));
    street.set(name, page(200));
}

both_forms! {
    /// A site that fails once and recovers is not hidden; one that fails twice is, with its reason.
    fn a_link_is_hidden_only_if_it_fails_again(form: &Form) {
        let street = Street::open();
        let rows = [("once", 503), ("twice", 404), ("good", 200)]
            .map(|(name, status)| format!("{name},{}\n", street.set(name, page(status))));
        let list = form.list(&format!("name,url\n{}", rows.concat()));
        let args = [arg(&list), "--recheck-after", "2s", "--retries", "0"];
        let report = std::thread::scope(|scope| {
            scope.spawn(|| recover_after_one_look(&street, "once"));
            form.report(&args)
        });
        let data = &report["data"];
        let counts = ["checked", "up", "down", "to_not_show", "missing", "to_recheck"].map(|count| data[count].clone());
        assert_eq!(counts, [3, 2, 1, 1, 0, 0].map(|count| json!(count)));
        assert_eq!(data["links"].as_array().unwrap().len(), 3, "one result for each link");
        assert_eq!(["once", "twice", "good"].map(|name| street.hits(name)), [2, 2, 1]);
        let once = named(&data["links"], "once");
        assert_eq!((&once["verdict"], &once["changed"]), (&json!("up"), &json!(null)));
        let stored = form.links();
        assert_eq!(named(&stored, "once")["shown"], true);
        let twice = named(&stored, "twice");
        assert_eq!((&twice["shown"], &twice["hidden_reason"]), (&json!(false), &json!({"type": "status", "code": 404})));

        // What is hidden already is not looked at twice.
        let again = form.report(&["--recheck-after", "2s", "--retries", "0"]);
        assert_eq!((&again["data"]["down"], street.hits("twice")), (&json!(1), 3));
    }
}

#[test]
fn a_run_that_waits_for_its_second_looks_can_be_resumed() {
    let (street, form) = (Street::open(), Form::embedded());
    let list = form.list(&format!("name,url\na,{}\n", street.set("a", page(500))));
    let check = ["check", "--allow-network", "127.0.0.0/8", "--retries", "0", "--recheck-after", "3s"];
    let mut command = linkbeat(form.folder.path(), check);
    let mut running = Guarded::spawn(command.arg(&list).stdout(Stdio::null()).stderr(Stdio::null()));
    let id = eventually("the second look to be filed", || {
        form.store(async |store| {
            let run = store.runs(1).await.unwrap().pop();
            let report = match &run {
                Some(run) => store.summary(run.id).await.unwrap(),
                None => None,
            };
            store.close().await;
            report.filter(|report| report.to_recheck == 1).map(|report| report.run_id)
        })
    });
    signal(running.id(), "KILL");
    running.wait();
    let shown = form.run(&["runs", "show", &id.to_string()]).expect(1);
    assert!(shown.stdout.contains("1 to be looked at again"), "{shown:#?}");

    street.set("a", page(200));
    let resume = ["check", "--allow-network", "127.0.0.0/8", "--resume", "--format", "json"];
    let report = run(&mut linkbeat(form.folder.path(), resume)).expect(0).json();
    assert_eq!((&report["data"]["up"], &report["data"]["to_not_show"]), (&json!(1), &json!(0)));
    form.store(async |store| {
        let run = store.run(id).await.unwrap().unwrap();
        assert_eq!((run.state, run.done), (RunState::Finished, 1));
        store.close().await;
    });
}

#[test]
fn a_time_to_wait_that_makes_no_sense_is_told() {
    let form = Form::embedded();
    for bad in ["500ms", "25h", "soon"] {
        let ended = form.run(&["check", "--recheck-after", bad]).expect(2);
        assert!(ended.stderr.contains("--recheck-after"), "{ended:#?}");
    }
}
