//! What the tests stand on.

pub(crate) mod dns;
pub(crate) mod fleet;
pub(crate) mod form;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod secure;
pub(crate) mod site;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until `look` finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A folder of the test's own, removed at its end.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    }
}

/// The item of that name in a report's or listing's links.
pub(crate) fn named<'a>(links: &'a Value, name: &str) -> &'a Value {
    let found = links.as_array().unwrap().iter().find(|link| link["name"] == name);
    found.unwrap_or_else(|| panic!("no link `{name}` in {links:#}"))
}
