//! Schemathesis makes up calls from the document, good ones and bad ones, and compares the answers with what it says. Each
//! operation must be done at least once: `seeded.py` has the calls name what is there.
//!
//! `LINKBEAT_TEST_SCHEMATHESIS` names its program; `scripts/test` provides it.

use std::collections::BTreeSet;
use std::process::Command;

use linkbeat_store::Scope;
use serde_json::{Value, json};

use crate::seeded;

/// What it makes up is always the same, so that a failure can be seen again.
const SEED: &str = "20261126";
/// Calls that are made up for each operation.
const EXAMPLES: &str = "15";

/// Runs that are held back: each can be decided about once.
const HELD: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_as_its_document_says() {
    let Ok(program) = std::env::var("LINKBEAT_TEST_SCHEMATHESIS") else {
        assert!(std::env::var_os("CI").is_none(), "LINKBEAT_TEST_SCHEMATHESIS is not set");
        return;
    };
    let (served, held) = seeded::served(HELD).await;
    let token = served.token("schemathesis", Scope::Write).await;
    let base = format!("http://{}/api/v1", served.address);
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers");
    let held: Vec<String> = held.iter().map(ToString::to_string).collect();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api"))
        .env("SCHEMATHESIS_HOOKS", "seeded")
        .env("SEEDED_API", &base)
        .env("SEEDED_TOKEN", &token)
        .env("SEEDED_HELD", json!(held).to_string())
        .env("SEEDED_ANSWERS", &answers)
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml")])
        .args(["run", &format!("{base}/openapi.json"), "--url", &base])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Stateful"), "all phases ran: {told}");

    let document = served.get_with("/api/v1/openapi.json", &token).await.json();
    let answers = std::fs::read_to_string(answers).unwrap();
    let done: BTreeSet<&str> = answers.lines().filter_map(done).collect();
    let never: Vec<String> =
        operations(&document).filter(|operation| !done.contains(operation.as_str())).collect();
    assert!(never.is_empty(), "never done, whatever was made up: {never:?}\n{told}");
}

/// `GET /links/{id}` and so on.
fn operations(document: &Value) -> impl Iterator<Item = String> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    })
}

/// The operation of a line of answers, if it was done.
fn done(line: &str) -> Option<&str> {
    let (operation, status) = line.rsplit_once(' ')?;
    status.starts_with('2').then_some(operation)
}
