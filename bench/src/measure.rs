//! Runs whole commands and measures them from outside.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What one run of a command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// Largest resident memory, in MiB.
    pub(crate) memory: f64,
}

/// Runs a command to its end. Its exit status is not judged beyond `allowed`.
pub(crate) async fn measure(command: &mut Command, allowed: &[i32]) -> anyhow::Result<Taken> {
    let (before, start) = (cpu()?, Instant::now());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let memory_of = child.id().context("the command has no process id")?;
    let mut memory = 0.0f64;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = tokio::time::sleep(Duration::from_millis(20)) => memory = memory.max(peak_memory(memory_of)),
        }
    };
    let wall = start.elapsed();
    anyhow::ensure!(
        status.code().is_some_and(|code| allowed.contains(&code)),
        "the command ended with {status}"
    );
    Ok(Taken { wall, cpu: cpu()?.saturating_sub(before), memory })
}

/// CPU time of all children that have ended.
fn cpu() -> anyhow::Result<Duration> {
    cpu_of(UsageWho::RUSAGE_CHILDREN)
}

fn cpu_of(whom: UsageWho) -> anyhow::Result<Duration> {
    let usage = getrusage(whom)?;
    let part = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0))
    };
    Ok(part(usage.user_time()) + part(usage.system_time()))
}

/// CPU time of this process.
pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of(UsageWho::RUSAGE_SELF)
}

/// The kernel's own high-water mark of a living process, in MiB.
fn peak_memory(process: u32) -> f64 {
    memory_of(&process.to_string(), "VmHWM:").unwrap_or(0.0) / 1_024.0
}

/// This process's memory now, in KiB.
pub(crate) fn resident() -> anyhow::Result<f64> {
    memory_of("self", "VmRSS:").context("the kernel does not tell this process's memory")
}

/// This process's largest memory so far, in KiB.
pub(crate) fn peak_resident() -> anyhow::Result<f64> {
    memory_of("self", "VmHWM:").context("the kernel does not tell this process's memory")
}

/// A line of `/proc/PROCESS/status` (proc(5)), in KiB.
fn memory_of(process: &str, line: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|text| text.strip_prefix(line))?;
    kib.trim().trim_end_matches(" kB").parse().ok()
}

/// Files and sockets that this process has open.
pub(crate) fn open_files() -> anyhow::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

/// A hidden command of this program, on a list.
pub(crate) fn this_program(arguments: &[&str], list: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).arg(list);
    Ok(command)
}

/// A program built beside this one.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(
        program.exists(),
        "{} is missing; run: cargo build --release --workspace",
        program.display()
    );
    Ok(program)
}

/// The sites as a process of their own; they end with the returned child.
pub(crate) async fn serve() -> anyhow::Result<(Child, u16)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = child.stdout.take().context("the sites have no output")?;
    let port = BufReader::new(out).lines().next_line().await?.context("the sites did not start")?;
    Ok((child, port.parse()?))
}

/// `linkbeat check` of a list, on a fresh database.
pub(crate) fn linkbeat_check(folder: &Path, list: &Path) -> anyhow::Result<Command> {
    let database = folder.join("bench.db");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
    }
    let mut command = Command::new(program("linkbeat")?);
    command
        .current_dir(folder)
        .arg("check")
        .arg(list)
        .args(["--allow-network", "127.0.0.0/8", "--format", "json", "--output", "report.json", "--quiet"])
        .args(["--backlink", r"https://my\.blog\.example/"])
        .env("LINKBEAT_DATABASE_URL", format!("sqlite://{}", database.display()));
    Ok(command)
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
