//! The units of systemd and the lines of cron, in `deploy/systemd/` and in the documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Folder;
use crate::support::process::{BINARY, linkbeat, run};

/// Where the units say that the program is.
const INSTALLED: &str = "/usr/local/bin/linkbeat";

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each unit under its name, and where it stands.
fn units() -> BTreeMap<(String, String), String> {
    let mut units = BTreeMap::new();
    for entry in fs::read_dir(root().join("deploy/systemd")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        units.insert(("deploy".to_owned(), name), fs::read_to_string(entry.path()).unwrap());
    }
    for document in ["daily.md", "operations.md"] {
        let text = fs::read_to_string(root().join("docs").join(document)).unwrap();
        for part in text.split("`/etc/systemd/system/").skip(1) {
            let Some((name, rest)) = part.split_once("`:\n\n```ini\n") else { continue };
            let unit = rest.split("\n```").next().unwrap();
            units.insert((document.to_owned(), name.to_owned()), format!("{unit}\n"));
        }
    }
    assert!(units.len() >= 6, "{:?}", units.keys());
    units
}

fn values<'u>(unit: &'u str, name: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

#[test]
fn every_unit_starts_a_command_that_exists_with_settings_that_exist() {
    let folder = Folder::new();
    for ((place, name), unit) in units() {
        for line in values(&unit, "ExecStart") {
            let roles: &[&str] = if name.contains('@') { &["producer", "recorder", "worker"] } else { &[""] };
            for role in roles {
                let line = line.replace("%i", role);
                let args = line.strip_prefix(INSTALLED).unwrap().split_whitespace();
                let ended = run(linkbeat(folder.path(), args).arg("--help"));
                assert_eq!(ended.status, Some(0), "{place} {name}: {line}: {}", ended.stderr);
            }
        }
        for line in values(&unit, "Environment") {
            let (variable, _) = line.split_once('=').unwrap();
            assert_is_setting(&folder, variable, &format!("{place} {name}"));
        }
    }
}

/// An unknown variable is warned of, whatever its value.
pub(crate) fn assert_is_setting(folder: &Folder, variable: &str, place: &str) {
    let mut list = linkbeat(folder.path(), ["links", "list"]);
    // With a value that a setting does not take, linkbeat ends before it warns of others.
    let told = run(list.env(variable, "no such value")).stderr;
    assert!(!told.contains("no setting has the variable"), "{place}: {told}");
    let told = run(linkbeat(folder.path(), ["links", "list"]).env(format!("{variable}_X"), "")).stderr;
    assert!(told.contains("no setting has the variable"), "an unknown one is told: {told}");
}

/// Where there is a systemd, it finds nothing to say about the units. Elsewhere the test above is all.
#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    let mut places: BTreeMap<String, Folder> = BTreeMap::new();
    for ((place, name), unit) in units() {
        let folder = places.entry(place).or_insert_with(Folder::new);
        folder.write(&name, unit.replace(INSTALLED, BINARY.0));
        for calendar in values(&unit, "OnCalendar") {
            let said = Command::new("systemd-analyze").args(["calendar", calendar]).output().unwrap();
            assert!(said.status.success(), "{name}: {calendar}: {said:?}");
        }
    }
    for (place, folder) in places {
        let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|it| it == "service" || it == "timer")) {
            let said = verified(&file.display().to_string().replace("@.", "@worker."));
            assert_eq!(said, "", "{place}: {}", file.display());
        }
        let bad =
            folder.write("bad.service", format!("[Service]\nExecStart={} up\nRestrt=always\n", BINARY.0));
        assert!(verified(&bad.display().to_string()).contains("Restrt"), "what is wrong is said");
    }
}

fn verified(unit: &str) -> String {
    let said = Command::new("systemd-analyze").args(["verify", "--man=no", unit]).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    // Units of this machine are none of ours.
    let folder = Path::new(unit).parent().unwrap().display().to_string();
    text.lines().filter(|line| line.contains(&folder)).collect()
}

#[test]
fn the_lines_of_cron_and_of_windows_run_commands_that_exist() {
    let text = fs::read_to_string(root().join("docs/daily.md")).unwrap();
    let folder = Folder::new();
    let block =
        |kind: &str| text.split(&format!("```{kind}\n")).nth(1).unwrap().split("\n```").next().unwrap();
    let cron = block("crontab").lines().find(|line| line.contains(INSTALLED)).unwrap();
    assert!(!cron.contains('%'), "cron takes % for the end of the command");
    let times = cron.split_whitespace().take(5).collect::<Vec<_>>();
    assert!(times.iter().all(|time| *time == "*" || time.parse::<u8>().is_ok()), "{times:?}");
    let task = block("bat");
    let task = task.split("/TR \"").nth(1).unwrap().trim_end_matches('"');
    assert!(task.len() <= 261 && !task.contains('"'), "schtasks takes no more: {task}");
    for line in [cron, task] {
        let args = line.split("linkbeat check ").nth(1).unwrap().split_whitespace();
        run(linkbeat(folder.path(), ["check"]).args(args).arg("--help")).expect(0);
    }
}
