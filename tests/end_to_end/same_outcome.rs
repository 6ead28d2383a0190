//! One list that covers every rule, two runs with the sites changing in between: the fleet and the
//! embedded form must come to the same reports, the same links and the same database.

use chrono::DateTime;
use linkbeat_shared::{LinkState, RunState, Verdict};
use linkbeat_store::ReportLinks;
use serde_json::{Value, json};

use crate::support::form::{Form, arg};
use crate::support::named;
use crate::support::site::{Answer, Street, dead_url};

const WITH: &str = r#"<a href="https://my.blog/">me</a>"#;

#[test]
fn a_fleet_and_one_process_come_to_the_same_outcome() {
    let street = Street::open();
    let dead = dead_url();
    let fleet = outcome(&Form::fleet(), &street, &dead);
    let embedded = outcome(&Form::embedded(), &street, &dead);
    assert_eq!(fleet, embedded);
}

/// Two runs; what came of them without what must differ (ids, times).
fn outcome(form: &Form, street: &Street, dead: &str) -> Value {
    first_state(street);
    let list = form.list(&list(street, dead));
    let args = [arg(&list), "--backlink", r"https?://my\.blog", "--white-list", "friend", "--timeout", "2s"];
    let first = form.report(&args);
    expect(
        &first,
        &[
            ("steady", "up", true, None),
            ("recovers", "down", false, Some("hidden")),
            ("breaks", "up", true, None),
            ("loses", "up", true, None),
            ("gone", "down", false, None),
            ("dead", "down", false, Some("hidden")),
            ("hangs", "down", false, Some("hidden")),
            ("wall", "blocked", false, Some("hidden")),
            ("unsafe", "refused", false, Some("hidden")),
            ("moved", "up", true, None),
            ("returns", "up", true, Some("shown")),
            ("elsewhere", "up", true, None),
        ],
    );
    expect_counts(&first, &[("active_num", 12), ("to_not_show", 5), ("to_show", 2), ("white_listed", 1)]);
    second_state(street);
    let second = form.report(&args[1..]);
    expect(
        &second,
        &[
            ("steady", "up", true, None),
            ("recovers", "up", true, Some("shown")),
            ("breaks", "down", false, Some("hidden")),
            ("loses", "no_backlink", false, Some("hidden")),
            ("gone", "down", false, None),
            ("dead", "down", false, None),
        ],
    );
    expect_counts(&second, &[("active_num", 12), ("to_not_show", 2), ("to_show", 1), ("white_listed", 1)]);
    assert_eq!(street.hits("idle"), 0, "only active links are checked");
    assert_eq!(street.hits("friend"), 0, "the white list is not fetched");
    let links = form.links();
    assert_eq!(links.as_array().unwrap().len(), 14, "imported once: {links:#}");
    assert_eq!(named(&links, "gone")["hidden_reason"]["code"], 410, "refreshed while hidden");
    database_agrees(form, &[&first, &second], &links);
    json!({ "first": comparable(&first), "second": comparable(&second), "links": comparable(&links) })
}

fn list(street: &Street, dead: &str) -> String {
    let url = |name| street.url(name);
    let mut list = "name,url,page_url,active,shown\n".to_owned();
    for name in ["steady", "recovers", "breaks", "loses", "hangs", "wall", "moved"] {
        list += &format!("{name},{},,,\n", url(name));
    }
    list += &format!(
        "gone,{},,,no\nreturns,{},,,no\nfriend,{},,,no\n",
        url("gone"),
        url("returns"),
        url("friend")
    );
    list += &format!("idle,{},,no,\nelsewhere,{},{},,\n", url("idle"), url("front"), url("links"));
    list + &format!("dead,{dead},,,\nunsafe,http://192.168.0.1/,,,\n")
}

fn first_state(street: &Street) {
    let page = |status| Answer::Page(status, WITH.into());
    for name in ["steady", "breaks", "loses", "returns", "links"] {
        street.set(name, page(200));
    }
    street.set("recovers", page(500));
    street.set("gone", page(404));
    street.set("hangs", Answer::Never);
    street.set("wall", Answer::Headers(403, "cf-mitigated: challenge\r\n"));
    street.set("moved", Answer::Headers(301, "Location: /steady\r\n"));
    // The backlink of `elsewhere` stands on its page of links, not on its front page.
    street.set("front", Answer::Page(200, "no links here".into()));
}

fn second_state(street: &Street) {
    street.set("recovers", Answer::Page(200, WITH.into()));
    street.set("breaks", Answer::Page(502, WITH.into()));
    street.set("loses", Answer::Page(200, "new design".into()));
    street.set("gone", Answer::Page(410, WITH.into()));
}

#[track_caller]
fn expect(report: &Value, expected: &[(&str, &str, bool, Option<&str>)]) {
    for (name, verdict, shown, changed) in expected {
        let link = named(&report["data"]["links"], name);
        let seen = (&link["verdict"], &link["shown"], &link["changed"]);
        assert_eq!(seen, (&json!(verdict), &json!(shown), &json!(changed)), "{name}");
    }
}

#[track_caller]
fn expect_counts(report: &Value, expected: &[(&str, u64)]) {
    for (count, value) in expected {
        assert_eq!(report["data"][count], *value, "{count}");
    }
}

/// The store itself says what the reports and the listing said.
fn database_agrees(form: &Form, reports: &[&Value], listing: &Value) {
    form.store(async |store| {
        let runs = store.runs(10).await.unwrap();
        assert_eq!(runs.len(), reports.len());
        for (run, report) in runs.iter().rev().zip(reports) {
            assert_eq!((run.state, run.done), (RunState::Finished, run.links));
            assert_eq!(run.id.to_string(), report["data"]["run_id"]);
            let links = store.report_links(run.id, ReportLinks::All, None, 1_000).await.unwrap();
            assert_eq!(links.len() as u64, run.links, "one check per link and run");
            let stored = store.summary(run.id).await.unwrap().unwrap();
            assert_eq!(stored.counts.to_not_show, report["data"]["to_not_show"]);
        }
        for link in store.links(None, 100).await.unwrap() {
            let listed = named(listing, link.name.as_str());
            let LinkState { shown, hidden_reason, verdict, .. } = link.state;
            assert_eq!(listed["shown"], shown, "{}", link.name);
            assert_eq!(listed["hidden_reason"], json!(hidden_reason), "{}", link.name);
            assert_eq!(listed["verdict"], json!(verdict), "{}", link.name);
            assert!(shown || hidden_reason.is_some(), "{}: hidden links keep a reason", link.name);
            assert_ne!((shown, verdict), (true, Some(Verdict::Down)), "{}", link.name);
        }
        store.close().await;
    });
}

/// Without ids and times.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| {
                !matches!(
                    key.as_str(),
                    "id" | "run_id" | "request_id" | "last_run_id" | "time" | "elapsed_ms"
                )
            })
            .map(|(key, value)| (key.clone(), comparable(value)))
            .collect(),
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(comparable).collect();
            items.sort_by_key(|item| item["name"].to_string());
            Value::Array(items)
        }
        Value::String(text) if DateTime::parse_from_rfc3339(text).is_ok() => json!("a time"),
        other => other.clone(),
    }
}
