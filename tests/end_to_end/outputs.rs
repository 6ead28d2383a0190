//! Every format, on standard output alone and into a file.

use serde_json::Value;

use crate::support::form::{Form, arg};
use crate::support::site::{Answer, Street};

#[test]
fn every_format_carries_the_report_and_nothing_else() {
    let (street, form) = (Street::open(), Form::embedded());
    let up = street.set("up", Answer::Page(200, String::new()));
    let gone = street.set("gone", Answer::Page(404, String::new()));
    let list = form.list(&format!("name,url\nfine one,{up}\ngone | <b>one</b>,{gone}\n"));
    let written = |format: &str| form.check(&[arg(&list), "--format", format]).expect(1);
    let table = written("table");
    assert!(table.stdout.contains("gone | <b>one</b>") && table.stdout.contains("404"), "{}", table.stdout);
    assert!(!table.stdout.contains('\u{1b}'), "no colours where there is no terminal");
    assert_eq!(table.stderr, "", "no progress bar where there is no terminal");
    let lines: Vec<Value> =
        written("jsonl").stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "two links and the counts");
    assert!(written("csv").stdout.starts_with("id,name,url,"), "a header first");
    let junit = written("junit").stdout;
    assert!(
        junit.starts_with("<?xml") && junit.contains("tests=\"2\"") && junit.contains("failures=\"1\""),
        "{junit}"
    );
    assert!(junit.contains("gone | &lt;b&gt;one&lt;/b&gt;"), "{junit}");
    let markdown = written("markdown").stdout;
    assert!(markdown.contains("gone &#124; &#60;b&#62;one&#60;/b&#62;"), "{markdown}");
    let ended = form.check(&[arg(&list), "--output", "report.json"]).expect(1);
    assert_eq!(ended.stdout, "");
    let file = std::fs::read_to_string(form.folder.path().join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap()["data"]["down"], 1);
}

#[test]
fn a_run_that_is_only_filed_takes_no_flag_for_its_report() {
    let form = Form::embedded();
    for flags in
        [["--output", "report.json"], ["--format", "csv"], ["--format", "junit"], ["--format", "markdown"]]
    {
        let ended = form.run(&["run", flags[0], flags[1]]).expect(2);
        assert!(ended.stderr.contains(flags[0]) && ended.stderr.contains("add --wait"), "{ended:#?}");
    }
    let ended = form.run(&["run", "--format", "json"]).expect(2);
    assert!(ended.stderr.contains("RabbitMQ"), "this one is taken: {ended:#?}");
}

#[test]
fn every_help_text_has_an_example_or_says_all() {
    let form = Form::embedded();
    for command in
        [["check"].as_slice(), &["run"], &["demo"], &["worker"], &["links", "set"], &["links", "list"]]
    {
        let help = form.run(&[command, &["--help"]].concat()).expect(0).stdout;
        assert!(help.contains("Example"), "{command:?}: {help}");
    }
    let short = form.run(&["check", "-h"]).expect(0).stdout;
    let at = |text: &str| short.find(text).unwrap_or_else(|| panic!("no `{text}` in {short}"));
    assert!(
        at("--resume") < at("--timeout") && at("--timeout") < at("--database-url"),
        "own flags first: {short}"
    );
    assert!(!short.contains("--broker-key"), "the global ones are short: {short}");
    assert!(form.run(&["check", "--help"]).expect(0).stdout.contains("--broker-key"));
    let help = form.run(&["--help"]).expect(0).stdout;
    assert!(help.contains("Exit status"), "{help}");
    assert!(form.run(&["completions", "bash"]).expect(0).stdout.contains("_linkbeat"));
}
