//! A disk that fills up under SQLite.

use std::process::{Command, Output};

use crate::support::fleet::linkbeat;
use crate::support::site::Crowd;

const CHECK: [&str; 6] = ["check", "--allow-network", "127.0.0.0/8", "--format", "json", "--quiet"];
const LINKS: usize = 2_000;

/// Files may grow by so much and no more, as on a disk that is all but full.
const LEFT_KIB: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn is_said_and_the_run_is_finished_once_there_is_room() {
    let (site, folder) = (Crowd::open().await, tempfile::tempdir().unwrap());
    let urls: String = site.mix(0..LINKS, 0).into_iter().map(|link| link.url + "\n").collect();
    std::fs::write(folder.path().join("list.txt"), urls).unwrap();
    let imported = linkbeat(folder.path()).args(["links", "import", "list.txt"]).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");

    let full = run_with_little_room(folder.path());
    let said = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(3), "{said}");
    assert!(said.contains("full") || said.contains("disk"), "it says what is wrong: {said}");

    let mut again = linkbeat(folder.path());
    let ended = again.args(CHECK).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["data"]["checked"], LINKS, "{ended:?}");
}

fn run_with_little_room(folder: &std::path::Path) -> Output {
    let room = std::fs::metadata(folder.join("linkbeat.db")).unwrap().len() / 1_024 + LEFT_KIB;
    let limited = format!("trap '' XFSZ; ulimit -f {room}; exec timeout 60 \"$@\"");
    let plain = linkbeat(folder);
    let mut command = Command::new("bash");
    command.current_dir(folder).args(["-c", &limited, "bash"]).arg(plain.get_program()).args(CHECK);
    command.output().unwrap()
}
