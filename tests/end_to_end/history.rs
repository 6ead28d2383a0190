//! The history of a link from the command line, and its removal, in both forms.

use serde_json::json;

use crate::support::form::{Form, arg, both_forms};
use crate::support::named;
use crate::support::site::{Answer, Street};

fn page(status: u16) -> Answer {
    Answer::Page(status, String::new())
}

both_forms! {
    /// Checks that are not rolled up yet count at once, and rolling them up changes nothing.
    fn the_days_of_a_link_are_told_before_and_after_they_are_rolled_up(form: &Form) {
        let street = Street::open();
        let url = street.set("friend", page(200));
        let list = form.list(&format!("name,url\nfriend,{url}\n"));
        form.report(&[arg(&list)]);
        street.set("friend", page(500));
        form.report(&[arg(&list)]);
        let history = || form.run(&["links", "history", "friend", "--format", "json"]).expect(0).json();
        let before = history();
        assert_eq!((&before["checks"]["up"], &before["checks"]["down"]), (&json!(1), &json!(1)), "{before:#}");
        assert_eq!(before["reachable"], 50.0);
        assert_eq!(before["latency"]["answered_or_timed_out"], 2, "both were answered");
        assert_eq!(before["time_zone"], "UTC");
        form.run(&["history", "prune", "--older-than", "1d"]).expect(0);
        let after = history();
        assert_eq!((&after["checks"], &after["latency"]), (&before["checks"], &before["latency"]));
        let status = form.run(&["history", "status", "--format", "json"]).expect(0).json();
        assert_eq!((&status["checks"], &status["retention"]), (&json!(2), &json!("90d")), "{status:#}");
        assert!(status["rolled_at"].is_string() && status["cleaned_at"].is_string(), "{status:#}");
        form.run(&["history", "status"]).expect(0);
        let table = form.run(&["links", "history", "friend"]).expect(0).stdout;
        assert!(table.contains("50.00 %") && table.contains("1 up, 1 down"), "{table}");
        let rows = form.run(&["links", "history", "friend", "--format", "csv"]).expect(0).stdout;
        assert!(rows.starts_with("day,time_zone,reachable,shown,up,down"), "{rows}");
        form.run(&["links", "history", "friend", "--format", "junit"]).expect(2);
        form.run(&["links", "history", "nobody"]).expect(2);
    }

    /// A link that was never checked is neither reachable nor unreachable.
    fn no_data_is_no_number(form: &Form) {
        let list = form.list("name,url\nnew,https://new.example/\n");
        form.run(&["links", "import", arg(&list)]).expect(0);
        let history = form.run(&["links", "history", "new", "--since", "1y", "--format", "json"]).expect(0).json();
        assert_eq!((&history["reachable"], &history["latency"]["p95"]), (&json!(null), &json!(null)));
        assert_eq!(history["shown"], 100.0, "it is shown since it was imported");
        let table = form.run(&["links", "history", "new"]).expect(0).stdout;
        assert!(table.contains('–') && !table.contains("0.00 %"), "{table}");
    }

    /// The database chooses and sorts.
    fn links_are_listed_by_what_is_known_of_them(form: &Form) {
        let street = Street::open();
        let (good, bad) = (street.set("good", page(200)), street.set("bad", page(404)));
        let list = form.list(&format!("name,url,group,tags\nz good,{good},friends,art\na bad,{bad},others,art\n"));
        form.report(&[arg(&list)]);
        form.run(&["history", "prune", "--older-than", "30d"]).expect(0);
        let listed = |args: &[&str]| {
            let all = [&["links", "list", "--format", "json"], args].concat();
            let links = form.run(&all).expect(0).json();
            links.as_array().unwrap().iter().map(|link| link["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(listed(&["--sort", "name"]), ["a bad", "z good"]);
        assert_eq!(listed(&["--sort", "reachable"]), ["a bad", "z good"]);
        assert_eq!(listed(&["--reachable-below", "99.9"]), ["a bad"]);
        assert_eq!(listed(&["--group", "friends"]), ["z good"]);
        assert_eq!(listed(&["--tag", "art", "--shown"]), ["z good"]);
        assert_eq!(listed(&["--reason", "status", "--since", "1d"]), ["a bad"]);
        assert_eq!(listed(&["--verdict", "up", "--host", "nowhere.example"]), [""; 0]);
        assert_eq!(named(&form.links(), "a bad")["verdict"], "down");
    }
}

#[test]
fn what_history_is_kept_is_a_setting_and_a_bad_one_is_refused() {
    let form = Form::embedded();
    for (setting, bad) in [
        ("history.time_zone", "Berlin"),
        ("history.retention", "1h"),
        ("history.hourly", "soon"),
        ("history.runs", "-1d"),
    ] {
        let (section, key) = setting.split_once('.').unwrap();
        form.folder.write("linkbeat.toml", format!("[{section}]\n{key} = \"{bad}\"\n"));
        let refused = form.run(&["history", "status"]).expect(2);
        assert!(refused.stderr.contains(setting), "{}", refused.stderr);
    }
    let kept = "[history]\nretention = \"\"\nruns = \"2y\"\ntime_zone = \"Asia/Shanghai\"\n";
    form.folder.write("linkbeat.toml", kept);
    let status = form.run(&["history", "status", "--format", "json"]).expect(0).json();
    assert_eq!((&status["retention"], &status["runs"]), (&json!(null), &json!("730d")));
    assert_eq!((&status["hourly"], &status["time_zone"]), (&json!("14d"), &json!("Asia/Shanghai")));
    form.run(&["history", "prune", "--older-than", "1h"]).expect(2);
}
