//! The dashboard's pages in a real browser: Debian's Chromium, driven by Playwright. The tests themselves are
//! `tests/browser/`.

use std::process::Command;

use linkbeat_testbed::servers::PrivateServers;

use crate::support::fleet::Fleet;
use crate::support::form::arg;
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/browser");

#[test]
fn narrow_pages_are_sound() {
    in_a_browser(&[
        "test_pages.EveryPage.test_narrow_and_light_in_english",
        "test_pages.EveryPage.test_narrow_and_dark_in_chinese",
    ]);
}

#[test]
fn wide_pages_are_sound() {
    in_a_browser(&[
        "test_pages.EveryPage.test_wide_and_dark_in_english",
        "test_pages.EveryPage.test_wide_and_light_in_chinese",
    ]);
}

#[test]
fn people_get_along_with_the_pages() {
    in_a_browser(&["test_pages.OnePage"]);
}

#[test]
fn pages_bear_long_words_and_an_empty_store() {
    in_a_browser(&["test_pages.LongWords", "test_pages.EmptyStore"]);
}

#[test]
fn open_pages_show_what_goes_on() {
    in_a_browser(&["test_live"]);
}

#[test]
fn people_do_what_the_pages_are_for() {
    in_a_browser(&["test_visits"]);
}

#[test]
fn workers_queues_and_parked_messages_are_seen() {
    with_parked_messages("test_parked.Looking");
}

#[test]
fn parked_messages_are_put_back_and_dropped() {
    with_parked_messages("test_parked.Settling");
}

#[test]
fn blogs_take_hostile_links_in_and_run_nothing() {
    in_a_browser(&["test_feeds"]);
}

/// Runs these tests with a fleet over RabbitMQ and PostgreSQL, and four messages that nobody could handle.
fn with_parked_messages(tests: &str) {
    let (street, folder, mut fleet) = (Street::open(), Folder::new(), Fleet::without_workers(&[]));
    fleet.start_worker(&["--name", "<b>North & \"south\"</b>"]);
    park_results(&fleet, &folder, &street);
    // Nobody can read these, so they are parked again whenever somebody puts them back. Their schemas stand in the cause.
    for (queue, schema) in [
        ("jobs", "<img src=x onerror=alert(1)>".to_owned()),
        ("jobs.large", "w".repeat(900)),
        ("results", "\u{202e}reversed\u{2028}".to_owned()),
    ] {
        let body = serde_json::json!({ "schema": schema });
        fleet.servers.publish(queue, body.to_string().as_bytes());
    }
    eventually("four messages to be parked", || (fleet.servers.depth("dead") == 4).then_some(()));
    in_a_browser_with(&[tests], |python| fleet.configure(python));
}

/// The results of one run. The database takes them once they are put back.
fn park_results(fleet: &Fleet, folder: &Folder, street: &Street) {
    let rows = ["fine", "teapot"].map(|name| street.set(name, Answer::Page(200, String::new())));
    street.set("teapot", Answer::Page(418, String::new()));
    let list = folder.write("list.txt", rows.join("\n"));
    fleet.servers.execute("ALTER TABLE checks ADD CONSTRAINT no_teapots CHECK (status <> 418)");
    let mut command = linkbeat(folder.path(), ["run", arg(&list), "--wait", "--retries", "0"]);
    fleet.configure(&mut command);
    run(&mut command).expect(3);
    fleet.servers.execute("ALTER TABLE checks DROP CONSTRAINT no_teapots");
}

fn in_a_browser(tests: &[&str]) {
    in_a_browser_with(tests, |_| {});
}

/// `configure` sets variables for the tests.
fn in_a_browser_with(tests: &[&str], configure: impl FnOnce(&mut Command)) {
    let servers = PrivateServers::start("provide_browser");
    let mut python = Command::new(servers.get("BROWSER_PYTHON"));
    python
        .current_dir(TESTS)
        .args(["-m", "unittest"])
        .args(tests)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LINKBEAT_BINARY", env!("CARGO_BIN_EXE_linkbeat"))
        .env("LINKBEAT_TEST_AXE", servers.get("AXE"))
        .env("LINKBEAT_TEST_CHROMIUM", servers.get("CHROMIUM"));
    configure(&mut python);
    run(&mut python).expect(0);
}
