//! A process that is stopped for a while (a signal, Ctrl-Z, a frozen container) hides nothing.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use linkbeat_testbed::background;
use linkbeat_testbed::site::{Site, page, redirect, target};

use crate::support::eventually;
use crate::support::form::Form;
use crate::support::process::{Guarded, linkbeat, signal};

const LINKS: usize = 60;

/// Hosts that take half a second to send their visitors on to another page.
fn slow_hosts() -> Site {
    background(Site::plays_at(Ipv4Addr::UNSPECIFIED, |mut visit, _| async move {
        let asked = visit.request().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let answer = if target(&asked) == "/" { redirect("302 Found", "/end") } else { page("hello") };
        visit.send(answer).await;
    }))
}

/// Checks the hosts with a timeout of 2 s, while the process is stopped as told: for so long, and then runs for so
/// long.
fn check_while_stopped(stops: &[(u64, u64)]) {
    let (site, form) = (slow_hosts(), Form::embedded());
    let port = site.address().port();
    let rows: String = (1..=LINKS).map(|n| format!("site{n},http://127.0.9.{n}:{port}/\n")).collect();
    let list = form.list(&format!("name,url\n{rows}"));
    let mut command = linkbeat(form.folder.path(), ["check", "--allow-network", "127.0.0.0/8"]);
    command.args(["--timeout", "2s", "--format", "json", "--output", "report.json"]).arg(list);
    let mut check = Guarded::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    eventually("the checks to be under way", || (site.visits() >= LINKS).then_some(()));
    for (stopped, running) in stops {
        signal(check.id(), "STOP");
        std::thread::sleep(Duration::from_millis(*stopped));
        signal(check.id(), "CONT");
        std::thread::sleep(Duration::from_millis(*running));
    }
    let (status, _) = check.wait();
    let report = std::fs::read_to_string(form.folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((status, &report["data"]["up"]), (Some(0), &LINKS.into()), "{:?}", report["data"]["links"][0]);
}

#[test]
fn for_longer_than_the_timeout() {
    check_while_stopped(&[(3_000, 0)]);
}

#[test]
fn for_a_little_less_than_the_timeout() {
    check_while_stopped(&[(1_800, 0)]);
}

#[test]
fn several_times_for_a_moment() {
    check_while_stopped(&[(400, 100); 6]);
}
