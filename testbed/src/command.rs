//! The built binary as a command that comes to its end.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::PATIENCE;
use crate::process::signal;

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    /// `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Standard output, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:#?}"))
    }

    /// Fails the test unless the command ended with this status.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }
}

/// The built binary. Cargo tells its path to the tests of its own package: `env!("CARGO_BIN_EXE_linkbeat")`.
#[derive(Debug, Clone, Copy)]
pub struct Binary(pub &'static str);

impl Binary {
    /// It in this folder.
    pub fn command<I, S>(self, folder: &Path, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        clean(Command::new(self.0), folder, args)
    }

    /// It in this folder, started by another program with arguments of its own, such as `prlimit --nofile=256`.
    /// An empty `program` is none.
    pub fn command_through(self, program: &[String], folder: &Path) -> Command {
        let through = program.iter().map(String::as_str).chain([self.0]).collect::<Vec<_>>();
        clean(Command::new(through[0]), folder, &through[1..])
    }
}

/// With a clean environment: no setting of the machine's owner reaches it.
fn clean<I, S>(mut command: Command, folder: &Path, args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let reaches_it = |name: &str| name.starts_with("LINKBEAT_") || name.to_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars().filter(|(name, _)| reaches_it(name)) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(args).stdin(Stdio::null());
    command
}

/// Runs a command to its end; it is killed when it takes too long.
pub fn run(command: &mut Command) -> Ended {
    run_with_input(command, b"")
}

/// The same, with this standard input.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input closes it, which is its good right.
    let _ = child.stdin.take().unwrap().write_all(input);
    let watchdog = watch(child.id());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(watchdog);
    Ended {
        status: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Kills the process after [`PATIENCE`], unless dropped before.
fn watch(process: u32) -> std::sync::mpsc::Sender<()> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if receiver.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            signal(process, "KILL");
        }
    });
    sender
}
