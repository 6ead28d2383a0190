//! Every form of list, and the stored links by hand.

use serde_json::{Value, json};

use crate::support::form::{Form, arg};
use crate::support::named;

#[test]
fn every_form_of_list_is_read() {
    let lists = [
        (
            "a.csv",
            "url,name,page_url,active,shown,backlink\nhttp://a.example/,A,http://a.example/l,yes,no,no\n",
        ),
        (
            "a.json",
            r#"[{"name":"A","url":"http://a.example/","page_url":"http://a.example/l","shown":false,"backlink":false}]"#,
        ),
        (
            "b.json",
            r#"{"link_list":[{"name":"A","link":"http://a.example/","linkpage":"http://a.example/l"}]}"#,
        ),
        ("a.txt", "# friends\n\nhttp://a.example/\r\n"),
        ("bom.csv", "\u{feff}name,url\nA,http://a.example/\n"),
    ];
    for (file, content) in lists {
        let form = Form::embedded();
        let list = form.folder.write(file, content);
        form.run(&["links", "import", arg(&list)]).expect(0);
        let links = form.links();
        let link = &links[0];
        let name = if file == "a.txt" { "a.example" } else { "A" };
        assert_eq!((&link["name"], &link["url"]), (&json!(name), &json!("http://a.example/")), "{file}");
        assert_eq!(link["page_url"] == "http://a.example/l", file != "a.txt" && file != "bom.csv", "{file}");
        assert_eq!(link["shown"], !matches!(file, "a.csv" | "a.json"), "{file}");
        assert_eq!((&link["verdict"], &link["last_checked_at"]), (&Value::Null, &Value::Null), "{file}");
    }
}

#[test]
fn links_are_added_changed_and_removed_by_hand() {
    let form = Form::embedded();
    form.run(&["links", "add", "https://a.example/", "--name", "A"]).expect(0);
    form.run(&["links", "add", "https://b.example/"]).expect(0);
    form.run(&[
        "links",
        "set",
        "A",
        "--shown",
        "false",
        "--active",
        "false",
        "--page-url",
        "https://a.example/l",
    ])
    .expect(0);
    let links = form.links();
    let link = named(&links, "A");
    assert_eq!((&link["shown"], &link["active"]), (&json!(false), &json!(false)));
    assert_eq!(link["page_url"], "https://a.example/l");
    form.run(&["links", "set", "https://a.example/", "--page-url", "none", "--name", "AA"]).expect(0);
    assert_eq!(named(&form.links(), "AA")["page_url"], Value::Null);
    form.run(&["links", "pause", "AA", "b.example", "--until", "2d"]).expect(0);
    let paused = form.links();
    assert_eq!(named(&paused, "AA")["active"], false);
    assert!(named(&paused, "b.example")["paused_until"].as_str().unwrap().ends_with('Z'));
    form.run(&["links", "resume", "AA", "b.example"]).expect(0);
    assert_eq!(
        (&named(&form.links(), "AA")["active"], &named(&form.links(), "AA")["paused_until"]),
        (&json!(true), &Value::Null)
    );
    for bad in ["yesterday", "2020-01-01", "20y"] {
        assert!(form.run(&["links", "pause", "AA", "--until", bad]).expect(2).stderr.contains(bad), "{bad}");
    }
    assert!(form.run(&["links", "set", "A", "--active", "true"]).expect(2).stderr.contains("`A`"));
    assert!(
        form.run(&["links", "set", "AA"]).expect(2).stderr.contains("--active"),
        "something must be changed"
    );
    form.run(&["links", "remove", "b.example"]).expect(0);
    assert_eq!(form.links().as_array().unwrap().len(), 1);
    form.run(&["links", "add", "nope"]).expect(2);
}

#[test]
fn what_is_said_of_a_link_is_kept_and_given_back_in_every_way() {
    let form = Form::embedded();
    let said = ["--group", "Friends", "--avatar", "/a.png", "--feed", "/feed", "--tags", "trains, art"];
    form.run(&[&["links", "add", "https://a.example/"], &said[..]].concat()).expect(0);
    form.run(&["links", "add", "https://b.example/"]).expect(0);
    let changes = ["--description", "=A, blog", "--screenshot", "/s.png", "--tags", "art;travel"];
    form.run(&[&["links", "set", "https://a.example/"], &changes[..]].concat()).expect(0);
    let links = form.links();
    let link = named(&links, "a.example");
    assert_eq!(
        (&link["group"], &link["avatar"], &link["feed"]),
        (&json!("Friends"), &json!("/a.png"), &json!("/feed"))
    );
    assert_eq!((&link["description"], &link["tags"]), (&json!("=A, blog"), &json!(["art", "travel"])));

    let csv = form.run(&["links", "list", "--format", "csv"]).expect(0).stdout;
    assert!(csv.contains(",Friends,/a.png,\"'=A, blog\",/s.png,/feed,\"art,travel\"\n"), "{csv}");
    let again = Form::embedded();
    let list = again.folder.write("links.csv", &csv);
    again.run(&["links", "import", arg(&list)]).expect(0);
    let link = named(&again.links(), "a.example").clone();
    assert_eq!((&link["screenshot"], &link["tags"]), (&json!("/s.png"), &json!(["art", "travel"])));

    let long = "x".repeat(201);
    let refused = form.run(&["links", "set", "https://a.example/", "--group", &long]).expect(2);
    assert!(refused.stderr.contains("longer than 200 characters"), "{}", refused.stderr);
    assert!(form.run(&["links", "set", "https://a.example/"]).expect(2).stderr.contains("--tags"));

    // An empty text takes away. What is not named stays.
    form.run(&["links", "set", "https://a.example/", "--group", ""]).expect(0);
    let link = named(&form.links(), "a.example").clone();
    assert_eq!((&link["group"], &link["description"]), (&json!(null), &json!("=A, blog")));
    form.run(&["links", "set", "https://a.example/", "--description", "", "--tags", ""]).expect(0);
    let link = named(&form.links(), "a.example").clone();
    assert_eq!((&link["description"], &link["avatar"]), (&json!(null), &json!("/a.png")));
}

#[test]
fn settings_come_from_flag_environment_and_file_in_this_order() {
    let form = Form::embedded();
    form.run(&["links", "add", "https://a.example/"]).expect(0);
    form.folder.write("linkbeat.toml", "database_url = 'sqlite://of-file.db'\n[output]\nformat = 'json'\n");
    assert_eq!(form.run(&["links", "list"]).expect(0).json(), json!([]), "the file names another database");
    let flag = form.run(&["links", "list", "--database-url", "sqlite://linkbeat.db"]).expect(0);
    assert_eq!(flag.json().as_array().unwrap().len(), 1);
    form.folder.write("linkbeat.toml", "[check]\ntimeout = 'soon'\n");
    let ended = form.run(&["links", "list"]).expect(2);
    assert!(
        ended.stderr.contains("check.timeout") && ended.stderr.contains("linkbeat.toml"),
        "{}",
        ended.stderr
    );
}
