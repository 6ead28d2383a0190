//! `linkbeat explain`: one check, told step by step.

use serde_json::Value;

use crate::support::Folder;
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};

const OPEN: [&str; 2] = ["--allow-network", "127.0.0.0/8"];

#[test]
fn a_check_is_told_to_people_and_to_programs() {
    let (folder, street) = (Folder::new(), Street::open());
    let last = street.set("last", Answer::Page(200, "<a href=\"https://my.blog/\">a friend</a>".to_owned()));
    let location: &str = format!("Location: {last}\r\n").leak();
    let first = street.set("first", Answer::Headers(302, location));
    let explain = |args: &[&str]| run(linkbeat(folder.path(), ["explain"]).args(args).args(OPEN));
    let asked = [first.as_str(), "--backlink", r"https?://my\.blog"];

    let told = explain(&asked).expect(0).stdout;
    for part in [
        &format!("GET {first}"),
        &format!("GET {last}"),
        "dials 127.0.",
        "status 302 from 127.0.",
        &format!("location: {last}"),
        "status 200",
        "first byte",
        "the backlink is there, at byte 9",
        "href=\"https://my.blog/\"",
        "verdict: up",
        "rule: the final status is accepted, and the page has the backlink",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json = explain(&[&asked[..], &["--format", "json"]].concat()).expect(0).json();
    assert_eq!((&json["verdict"], &json["status"]), (&"up".into(), &200.into()), "{json:#}");
    let steps: Vec<_> =
        json["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps[..3], ["asks", "dials", "answers"], "{steps:?}");
    assert!(steps.ends_with(&["reads", "searches"]), "{steps:?}");
    let lines = explain(&[&asked[..], &["--format", "jsonl"]].concat()).expect(0).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines.last().unwrap()["verdict"]), (steps.len() + 1, &"up".into()));
}

#[test]
fn the_exit_status_and_the_language_are_those_of_check() {
    let (folder, street) = (Folder::new(), Street::open());
    let gone = street.set("gone", Answer::Page(404, String::new()));
    let explain = |args: &[&str]| run(linkbeat(folder.path(), ["explain"]).args(args).args(OPEN));
    let told = explain(&[&gone, "--lang", "zh"]).expect(1).stdout;
    for part in ["结果: down", "网页请求返回404", "规则: 最终状态码不可接受 (200)"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    explain(&[&gone, "--fail-on", "never"]).expect(0);
    explain(&[&gone, "--format", "junit"]).expect(2);
    explain(&["no url"]).expect(2);
    // An address that is not public is refused, unless the operator allows it.
    let refused =
        run(linkbeat(folder.path(), ["explain", &gone]).arg("--format").arg("json")).expect(1).json();
    assert_eq!(refused["verdict"], "refused");
    assert!(!folder.path().join("linkbeat.db").exists(), "nothing is stored");
}
