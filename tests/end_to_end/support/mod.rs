//! What the tests stand on.

pub(crate) mod fleet;
pub(crate) mod form;
pub(crate) mod process;

use std::path::{Path, PathBuf};

use linkbeat_testbed::background;
use linkbeat_testbed::name_server::{NameServer, ResponseCode, Says};
pub(crate) use linkbeat_testbed::{PATIENCE, eventually_blocking as eventually, street as site};
use serde_json::Value;

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

/// A name server that knows no name at all.
pub(crate) fn knowing_no_name() -> NameServer {
    background(NameServer::that(|_| Says::Code(ResponseCode::NXDomain)))
}

/// The item of that name in a report's or listing's links.
pub(crate) fn named<'a>(links: &'a Value, name: &str) -> &'a Value {
    let found = links.as_array().unwrap().iter().find(|link| link["name"] == name);
    found.unwrap_or_else(|| panic!("no link `{name}` in {links:#}"))
}
