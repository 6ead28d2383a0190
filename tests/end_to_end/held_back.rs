//! Runs that are held back: most links change in the same way for the same reason, and a person decides.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg, both_forms};
use crate::support::process::{Ended, linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

const PAGE: &str = r#"<p>friends: <a href="https://my.blog/">me</a></p>"#;
/// What a captive portal answers to every name.
const PORTAL: &str = "<h1>Welcome to the hotel</h1> Please log in";

fn site(number: usize) -> String {
    format!("site{number:02}")
}

/// So many sites, all of which answer like this; a list of them.
fn open(street: &Street, count: usize, answer: &Answer) -> String {
    let mut list = "name,url\n".to_owned();
    for number in 0..count {
        let (name, answer) = (site(number), answer.clone());
        writeln!(list, "{name},{}", street.set(&name, answer)).unwrap();
    }
    list
}

fn all(street: &Street, count: usize, answer: &Answer) {
    open(street, count, answer);
}

fn up() -> Answer {
    Answer::Page(200, PAGE.into())
}

fn shown(form: &Form) -> usize {
    form.links().as_array().unwrap().iter().filter(|link| link["shown"] == true).count()
}

/// Checks, and expects that the run is held back.
fn held(form: &Form, args: &[&str]) -> (String, Value, Ended) {
    let ended = form.check(args);
    let report = ended.json();
    assert_eq!(ended.status, Some(3), "{report:#}\n{}", ended.stderr);
    let data = report["data"].clone();
    assert_eq!(
        (&data["state"], &report["error"], &report["code"]),
        (&json!("held_back"), &json!("held_back"), &json!(3))
    );
    assert_eq!((&data["to_not_show"], &data["to_show"]), (&json!(0), &json!(0)));
    assert!(data["links"].as_array().unwrap().iter().all(|link| link["changed"] == Value::Null));
    (data["run_id"].as_str().unwrap().to_owned(), report, ended)
}

fn runs_state(form: &Form, id: &str) -> Value {
    let runs = form.run(&["runs", "list", "--format", "json"]).expect(0).json();
    let run = runs.as_array().unwrap().iter().find(|run| run["run_id"] == id).cloned();
    run.unwrap()["state"].clone()
}

both_forms! {
    /// A captive portal: every site answers 200, with a page of its own.
    fn a_portal_hides_nobody(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 12, &up()));
        let check = [arg(&list), "--backlink", r"https?://my\.blog"];
        form.report(&check);
        all(&street, 12, &Answer::Page(200, PORTAL.into()));
        let (id, report, ended) = held(form, &check);
        let data = &report["data"];
        assert_eq!((&data["no_backlink"], &data["would_hide"]), (&json!(12), &json!(12)));
        let alike = json!([{"change": "hidden", "reason": "backlink_missing", "links": 12}]);
        assert_eq!(data["held_back"], json!({"known": 12, "alike": alike, "decision": null}));
        assert!(data["links"].as_array().unwrap().iter().all(|link| link["proposed"] == "hidden" && link["shown"] == true));
        for text in [report["message"].as_str().unwrap(), &ended.stderr] {
            assert!(text.contains("12 of the 12 links") && text.contains("backlink_missing"), "{text}");
            assert!(text.contains(&format!("runs apply {id}")) && text.contains(&format!("runs discard {id}")), "{text}");
        }
        assert_eq!(shown(form), 12);

        // Back at home.
        all(&street, 12, &up());
        form.run(&["runs", "discard", &id]).expect(0);
        assert_eq!(runs_state(form, &id), "discarded");
        let report = form.report(&check);
        assert_eq!((&report["data"]["up"], &report["data"]["to_show"]), (&json!(12), &json!(0)));
    }

    /// The same where the sites were down: a portal shows none of them.
    fn a_portal_shows_nobody(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 12, &Answer::Page(404, String::new())));
        let report = form.report(&[arg(&list)]);
        assert_eq!(report["data"]["to_not_show"], 12, "a first check of dead links hides them");
        all(&street, 12, &Answer::Page(200, PORTAL.into()));
        let (id, report, _) = held(form, &[]);
        assert_eq!(report["data"]["held_back"]["alike"], json!([{"change": "shown", "reason": null, "links": 12}]));
        assert_eq!(shown(form), 0);
        // It was true: they are all back.
        let said = form.run(&["runs", "apply", &id]).expect(0).stderr;
        assert!(said.contains("0 hidden, 12 shown"), "{said}");
        assert_eq!((runs_state(form, &id), shown(form)), (json!("finished"), 12));
    }

    /// What was found of another page says nothing of a link that was moved since.
    fn a_link_that_a_person_has_moved_is_left_alone(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 12, &up()));
        form.report(&[arg(&list)]);
        all(&street, 12, &Answer::Page(404, String::new()));
        let (id, _, _) = held(form, &[]);
        let moved = street.set("moved", Answer::Page(404, String::new()));
        form.run(&["links", "set", "site03", "--url", &moved]).expect(0);
        let said = form.run(&["runs", "apply", &id]).expect(0).stderr;
        assert!(said.contains("11 hidden, 0 shown") && said.contains("left as they are"), "{said}");
        assert_eq!(crate::support::named(&form.links(), "site03")["shown"], true);
        // The next run decides about the new page.
        form.report(&[]);
        assert_eq!(crate::support::named(&form.links(), "site03")["shown"], false);
    }

    /// A pattern with a typing error, on links that are stored.
    fn a_wrong_pattern_hides_nobody(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 12, &up()));
        form.report(&[arg(&list), "--backlink", "my[.]blog"]);
        let (id, _, _) = held(form, &["--backlink", "my[.]bolg"]);
        assert_eq!(shown(form), 12);
        let report = form.report(&["--backlink", "my[.]blog"]);
        assert_eq!((&report["data"]["up"], shown(form)), (&json!(12), 12));
        // The later run knows better.
        let said = form.run(&["runs", "apply", &id]).expect(0).stderr;
        assert!(said.contains("0 hidden, 0 shown") && said.contains("12 links left as they are"), "{said}");
        assert_eq!(shown(form), 12);
    }

    /// A firewall that blocks us: most sites answer 403. Those that do not are judged as ever, once it is decided.
    fn a_wall_hides_nobody(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 12, &up()));
        form.report(&[arg(&list)]);
        all(&street, 11, &Answer::Page(403, "Access denied".into()));
        let (id, report, _) = held(form, &[]);
        assert_eq!((&report["data"]["up"], &report["data"]["held_back"]["alike"][0]["reason"]), (&json!(1), &json!("status")));
        assert_eq!(shown(form), 12);

        let show = form.run(&["runs", "show", &id]).expect(3);
        assert!(show.stdout.contains("held back: 12 checked") && show.stdout.contains("hidden?"), "{}", show.stdout);
        let chinese = form.run(&["runs", "show", &id, "--lang", "zh"]).expect(3).stdout;
        assert!(chinese.contains("待确认") && chinese.contains("若应用：隐藏 11"), "{chinese}");
        let listed = form.run(&["runs", "list"]).expect(0).stdout;
        assert!(listed.contains("held back"), "{listed}");
        let listed = form.run(&["runs", "list", "--format", "csv"]).expect(0).stdout;
        assert!(listed.contains(",held_back,"), "{listed}");

        for first in [true, false] {
            let said = form.run(&["runs", "apply", &id]).expect(0).stderr;
            assert_eq!(said.contains("11 hidden, 0 shown"), first, "{said}");
            assert_eq!(said.contains("applied already"), !first, "{said}");
            assert_eq!((runs_state(form, &id), shown(form)), (json!("finished"), 1));
        }
        form.run(&["runs", "show", &id]).expect(1);
        let refused = form.run(&["runs", "discard", &id]).expect(2).stderr;
        assert!(refused.contains("was applied already"), "{refused}");
    }

    /// Below the least number, or where nobody wants it, links are hidden and shown at once.
    fn few_links_are_hidden_as_ever_and_so_are_all_where_it_is_off(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 9, &up()));
        form.report(&[arg(&list)]);
        all(&street, 9, &Answer::Page(404, String::new()));
        assert_eq!((&form.report(&[])["data"]["to_not_show"], shown(form)), (&json!(9), 0));

        let list = form.list(&open(&street, 12, &up()));
        form.report(&[arg(&list)]);
        all(&street, 12, &Answer::Page(404, String::new()));
        let off = form.report(&["--hold-back-links", "0"]);
        assert_eq!((&off["data"]["to_not_show"], shown(form)), (&json!(12), 0));
        all(&street, 12, &up());
        let (id, _, _) = held(form, &["--hold-back-links", "3", "--hold-back-percent", "90"]);
        form.run(&["runs", "discard", &id]).expect(0);
        all(&street, 6, &Answer::Page(404, String::new()));
        let half = form.report(&["--hold-back-links", "3"]);
        assert_eq!((&half["data"]["to_show"], shown(form)), (&json!(6), 6), "half of them are not most");
    }

    /// What is not held back cannot be decided.
    fn only_a_run_that_is_held_back_is_decided(form: &Form) {
        let street = Street::open();
        let list = form.list(&open(&street, 1, &up()));
        let report = form.report(&[arg(&list)]);
        let id = report["data"]["run_id"].as_str().unwrap();
        for decision in ["apply", "discard"] {
            let refused = form.run(&["runs", decision, id]).expect(2).stderr;
            assert!(refused.contains("finished: it is not held back"), "{refused}");
            let nobody = form.run(&["runs", decision, "0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11"]).expect(2).stderr;
            assert!(nobody.contains("there is no run"), "{nobody}");
        }
    }
}

