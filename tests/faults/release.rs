//! Crash points are for tests: what people install knows nothing of them.

use std::process::Command;

#[test]
fn crash_points_are_no_part_of_an_ordinary_build() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--locked", "--package", "linkbeat-cli", "--edges", "normal,build"]);
    let tree =
        tree.args(["--prefix", "none", "--manifest-path", env!("CARGO_MANIFEST_PATH")]).output().unwrap();
    let crates = String::from_utf8(tree.stdout).unwrap();
    assert!(crates.lines().any(|line| line.starts_with("linkbeat-worker ")), "{crates}{:?}", tree.stderr);
    assert!(!crates.lines().any(|line| line.starts_with("fail ")), "{crates}");
}
