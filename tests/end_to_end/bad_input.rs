//! Bad input gets a clear error and loses nothing.

use serde_json::json;

use crate::support::fleet::{Servers, free_port};
use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run, run_with_input};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, named};

/// Runs `check` on this file content; it must end with 2 and say all of these, and store nothing.
#[track_caller]
fn refused(content: impl AsRef<[u8]>, parts: &[&str]) {
    let form = Form::embedded();
    let list = form.folder.write("list.csv", content);
    let ended = form.check(&[arg(&list)]).expect(2);
    for part in parts {
        assert!(ended.stderr.contains(part), "`{part}` is not in: {}", ended.stderr);
    }
    assert_eq!(ended.stdout, "", "standard output carries the result alone");
    assert!(!form.folder.path().join("linkbeat.db").exists(), "bad input is refused before anything is made");
}

#[test]
fn each_kind_of_bad_file_is_refused_with_what_where_and_what_to_do() {
    refused("", &["list.csv", "empty"]);
    refused(b"name,url\ncaf\xe9,http://a.example/\n", &["list.csv:2", "UTF-8", "iconv"]);
    refused("title,address\na,http://a.example/\n", &["list.csv", "title", "url"]);
    refused("name,url\na,http://a.example/\nb,nope\n", &["list.csv:3", "scheme"]);
    refused("name,url\na,http://a.example/\nb,http://A.example:80/#x\n", &["list.csv:3", "list.csv:2"]);
    refused("name,url,active\na,http://a.example/,maybe\n", &["list.csv:2", "maybe", "active"]);
    refused(r#"[{"name":"a","url":"http://a.example/"}"#, &["list.csv", "JSON"]);
}

#[test]
fn a_bad_url_in_line_seven_is_named_and_good_rows_need_a_word() {
    let (street, form) = (Street::open(), Form::embedded());
    let mut list = "name,url\n".to_owned();
    for n in 2..=6 {
        list += &format!("n{n},{}\n", street.set(&format!("n{n}"), Answer::Page(200, String::new())));
    }
    let list = form.list(&(list + "bad,ftp://old.example/\n"));
    let ended = form.check(&[arg(&list)]).expect(2);
    assert!(
        ended.stderr.contains("list.csv:7") && ended.stderr.contains("--skip-bad-rows"),
        "{}",
        ended.stderr
    );
    assert_eq!(street.hits("n2"), 0);
    let ended = form.check(&[arg(&list), "--skip-bad-rows"]).expect(0);
    assert!(ended.stderr.contains("list.csv:7"), "what was skipped is told: {}", ended.stderr);
    assert_eq!(ended.json()["data"]["up"], 5);
}

#[test]
fn what_is_no_run_id_is_told_as_such() {
    let form = Form::embedded();
    for command in [["runs", "show"].as_slice(), &["runs", "cancel"], &["dead", "list", "--run"]] {
        let ended = form.run(&[command, &["nonsense"]].concat()).expect(2);
        assert!(ended.stderr.contains("`nonsense` is not a run id (such as 0198"), "{ended:#?}");
    }
}

#[test]
fn a_bad_list_leaves_the_stored_links_alone() {
    let (street, form) = (Street::open(), Form::embedded());
    let url = street.set("a", Answer::Page(404, String::new()));
    let list = form.list(&format!("name,url\na,{url}\n"));
    form.report(&[arg(&list)]);
    let before = form.links();
    let list = form.list(&format!("name,url\nrenamed,{url}\nbad,nope\n"));
    form.run(&["links", "import", arg(&list)]).expect(2);
    assert_eq!(form.links(), before);
}

#[test]
fn a_missing_file_and_bad_options_are_usage_errors() {
    let form = Form::embedded();
    let cases: [(&[&str], &str); 9] = [
        (&["no-such.csv"], "no-such.csv"),
        (&["x.csv", "--backlink", "(unclosed"], "unclosed group"),
        (&["x.csv", "--backlink", "a(?=b)"], "look-around"),
        (&["x.csv", "--backlink", r"(a)\1"], "back-reference"),
        (&["x.csv", "--timeout", "soon"], "5s"),
        (&["x.csv", "--accept", "20x"], "20x"),
        (&["x.csv", "--format", "xls"], "junit"),
        (&["x.csv", "--on-blocked", "perhaps"], "hide"),
        (&["x.csv", "--hide-after", "0"], "hide-after"),
    ];
    for (args, part) in cases {
        let ended = form.check(args).expect(2);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    }
    let ended = form.run(&["check"]).expect(2);
    assert!(ended.stderr.contains("links import"), "no links yet: {}", ended.stderr);
}

#[test]
fn servers_that_cannot_be_reached_are_named_without_their_passwords() {
    let folder = Folder::new();
    let (broker, database) = (free_port(), free_port());
    let broker_url = format!("amqp://me:hush@127.0.0.1:{broker}/");
    let database_url = format!("postgres://me:hush@127.0.0.1:{database}/linkbeat");
    let cases: [(&[&str], u16); 3] = [
        (&["run", "--broker-url", &broker_url, "--database-url", &database_url], broker),
        (&["migrate", "--database-url", &database_url], database),
        (&["links", "list", "--database-url", &database_url], database),
    ];
    for (args, port) in cases {
        let ended = run(&mut linkbeat(folder.path(), args)).expect(3);
        assert!(ended.stderr.contains(&format!("127.0.0.1:{port}")), "{args:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
    }
    let ended = run(&mut linkbeat(folder.path(), ["run"])).expect(2);
    assert!(ended.stderr.contains("--broker-url"), "a fleet needs a broker: {}", ended.stderr);
    let ended = run(&mut linkbeat(folder.path(), ["migrate", "--database-url", "mysql://x/"])).expect(2);
    assert!(ended.stderr.contains("postgres://"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_encrypted_as_asked_is_an_error_of_configuration() {
    let folder = Folder::new();
    let cases: [(&[&str], &str); 5] = [
        (&["worker", "--broker-url", "amqps://mq", "--broker-ca", "/no/such.pem"], "/no/such.pem"),
        (&["worker", "--broker-url", "amqps://mq", "--broker-key", "/no/such.key"], "certificate"),
        (&["worker", "--broker-url", "amqp://mq", "--broker-ca", "/no/such.pem"], "amqps://"),
        (&["worker", "--broker-url", "amqp://mq1,amqps://mq2"], "one cluster"),
        (&["migrate", "--database-url", "postgres://db/x?sslrootcert=/no/such.pem"], "/no/such.pem"),
    ];
    for (args, part) in cases {
        let ended = run(&mut linkbeat(folder.path(), args)).expect(2);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_database_that_was_not_migrated_says_which_command_does_it() {
    let (servers, folder) = (Servers::new(), Folder::new());
    let mut list = linkbeat(folder.path(), ["links", "list"]);
    servers.configure(&mut list);
    let ended = run(&mut list).expect(3);
    assert!(ended.stderr.contains("linkbeat migrate"), "{}", ended.stderr);
}

#[test]
fn a_database_of_a_newer_schema_is_left_alone() {
    let (servers, folder) = (Servers::new(), Folder::new());
    let mut migrate = linkbeat(folder.path(), ["migrate"]);
    servers.configure(&mut migrate);
    run(&mut migrate).expect(0);
    servers.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')");
    for args in [["migrate"].as_slice(), &["links", "list"], &["recorder"]] {
        let mut command = linkbeat(folder.path(), args);
        servers.configure(&mut command);
        let ended = run(&mut command).expect(3);
        assert!(ended.stderr.contains("newer"), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn standard_input_is_checked_like_a_file() {
    let (street, form) = (Street::open(), Form::embedded());
    let url = street.set("a", Answer::Page(200, String::new()));
    let check =
        || linkbeat(form.folder.path(), ["check", "-", "--allow-network", "127.0.0.0/8", "--format", "json"]);
    let report = run_with_input(&mut check(), format!("# mine\n{url}\n").as_bytes()).expect(0).json();
    assert_eq!(report["data"]["up"], 1);
    let ended = run_with_input(&mut check(), b"http://a.example/\nnope\n").expect(2);
    assert!(ended.stderr.contains("standard input:2"), "{}", ended.stderr);
}

#[test]
fn the_same_list_again_changes_nothing() {
    let (street, form) = (Street::open(), Form::embedded());
    let url = street.set("a", Answer::Page(404, String::new()));
    let list = form.list(&format!("name,url\na,{url}\n"));
    form.report(&[arg(&list)]);
    let before = form.links();
    let ended = form.run(&["links", "import", arg(&list)]).expect(0);
    assert!(ended.stderr.contains("1 unchanged"), "{}", ended.stderr);
    let list = form.list(&format!("name,url,shown\nnew name,{url}#top,yes\n"));
    form.run(&["links", "import", arg(&list)]).expect(0);
    let after = form.links();
    let link = named(&after, "new name");
    assert_eq!(
        (&link["shown"], &link["id"]),
        (&json!(false), &before[0]["id"]),
        "only checks and people show it"
    );
}
