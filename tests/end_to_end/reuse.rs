//! `--reuse-within`: a fresh result counts instead of a new check, in both forms.

use std::time::Duration;

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::form::{arg, both_forms};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, named};

both_forms! {
    fn a_fresh_result_is_taken_and_no_site_is_asked(form: &Form) {
        let street = Street::open();
        let page = |status, text: &str| Answer::Page(status, text.to_owned());
        let rows = [("good", page(200, "me")), ("bad", page(404, ""))]
            .map(|(name, answer)| format!("{name},{}\n", street.set(name, answer)));
        let list = form.list(&format!("name,url\n{}", rows.concat()));
        let ask = |more: &[&str]| form.report(&[&[arg(&list), "--retries", "0"], more].concat());
        let hits = || ["good", "bad"].map(|name| street.hits(name));
        let of = |report: &serde_json::Value, name: &str| {
            let link = named(&report["data"]["links"], name);
            ["verdict", "reason", "status", "shown"].map(|field| link[field].clone())
        };

        let first = ask(&[]);
        assert_eq!((hits(), &first["data"]["reused"]), ([1, 1], &json!(null)));

        let again = ask(&["--reuse-within", "1h"]);
        assert_eq!(hits(), [1, 1], "nobody was asked");
        let counts = ["active_num", "checked", "up", "down", "reused", "to_not_show"];
        assert_eq!(counts.map(|count| again["data"][count].clone()), [2, 2, 1, 1, 2, 0].map(|count| json!(count)));
        for name in ["good", "bad"] {
            assert_eq!(of(&again, name), of(&first, name));
        }

        let backlink = ["--reuse-within", "1h", "--backlink", "me"];
        assert_eq!(ask(&backlink)["data"]["reused"], json!(null), "another check");
        assert_eq!(hits(), [2, 2]);
        assert_eq!(ask(&backlink)["data"]["reused"], 2);
        ask(&[]);
        assert_eq!(hits(), [3, 3], "what is not asked for is not done");

        // A link that nobody has checked is fetched beside those that are taken over.
        let new = form.list(&format!("name,url\n{}new,{}\n", rows.concat(), street.set("new", page(200, ""))));
        let mixed = form.report(&[arg(&new), "--retries", "0", "--reuse-within", "1h"]);
        assert_eq!((&mixed["data"]["checked"], &mixed["data"]["reused"]), (&json!(3), &json!(2)));
        assert_eq!((hits(), street.hits("new")), ([3, 3], 1));
    }
}

/// Two people ask for the same slow site at the same time: it is asked once, and both are answered.
#[test]
fn runs_that_want_the_same_check_at_the_same_moment_share_it() {
    let (street, folder, mut fleet) = (Street::open(), Folder::new(), Fleet::without_workers(&[]));
    fleet.start_worker(&[]);
    let url = street.set("slow", Answer::After(Duration::from_secs(3), "me".to_owned()));
    let list = folder.write("list.csv", format!("name,url\nslow,{url}\n"));
    let ask = |more: &[&str]| {
        let args = [&["run", arg(&list), "--wait", "--retries", "0", "--format", "json"], more].concat();
        let mut command = linkbeat(folder.path(), args);
        fleet.configure(&mut command);
        run(&mut command).json()
    };
    // The list is stored, so the runs do not wait for each other.
    ask(&["--timeout", "1ms"]);
    let before = street.hits("slow");
    let asks: [&[&str]; 3] = [&[], &[], &["--backlink", "not there"]];
    let reports = std::thread::scope(|scope| {
        let runs = asks.map(|more| {
            scope.spawn({
                let ask = &ask;
                move || ask(more)
            })
        });
        runs.map(|run| run.join().unwrap())
    });
    let verdicts = reports.each_ref().map(|report| report["data"]["links"][0]["verdict"].clone());
    assert_eq!(verdicts, ["up", "up", "no_backlink"].map(|verdict| json!(verdict)));
    assert_eq!(street.hits("slow") - before, 2, "one for each kind of check");
    let reused = reports.each_ref().map(|report| report["data"]["reused"].as_u64().unwrap_or_default());
    assert_eq!((reused[0] + reused[1], reused[2]), (1, 0), "a check counts once");
}
