//! Schemathesis makes up calls from the document, good ones and bad ones, and compares the answers with what it says.
//!
//! `LINKBEAT_TEST_SCHEMATHESIS` names its program; `scripts/test` provides it.

use std::process::Command;

use linkbeat_store::Scope;
use serde_json::json;

use crate::served::{HASH, Served};

/// What it makes up is always the same, so that a failure can be seen again.
const SEED: &str = "20261126";
/// Calls that are made up for each operation.
const EXAMPLES: &str = "15";

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_as_its_document_says() {
    let Ok(program) = std::env::var("LINKBEAT_TEST_SCHEMATHESIS") else {
        assert!(std::env::var_os("CI").is_none(), "LINKBEAT_TEST_SCHEMATHESIS is not set");
        return;
    };
    let served = Served::with(json!({ "password_hash": HASH })).await;
    let token = served.token("schemathesis", Scope::Write).await;
    let base = format!("http://{}/api/v1", served.address);
    let folder = tempfile::tempdir().unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml");
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .args(["--config-file", config, "run", &format!("{base}/openapi.json"), "--url", &base])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Stateful"), "all phases ran: {told}");
}
