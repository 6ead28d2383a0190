//! Few open files are allowed: a check goes on with fewer links at once, and keeps no connections.

use linkbeat_testbed::background;
use linkbeat_testbed::crowd::Crowd;

use crate::support::form::{Form, arg};
use crate::support::process::{BINARY, run};

/// Checks so many fast links, two a host, with so many open files.
fn check_with(open_files: u32, links: usize, arguments: &[&str]) {
    let (crowd, form) = (background(Crowd::open()), Form::embedded());
    let rows: String = (0..links).map(|n| format!("n{n},{}\n", crowd.link(n, 200, 0).url)).collect();
    let list = form.list(&format!("name,url\n{rows}"));
    let limited = ["prlimit".to_owned(), format!("--nofile={open_files}")];
    let mut command = BINARY.command_through(&limited, form.folder.path());
    command.args(["check", "--allow-network", "127.0.0.0/8", "--format", "json", "--timeout", "20s"]);
    let report = run(command.args(arguments).arg(arg(&list))).expect(0).json();
    assert_eq!(report["data"]["up"], links, "{open_files} open files");
}

#[test]
fn a_thousand_links_with_256_open_files() {
    check_with(256, 1_000, &[]);
}

#[test]
fn what_is_asked_for_is_lowered_and_less_is_possible() {
    check_with(256, 500, &["--concurrency", "2000"]);
    check_with(256, 500, &["--concurrency", "5"]);
}

#[test]
fn three_thousand_links_with_1024_open_files() {
    check_with(1_024, 3_000, &[]);
}
