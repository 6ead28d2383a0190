//! Lists that come back: exported and imported, with near duplicates, without links that they had.

use serde_json::json;

use crate::support::form::{Form, arg};
use crate::support::named;
use crate::support::process::{linkbeat, run, run_with_input};
use crate::support::site::{Answer, Street};

#[test]
fn what_is_exported_is_imported_without_loss() {
    for format in ["csv", "json", "jsonl", "yaml"] {
        let (form, again) = (Form::embedded(), Form::embedded());
        form.run(&["links", "add", "https://me:secret@a.example/", "--name", "=1+1"]).expect(0);
        form.run(&["links", "add", "http://b.example/", "--name", "'quoted", "--description=-x"]).expect(0);
        let stored = form.links();
        let plain = form.run(&["links", "list", "--format", format]).expect(0).stdout;
        assert!(!plain.contains("secret"), "{plain}");
        let list = form.folder.write("out", &plain);
        let told = form.run(&["links", "import", arg(&list)]).expect(0).stderr;
        assert!(told.contains("0 added, 0 updated, 2 unchanged"), "{format}: {told}");
        assert_eq!(form.links(), stored, "{format}");
        let secrets = ["links", "list", "--format", format, "--with-secrets"];
        let whole = form.run(&secrets).expect(0).stdout;
        assert!(whole.contains("https://me:secret@a.example/"), "{format}: the stored URL is whole: {whole}");
        let list = again.folder.write("out", &whole);
        again.run(&["links", "import", arg(&list)]).expect(0);
        assert!(again.run(&secrets).expect(0).stdout.contains("me:secret@"), "{format}");
        let names: Vec<_> =
            again.links().as_array().unwrap().iter().map(|link| link["name"].clone()).collect();
        assert!(names.contains(&json!("=1+1")) && names.contains(&json!("'quoted")), "{format}: {names:?}");
    }
}

#[test]
fn a_url_is_checked_by_itself_and_a_list_is_read_from_standard_input() {
    let (street, form) = (Street::open(), Form::embedded());
    let (a, b) = (
        street.set("a", Answer::Page(200, String::new())),
        street.set("b", Answer::Page(404, String::new())),
    );
    let report = form.report(&[&a, &b]);
    assert_eq!((&report["data"]["up"], &report["data"]["down"]), (&json!(1), &json!(1)));
    let check = ["check", "--allow-network", "127.0.0.0/8", "--format", "json"];
    let piped = run_with_input(
        &mut linkbeat(form.folder.path(), check),
        format!("- name: A\n  url: {a}\n").as_bytes(),
    );
    assert_eq!(piped.expect(0).json()["data"]["active_num"], 1);
    let list = std::fs::File::open(form.folder.write("list.txt", format!("{b}\n"))).unwrap();
    let ended = linkbeat(form.folder.path(), check).stdin(list).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let all = run(&mut linkbeat(form.folder.path(), check)).expect(1).json();
    assert_eq!(all["data"]["active_num"], 2, "nothing on standard input: all stored links");
}

#[test]
fn near_duplicates_are_pointed_out_and_merged_with_their_history() {
    let form = Form::embedded();
    form.run(&["links", "add", "http://me:secret@www.a.example/", "--name", "A"]).expect(0);
    let list = form.folder.write(
        "list.csv",
        "url\nhttps://a.example\nhttps://a.example/#x\nhttp://b.example/%7Eme\nhttp://b.example/~me/\n",
    );
    let refused = form.run(&["links", "import", arg(&list)]).expect(2).stderr;
    assert!(refused.contains("is the same link as"), "{refused}");
    let told = form.run(&["links", "import", arg(&list), "--skip-bad-rows"]).expect(0).stderr;
    assert!(told.contains("list.csv:5: `http://b.example/~me/` looks like the link of"), "{told}");
    assert!(
        told.contains("`http://www.a.example/` (A) is stored") && told.contains("--merge-duplicates"),
        "{told}"
    );
    assert_eq!(form.links().as_array().unwrap().len(), 4);

    let form = Form::embedded();
    form.run(&["links", "add", "http://me:secret@www.a.example/", "--name", "A"]).expect(0);
    let id = form.links()[0]["id"].clone();
    let list = form.folder.write(
        "list.csv",
        "url\nhttps://a.example\nhttps://a.example/#x\nhttp://b.example/%7Eme\nhttp://b.example/~me/\n",
    );
    form.run(&["links", "import", arg(&list), "--merge-duplicates"]).expect(0);
    let links = form.links();
    assert_eq!(links.as_array().unwrap().len(), 2, "{links:#}");
    let merged = named(&links, "A");
    assert_eq!((&merged["id"], &merged["url"]), (&id, &json!("https://a.example/")));
    let whole = form.run(&["links", "list", "--format", "csv", "--with-secrets"]).expect(0).stdout;
    assert!(whole.contains("https://me:secret@a.example/"), "{whole}");
}

