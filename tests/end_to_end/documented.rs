//! The commands of README and docs/ run as they are written, as far as they need no server and no internet. Of the others the
//! command line is looked at.

use std::path::Path;
use std::process::Command;

use crate::support::Folder;
use crate::support::process::{BINARY, linkbeat, run};

/// A link that is refused at once: its address is not public.
const LIST: &str = "name,url\nA friend,http://127.0.0.1:9/\nOld friend,http://127.0.0.1:9/old\n";
const FILES: [&str; 4] = ["your-links.csv", "friends.csv", "links.csv", "sponsors.csv"];
/// Commands for a fleet, and such as need the internet or do more than a test should.
const FLEET: [&str; 9] = ["run", "producer", "worker", "recorder", "workers", "dead", "doctor", "demo", "up"];

/// The lines of all blocks of shell commands.
fn lines() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: Vec<_> =
        std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(root.join("README.md"));
    files.retain(|file| file.extension().is_some_and(|ending| ending == "md"));
    let mut found = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        for block in text.split("\n```sh\n").skip(1) {
            let commands = block.split("\n```").next().unwrap().replace("\\\n", " ");
            found.extend(commands.lines().map(|line| (name.clone(), line.to_owned())));
        }
    }
    found
}

fn is_for_a_fleet(line: &str) -> bool {
    let mut words = line.split_whitespace().skip(1).filter(|word| !word.starts_with('-'));
    words.next().is_none_or(|word| FLEET.contains(&word))
        || line.contains("amqp")
        || line.contains('…')
        || line.contains("https://")
        // A moment that is over by now is refused.
        || line.contains("--at ")
}

#[test]
fn every_command_in_the_documents_runs_as_written() {
    let folder = Folder::new();
    FILES.iter().for_each(|file| drop(folder.write(file, LIST)));
    folder.write(
        "link.yml",
        "- class_name: x\n  link_list:\n    - {name: A friend, link: \"http://127.0.0.1:9/\"}\n",
    );
    std::fs::create_dir(folder.path().join("examples")).unwrap();
    folder.write("examples/friends.csv", LIST);
    run(&mut linkbeat(folder.path(), ["check", "friends.csv"])).expect(1);
    let (mut ran, mut looked_at) = (0, 0);
    for (document, line) in lines() {
        let line = line.split(" #").next().unwrap_or_default().trim().trim_end_matches('&').trim();
        if !line.starts_with("linkbeat ") {
            continue;
        }
        if is_for_a_fleet(line) {
            if !line.contains(['$', '|', '<', '…']) {
                let args = line.split_whitespace().skip(1).map(|word| word.trim_matches('\''));
                run(linkbeat(folder.path(), args).arg("--help")).expect(0);
                looked_at += 1;
            }
            continue;
        }
        let ended = run(&mut shell(&folder, line));
        let status = ended.status;
        assert!(
            matches!(status, Some(0 | 1)),
            "{document}: `{line}` ended with {status:?}: {}",
            ended.stderr
        );
        ran += 1;
    }
    assert!(ran >= 6 && looked_at >= 3, "{ran} ran, {looked_at} were looked at");
}

/// The line as a person types it, with linkbeat on the path and none of the settings of this machine's owner.
fn shell(folder: &Folder, line: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let own = Path::new(BINARY.0).parent().unwrap().display().to_string();
    let mut shell = Command::new("sh");
    for (name, _) in linkbeat(folder.path(), [""; 0]).get_envs().filter(|(_, value)| value.is_none()) {
        shell.env_remove(name);
    }
    shell.args(["-c", line]).current_dir(folder.path()).env("PATH", format!("{own}:{path}"));
    shell.stdin(std::process::Stdio::null());
    shell
}

/// The tests that docs/testing.md names are there.
#[test]
fn the_tests_that_the_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/testing.md")).unwrap();
    let table = document.split("\n## ").find(|part| part.starts_with("What shows what")).unwrap();
    let mut sources = String::new();
    for folder in ["tests", "shared", "store/tests", "producer"] {
        read_sources(&root.join(folder), &mut sources);
    }
    let named = table.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() >= 4);
    let mut found = 0;
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "docs/testing.md names {name}, which is no test");
        found += 1;
    }
    assert!(found > 60, "{found}");
}

fn read_sources(folder: &Path, to: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, to);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            to.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
