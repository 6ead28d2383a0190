//! A child process that can be killed, frozen and measured, and does not outlive its test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::{eventually, eventually_blocking};

/// Lines of a log that are shown where a test fails.
const LINES_SHOWN: usize = 20;

/// Leads a process group of its own: signals reach its children too.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Ends it should the test itself be killed: it waits for the end of its input, which we hold open.
    guard: Child,
    log: Option<PathBuf>,
}

/// What a process takes, from `/proc` (proc(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory.
    pub memory_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

impl Process {
    /// Starts it. What it writes goes where `command` says.
    pub fn spawn(command: &mut Command) -> Self {
        let child = command.process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let guard = guard(child.id());
        Self { child, guard, log: None }
    }

    /// Starts it. What it writes is added to `log`, and its end is shown where the test fails.
    pub fn logged(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut process = Self::spawn(command);
        process.log = Some(log.to_owned());
        process
    }

    /// Of the process, and of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal such as `STOP`.
    pub fn signal(&self, name: &str) {
        signal_group(self.id(), name);
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal("KILL");
        }
        self.child.wait().unwrap();
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// Waits for the end; returns the exit status and how long it took from now.
    pub fn wait(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let status = eventually_blocking("the process to end", || self.ended());
        (status.code(), start.elapsed())
    }

    /// Waits until it has aborted at its crash point.
    pub async fn aborted(&mut self) {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        let status = eventually("the process to reach its crash point", async || self.ended()).await;
        assert_eq!(status.signal(), Some(SIGABRT), "{status}: {}", self.log());
    }

    /// Waits until it has ended in good order.
    pub async fn stopped(&mut self) {
        let status = eventually("the process to stop", async || self.ended()).await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// What it has written so far, where that is logged.
    pub fn log(&self) -> String {
        let log = self.log.as_ref().map_or_else(Vec::new, |log| std::fs::read(log).unwrap());
        String::from_utf8_lossy(&log).into_owned()
    }

    /// `None` once it is gone.
    pub fn usage(&self) -> Option<Usage> {
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
        if std::thread::panicking() {
            let log = self.log();
            let end = log.lines().rev().take(LINES_SHOWN).collect::<Vec<_>>();
            end.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

fn guard(leader: u32) -> Child {
    let mut guard = Command::new("sh");
    guard.args(["-c", "read -r _; kill -s KILL -- \"-$0\"", &leader.to_string()]).process_group(0);
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Sends a signal such as `TERM` to one process.
///
/// # Panics
/// If it is gone.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().unwrap();
    assert!(sent.success(), "could not send {name} to {process}");
}

/// Sends a signal to a process group; one that is gone is left alone.
pub fn signal_group(leader: u32, name: &str) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).arg("--").arg(format!("-{leader}")).stderr(Stdio::null());
    kill.status().unwrap();
}
