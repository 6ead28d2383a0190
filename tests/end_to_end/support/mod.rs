//! What the tests stand on.

pub(crate) mod client;
pub(crate) mod fleet;
pub(crate) mod form;
pub(crate) mod process;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use linkbeat_testbed::background;
use linkbeat_testbed::resolver::{Reply, Resolver};
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

/// A name server that is well, and knows no name but the root.
pub(crate) fn knowing_no_name() -> Resolver {
    background(Resolver::that(|question| {
        Some(if question.name.is_empty() { Reply::root() } else { Reply::denied(".") })
    }))
}

/// A name server that has this address for every name.
pub(crate) fn answering_with(address: Ipv4Addr) -> Resolver {
    background(Resolver::that(move |question| {
        Some(match question.name.is_empty() {
            true => Reply::root(),
            false => Reply::addresses(question, &[address.into()]),
        })
    }))
}

/// The item of that name in a report's or listing's links.
pub(crate) fn named<'a>(links: &'a Value, name: &str) -> &'a Value {
    let found = links.as_array().unwrap().iter().find(|link| link["name"] == name);
    found.unwrap_or_else(|| panic!("no link `{name}` in {links:#}"))
}
