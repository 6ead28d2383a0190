//! A child process that can be killed, frozen and measured, and does not outlive its test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::eventually;

/// Leads a process group of its own: signals reach its children too.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Ends it should the test itself be killed: it waits for the end of its input, which we hold open.
    guard: Child,
    log: PathBuf,
}

/// What a process takes, from `/proc` (proc(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) memory_kib: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

impl Process {
    /// Starts it; what it writes is added to `log`.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let guard = guard(child.id());
        Self { child, guard, log: log.to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        signal_group(self.id(), name);
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal("KILL");
        }
        self.child.wait().unwrap();
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has aborted at its crash point.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn aborted(&mut self) {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        let status = eventually("the process to reach its crash point", async || self.ended()).await;
        assert_eq!(status.signal(), Some(SIGABRT), "{status}: {}", self.log());
    }

    /// Waits until it has ended in good order.
    pub(crate) async fn stopped(&mut self) {
        let status = eventually("the process to stop", async || self.ended()).await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// `None` once it is gone.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let folder = PathBuf::from(format!("/proc/{}", self.id()));
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let number = |line: &str| {
            let text = status.lines().find_map(|text| text.strip_prefix(line))?;
            text.trim().trim_end_matches(" kB").parse().ok()
        };
        let descriptors = std::fs::read_dir(folder.join("fd")).ok()?.count();
        Some(Usage {
            memory_kib: number("VmRSS:")?,
            threads: number("Threads:")?,
            descriptors: u64::try_from(descriptors).ok()?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

fn guard(leader: u32) -> Child {
    let mut guard = Command::new("sh");
    guard.args(["-c", "read -r _; kill -s KILL -- \"-$0\"", &leader.to_string()]).process_group(0);
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Sends a signal to a process group; one that is gone is left alone.
pub(crate) fn signal_group(leader: u32, name: &str) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).arg("--").arg(format!("-{leader}")).stderr(Stdio::null());
    kill.status().unwrap();
}
