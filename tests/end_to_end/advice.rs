//! What is wrong is said with what to do about it.

use serde_json::json;

use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};

#[test]
fn a_file_that_is_no_database_says_so() {
    let form = Form::embedded();
    form.folder.write("list.csv", "url\nhttp://a.example/\n");
    std::fs::create_dir(form.folder.path().join("folder")).unwrap();
    for (url, problem, advice) in [
        ("sqlite://list.csv", "is no SQLite database", "linkbeat links import"),
        ("sqlite://folder", "it is a folder", "name a file in it"),
        ("sqlite://nowhere/linkbeat.db", "there is no folder nowhere", "make the folder"),
    ] {
        let told = form.run(&["links", "list", "--database-url", url]).expect(2).stderr;
        assert!(told.contains(problem) && told.contains(advice), "{url}: {told}");
        assert_eq!(told.matches("error").count(), 1, "said once: {told}");
    }
    assert_eq!(
        std::fs::read_to_string(form.folder.path().join("list.csv")).unwrap(),
        "url\nhttp://a.example/\n"
    );
}

#[test]
fn a_mistyped_setting_is_told_with_its_line_and_what_was_meant() {
    let form = Form::embedded();
    form.folder.write("linkbeat.toml", "[output]\nlang = 'en'\n\n[check]\ntimeuot = '5s'\n");
    let told = form.run(&["links", "list"]).expect(2).stderr;
    assert!(told.contains("linkbeat.toml:5") && told.contains("did you mean `timeout`?"), "{told}");
    form.folder.write("linkbeat.toml", "");
    let list =
        |name: &str| run(linkbeat(form.folder.path(), ["links", "list"]).env(name, "5s")).expect(0).stderr;
    let told = list("LINKBEAT_TIMEOUT");
    assert!(
        told.contains("LINKBEAT_TIMEOUT") && told.contains("did you mean LINKBEAT_CHECK_TIMEOUT?"),
        "{told}"
    );
    assert_eq!(list("LINKBEAT_CHECK_TIMEOUT"), "");
}

#[test]
fn a_timeout_that_is_cut_and_a_white_list_that_matches_nothing_are_told() {
    let (street, form) = (Street::open(), Form::embedded());
    let list = form.list(&format!("name,url\nA,{}\n", street.set("a", Answer::Page(200, String::new()))));
    let flags = [arg(&list), "--timeout", "10m", "--white-list", "a", "--white-list", "A"];
    let told = form.check(&flags).expect(0).stderr;
    assert!(
        told.contains("600s") && told.contains("gets 60s") && told.contains("worker.max_timeout"),
        "{told}"
    );
    assert!(told.contains("no link has the name `a`") && !told.contains("`A`"), "{told}");
    assert_eq!(form.check(&[&flags[..], &["-q"]].concat()).expect(0).stderr, "");
}

#[test]
fn runs_are_named_by_a_word_or_the_beginning_of_their_id() {
    let (street, form) = (Street::open(), Form::embedded());
    let told = form.run(&["runs", "show", "latest"]).expect(2).stderr;
    assert!(told.contains("there is no run yet"), "{told}");
    let a = street.set("a", Answer::Page(200, String::new()));
    form.check(&[&a]).expect(0);
    let second = form.report(&[&a])["data"]["run_id"].clone();
    let shown = |run: &str| form.run(&["runs", "show", run, "--format", "json"]);
    assert_eq!(shown("latest").expect(0).json()["data"]["run_id"], second);
    let id = second.as_str().unwrap();
    assert_eq!(shown(&id[..id.len() - 1]).expect(0).json()["data"]["run_id"], second);
    assert!(shown(&id[..4]).expect(2).stderr.contains("several runs begin with"));
    assert!(shown("ffff").expect(2).stderr.contains("no run begins with ffff"));
}

#[test]
fn a_copy_of_the_database_is_whole() {
    let form = Form::embedded();
    form.run(&["links", "add", "http://a.example/"]).expect(0);
    form.run(&["backup", "copy.db"]).expect(0);
    let links = form
        .run(&["links", "list", "--format", "json", "--database-url", "sqlite://copy.db"])
        .expect(0)
        .json();
    assert_eq!(links[0]["url"], json!("http://a.example/"));
    let told = form.run(&["backup", "copy.db"]).expect(2).stderr;
    assert!(told.contains("copy.db exists already"), "{told}");
}