#[test]
fn what_the_list_no_longer_has_is_said_and_removed() {
    let form = Form::embedded();
    for url in ["http://a.example/", "http://b.example/", "http://c.example/"] {
        form.run(&["links", "add", url]).expect(0);
    }
    let list = form.folder.write("list.txt", "http://a.example/\nhttp://d.example/\n");
    let told = form.run(&["links", "import", arg(&list), "--prune"]).expect(0).stderr;
    let said = told.find("b.example (http://b.example/)").unwrap();
    assert!(said < told.find("2 removed").unwrap(), "first it is said: {told}");
    let urls: Vec<_> = form.links().as_array().unwrap().iter().map(|link| link["url"].clone()).collect();
    assert_eq!(urls, ["http://a.example/", "http://d.example/"]);
    let refused = form.run(&["check", "--prune"]).expect(2).stderr;
    assert!(refused.contains("--prune needs a list"), "{refused}");
}

#[test]
fn a_link_moves_with_its_history() {
    let (street, form) = (Street::open(), Form::embedded());
    let (a, b) = (
        street.set("a", Answer::Page(404, String::new())),
        street.set("b", Answer::Page(200, String::new())),
    );
    form.report(&[&a]);
    let before = form.links()[0].clone();
    form.run(&["links", "set", &a, "--url", &b]).expect(0);
    let after = form.links()[0].clone();
    assert_eq!((&after["id"], &after["url"]), (&before["id"], &json!(b)));
    assert_eq!(after["hidden_reason"], before["hidden_reason"]);
    form.run(&["links", "add", &a, "--name", "again"]).expect(0);
    let refused = form.run(&["links", "set", &b, "--url", &a]).expect(2).stderr;
    assert!(refused.contains("is stored already, as again"), "{refused}");
}

#[test]
fn an_import_says_what_it_read_even_where_the_name_says_it_too() {
    let form = Form::embedded();
    let list = form.folder.write("link.yml", "- name: A\n  link: http://a.example/\n");
    let told = form.run(&["links", "import", arg(&list)]).expect(0).stderr;
    assert!(told.contains("link.yml: read as YAML") && told.contains("1 added"), "{told}");
    let list = form.folder.write("list", "# friends\nhttp://b.example/ # since May\nhttp://c.example/#top\n");
    let told = form.run(&["links", "import", arg(&list)]).expect(0).stderr;
    assert!(told.contains("list: read as plain URLs") && told.contains("2 added"), "{told}");
    assert_eq!(form.run(&["links", "import", arg(&list), "--quiet"]).expect(0).stderr, "");
}

#[test]
fn all_that_is_said_of_a_link_can_be_taken_away() {
    let form = Form::embedded();
    let said = ["--group", "--description", "--avatar", "--screenshot", "--feed"];
    let change = |value| said.iter().flat_map(|name| [*name, value]).collect::<Vec<_>>();
    form.run(&["links", "add", "http://a.example/", "--name", "A"]).expect(0);
    let bare = form.links();
    form.run(&[&["links", "set", "A"][..], &change("x")].concat()).expect(0);
    let link = &form.links()[0];
    for name in ["group", "description", "avatar", "screenshot", "feed"] {
        assert_eq!(link[name], "x", "{link:#}");
    }
    form.run(&[&["links", "set", "A"][..], &change("")].concat()).expect(0);
    assert_eq!(form.links(), bare);
}
