//! A list that is checked every day: what is printed, and the exit status.

use serde_json::{Value, json};

use crate::support::form::{Form, arg, both_forms};
use crate::support::named;
use crate::support::site::{Answer, Street};

fn up() -> Answer {
    Answer::Page(200, String::new())
}

fn gone() -> Answer {
    Answer::Page(404, String::new())
}

#[test]
fn a_dead_link_is_told_once_and_fails_once() {
    let (street, form) = (Street::open(), Form::embedded());
    let list = form.list(&format!("url\n{}\n{}\n", street.set("a", up()), street.set("b", gone())));
    let daily = |flags: &[&str]| form.check(&[&[arg(&list), "--format", "table", "-q"], flags].concat());
    let news = daily(&["--fail-on", "change"]).expect(1);
    assert!(news.stdout.contains("404") && news.stdout.contains("hidden"), "{news:#?}");
    let silent = daily(&["--fail-on", "change"]).expect(0);
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""), "nothing is new");
    assert_eq!(daily(&[]).expect(1).stdout, "", "by default a dead link fails every day");
    daily(&["--fail-on", "never"]).expect(0);
    street.set("b", up());
    let news = daily(&["--fail-on", "change"]).expect(1);
    assert!(news.stdout.contains("shown"), "{news:#?}");
    assert_eq!(daily(&["--fail-on", "change"]).expect(0).stdout, "");
    let report = form.check(&[arg(&list), "-q"]).expect(0);
    assert_eq!(report.json()["data"]["up"], 2, "programs get every report");
    daily(&["--output", "report.txt"]).expect(0);
    let file = std::fs::read_to_string(form.folder.path().join("report.txt")).unwrap();
    assert!(file.contains("All is well"), "{file}");
    form.folder.write("linkbeat.toml", "[output]\nfail_on = 'never'\n");
    street.set("b", gone());
    daily(&[]).expect(0);
}

#[test]
fn what_is_read_is_not_told_where_quiet_is_asked_for() {
    let (street, form) = (Street::open(), Form::embedded());
    let a = street.set("a", up());
    let list = form.folder.write("list", format!("url,name\n{a},A\n{a}/,B\nnope,C\n"));
    let flags = ["check", arg(&list), "--allow-network", "127.0.0.0/8", "--skip-bad-rows"];
    let told = form.run(&flags).stderr;
    assert!(told.contains("read as CSV") && told.contains("skipped 1 bad row"), "{told}");
    assert_eq!(form.run(&[&flags[..], &["-q"]].concat()).stderr, "");
}

both_forms! {
    /// The next checks keep it, whatever they find, and a list does not undo it.
    fn a_pinned_link_stays_as_a_person_left_it(form: &Form) {
        let street = Street::open();
        let (a, b) = (street.set("a", up()), street.set("b", gone()));
        let list = form.list(&format!("name,url\na,{a}\nb,{b}\n"));
        form.run(&["links", "import", arg(&list)]).expect(0);
        form.run(&["links", "set", "a", "--pin", "hidden", "--note", "asked me to"]).expect(0);
        form.run(&["links", "set", "b", "--pin", "shown"]).expect(0);
        for _ in 0..2 {
            let report = form.report(&[arg(&list)]);
            let data = &report["data"];
            assert_eq!((&data["to_not_show"], &data["to_show"]), (&json!(0), &json!(0)), "{report:#}");
            assert_eq!((&data["up"], &data["down"]), (&json!(1), &json!(1)), "they are checked");
            let links = form.links();
            let (a, b) = (named(&links, "a"), named(&links, "b"));
            assert_eq!((&a["shown"], &a["pin"], &a["pin_note"]), (&json!(false), &json!("hidden"), &json!("asked me to")));
            assert_eq!((&b["shown"], &b["pin"], &b["hidden_reason"]), (&json!(true), &json!("shown"), &Value::Null));
        }
        form.run(&["links", "import", arg(&list)]).expect(0);
        let table = form.run(&["links", "list"]).expect(0).stdout;
        assert!(table.contains("pinned: asked me to"), "{table}");
        form.run(&["links", "set", "a", "--pin", "none"]).expect(0);
        form.run(&["links", "set", "b", "--pin", "none"]).expect(0);
        let report = form.report(&[arg(&list)]);
        assert_eq!((&report["data"]["to_not_show"], &report["data"]["to_show"]), (&json!(1), &json!(1)));
    }
}