/// A run that is held back is reported again, and not begun anew, by `--resume`; the next check says that it waits.
#[test]
fn the_next_check_says_that_a_run_waits() {
    let form = Form::embedded();
    let street = Street::open();
    let list = form.list(&open(&street, 12, &up()));
    form.report(&[arg(&list)]);
    all(&street, 12, &Answer::Page(500, String::new()));
    let (id, ..) = held(&form, &["--retries", "0"]);
    let hits = street.hits(&site(0));
    let (again, ..) = held(&form, &["--resume"]);
    assert_eq!((&again, street.hits(&site(0))), (&id, hits), "nothing is checked again");
    let (next, _, ended) = held(&form, &["--retries", "0"]);
    assert!(ended.stderr.contains(&format!("run {id} is held back")), "{}", ended.stderr);
    // Each is decided by itself; the older one comes too late for what the later one has applied.
    form.run(&["runs", "apply", &next]).expect(0);
    assert_eq!(shown(&form), 0);
    let said = form.run(&["runs", "apply", &id]).expect(0).stderr;
    assert!(said.contains("12 links left as they are"), "{said}");
}

/// Events: nothing is told of links before somebody decides, and then everything before the end.
#[test]
fn listeners_are_told_when_it_is_decided() {
    let (street, fleet, folder) = (Street::open(), Fleet::start(&[]), Folder::new());
    let list = folder.write("list.csv", open(&street, 12, &up()));
    let command = |args: &[&str]| {
        let mut command = linkbeat(folder.path(), args);
        fleet.configure(&mut command);
        run(&mut command)
    };
    command(&["run", arg(&list), "--wait"]).expect(0);
    all(&street, 12, &Answer::Page(404, String::new()));
    let mut id = String::new();
    let events = fleet.servers.events("run.held_back", || {
        let report = command(&["run", "--wait", "--format", "json"]).expect(3).json();
        report["data"]["run_id"].as_str().unwrap().clone_into(&mut id);
    });
    let told: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(told, ["run.started", "run.held_back"]);
    assert_eq!(events[1]["report"]["held_back"]["alike"][0]["links"], 12);
    let events = fleet.servers.events("run.finished", || {
        command(&["runs", "apply", &id]).expect(0);
    });
    let told: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(told, [vec!["link.hidden"; 12], vec!["run.finished"]].concat());
    assert!(events.iter().all(|event| event["run_id"] == id.as_str()));
    assert_eq!(events[12]["report"]["to_not_show"], 12);

    all(&street, 12, &up());
    let events = fleet.servers.events("run.discarded", || {
        let report = command(&["run", "--wait", "--format", "json"]).expect(3).json();
        command(&["runs", "discard", report["data"]["run_id"].as_str().unwrap()]).expect(0);
    });
    assert!(events.iter().all(|event| event["event"].as_str().unwrap().starts_with("run.")), "{events:#?}");
    eventually("all to be told", || {
        let left = command(&["runs", "list", "--format", "json"]).expect(0).json();
        (left[0]["state"] == "discarded").then_some(())
    });
}
