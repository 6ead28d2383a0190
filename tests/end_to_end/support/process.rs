//! The built binary.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use linkbeat_testbed::command::Binary;
pub(crate) use linkbeat_testbed::command::{Ended, run, run_with_input};
pub(crate) use linkbeat_testbed::process::{Process as Guarded, signal};

pub(crate) const BINARY: Binary = Binary(env!("CARGO_BIN_EXE_linkbeat"));

/// The binary in this folder, with a clean environment: no setting of the machine's owner reaches it.
pub(crate) fn linkbeat<I, S>(folder: &Path, args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    BINARY.command(folder, args)
}
