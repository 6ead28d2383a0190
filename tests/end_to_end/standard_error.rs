//! Standard error that cannot be written ends nobody and holds up nobody.

use std::fs::OpenOptions;
use std::io::{PipeReader, Write, pipe};
use std::process::Stdio;
use std::time::Duration;

use crate::support::fleet::{Servers, free_port, http_status};
use crate::support::process::{Guarded, linkbeat, run, signal};
use crate::support::{Folder, eventually};

/// What a pipe of Linux holds.
const PIPE: usize = 64 << 10;

/// A standard error that takes nothing; the reader is to be kept.
type Refusing = (&'static str, Stdio, Option<PipeReader>);

fn full_disk() -> Refusing {
    ("a full disk", OpenOptions::new().write(true).open("/dev/full").unwrap().into(), None)
}

fn without_a_reader() -> Refusing {
    ("without a reader", pipe().unwrap().1.into(), None)
}

fn with_a_reader_that_stalls() -> Refusing {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&[b'x'; PIPE]).unwrap();
    ("with a reader that stalls", writer.into(), Some(reader))
}

fn all() -> [Refusing; 3] {
    [full_disk(), without_a_reader(), with_a_reader_that_stalls()]
}

#[test]
fn every_role_works_and_stops_without_its_log() {
    let servers = Servers::new();
    let folder = Folder::new();
    let mut migrate = linkbeat(folder.path(), ["migrate"]);
    servers.configure(&mut migrate);
    run(&mut migrate).expect(0);
    for role in ["producer", "worker", "recorder"] {
        for (what, stderr, _reader) in all() {
            let health = format!("127.0.0.1:{}", free_port());
            let mut command = linkbeat(folder.path(), [role, "--health-addr", &health, "--log", "debug"]);
            servers.configure(&mut command);
            let mut process = Guarded::spawn(command.stdout(Stdio::null()).stderr(stderr));
            eventually(&format!("a {role} {what} to be ready"), || {
                http_status(&health, "/ready").filter(|status| *status == 200)
            });
            signal(process.id(), "TERM");
            let (status, took) = process.wait();
            assert_eq!(status, Some(0), "{role} {what}");
            assert!(took < Duration::from_secs(15), "{role} {what}: {took:?}");
        }
    }
}

#[test]
fn a_command_ends_with_its_own_status_when_nobody_reads_why() {
    let folder = Folder::new();
    for (what, stderr, _reader) in all() {
        let mut command = linkbeat(folder.path(), ["check", "no-such.csv"]);
        let mut process = Guarded::spawn(command.stdout(Stdio::null()).stderr(stderr));
        let (status, took) = process.wait();
        assert_eq!(status, Some(2), "{what}");
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
    }
}
