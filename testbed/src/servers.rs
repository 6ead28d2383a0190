//! Servers of one test's own, started by `scripts/servers.sh` and gone with the test.
//!
//! A test that only needs a place of its own on a server takes a [`Database`](crate::database::Database) or a
//! namespace ([`Queues`](crate::queues::Queues)) on the servers that all tests share.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Servers of one test's own. Dropping them stops them.
pub struct PrivateServers {
    keeper: Child,
    variables: HashMap<String, String>,
}

impl PrivateServers {
    /// Starts what these functions of `scripts/servers.sh` start, one after the other; takes seconds.
    pub fn start(functions: &str) -> Self {
        let script = format!("set -euo pipefail; . scripts/servers.sh; serve {functions}");
        let mut keeper = Command::new("bash")
            .args(["-c", &script])
            .current_dir(ROOT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is needed");
        let lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let mut servers = Self { keeper, variables: HashMap::new() };
        for line in lines.map(Result::unwrap) {
            match line.split_once('=') {
                Some((name, value)) => servers.variables.insert(name.to_owned(), value.to_owned()),
                None if line == "ready" => return servers,
                None => continue,
            };
        }
        panic!("the servers did not start; see the output of scripts/servers.sh");
    }

    /// What they export as `LINKBEAT_TEST_…`.
    pub fn get(&self, name: &str) -> &str {
        &self.variables[&format!("LINKBEAT_TEST_{name}")]
    }

    /// A file of `make_certificates`.
    pub fn certificate(&self, file: &str) -> PathBuf {
        [self.get("CERTIFICATES"), file].iter().collect()
    }
}

impl Drop for PrivateServers {
    fn drop(&mut self) {
        // The script ends with its input.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
