//! The testbed is for tests: no crate that is shipped depends on it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;

use serde_json::Value;

#[test]
fn every_crate_that_uses_the_testbed_does_so_in_its_tests_alone() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let dependencies = metadata["packages"].as_array().unwrap().iter().flat_map(|package| {
        let of_package = package["dependencies"].as_array().unwrap().iter();
        of_package.filter(|it| it["name"] == "linkbeat-testbed").map(|it| (&package["name"], &it["kind"]))
    });
    let (in_tests, elsewhere): (Vec<_>, Vec<_>) = dependencies.partition(|(_, kind)| **kind == "dev");
    assert!(!in_tests.is_empty(), "nobody uses it at all");
    assert!(elsewhere.is_empty(), "they would ship it: {elsewhere:?}");
}
