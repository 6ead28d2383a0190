//! The dashboard's pages in a real browser: Debian's Chromium, driven by Playwright. The tests themselves are
//! `tests/browser/`.

use std::process::Command;

use linkbeat_testbed::servers::PrivateServers;

use crate::support::process::run;

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
fn open_pages_show_what_goes_on() {
    in_a_browser(&["test_live"]);
}

#[test]
fn people_do_what_the_pages_are_for() {
    in_a_browser(&["test_visits"]);
}

fn in_a_browser(tests: &[&str]) {
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
    run(&mut python).expect(0);
}
