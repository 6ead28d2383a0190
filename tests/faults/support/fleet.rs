//! The built binary, as a command and as a fleet.

use std::path::Path;
use std::process::Command;

use linkbeat_testbed::command::Binary;
pub(crate) use linkbeat_testbed::fleet::{CommandLine, Fleet, Place, Role, Wire};

pub(crate) const BINARY: Binary = Binary(env!("CARGO_BIN_EXE_linkbeat"));

/// Nobody wants to wait for what an operator would.
pub(crate) const IMPATIENT: [(&str, &str); 3] = [
    ("LINKBEAT_PRODUCER_PUBLISH_AFTER_SECS", "2"),
    ("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "3"),
    ("LINKBEAT_PRODUCER_RECONCILE_EVERY_SECS", "1"),
];

/// The binary, in this folder, in an environment where no setting of the machine's owner reaches it.
pub(crate) fn linkbeat(folder: &Path) -> Command {
    BINARY.command(folder, [""; 0])
}
