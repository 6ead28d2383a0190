//! The database: can it be reached, is it migrated, may this user work with it, is its clock right, and has it room?

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use linkbeat_store::{DatabaseUrl, Schema, ServerInspection, StoreError, inspect};

use super::{Role, Roles, history, needs};
use crate::exit::Failure;
use crate::finding::Finding;
use crate::settings::Settings;

/// The inspection has limits of its own. This one holds if they fail.
const PATIENCE: Duration = Duration::from_secs(15);
/// If the clocks are further apart, ages and times mislead people.
const SKEW: TimeDelta = TimeDelta::seconds(2);
/// With less room on the disk than this (in MiB) the doctor warns. With less than [`NO_ROOM`] writes will soon fail.
const LITTLE_ROOM: u64 = 1_024;
const NO_ROOM: u64 = 100;

pub(super) async fn examine(settings: &Settings, roles: Roles) -> Vec<Finding> {
    let url = &settings.database_url;
    let mut findings = match tokio::time::timeout(PATIENCE, inspect(url)).await {
        Err(_) => {
            let text = format!("the database {url} did not answer within {} s", PATIENCE.as_secs());
            vec![Finding::problem("database", text, "see that it runs and what holds it up")]
        }
        Ok(Err(error @ StoreError::Query { .. })) => vec![Finding::problem(
            "database",
            error.to_string(),
            "see that it is linkbeat's, and that this user may use it",
        )],
        Ok(Err(error)) => vec![Finding::failure("database", Failure::from(error))],
        Ok(Ok(seen)) => {
            let mut findings =
                vec![reached(url, &seen.version, seen.server.as_ref()), schema(url, &seen.schema)];
            if let Some(server) = &seen.server {
                findings.push(clock(server));
                if seen.schema == Schema::Current {
                    findings.extend(roles.each().filter_map(|role| rights(server, role)));
                }
            }
            if seen.schema == Schema::Current {
                findings.extend(history::examine(settings).await);
            }
            findings
        }
    };
    findings.extend(url.file().map(disk));
    findings
}

fn reached(url: &DatabaseUrl, version: &str, server: Option<&ServerInspection>) -> Finding {
    let Some(server) = server else { return Finding::ok("database", format!("{url}: {version}")) };
    let tls = server.tls.as_deref().map_or("without TLS".to_owned(), |tls| format!("over {tls}"));
    let text = format!("{url} answers, {tls}: {version}, as user {}", server.user);
    match server.read_only {
        true => Finding::problem(
            "database",
            text + ", but takes no writes",
            "name the primary server, not a standby",
        ),
        false => Finding::ok("database", text),
    }
}

fn schema(url: &DatabaseUrl, schema: &Schema) -> Finding {
    match schema {
        Schema::Current => Finding::ok("schema", "has every migration"),
        Schema::NoFile => Finding::ok("schema", "there is no file yet; the first `linkbeat check` makes it"),
        Schema::Pending(pending) if url.is_sqlite() => Finding::warning(
            "schema",
            format!("lacks {}", pending.join(", ")),
            "nothing: the next command that uses it migrates it; `linkbeat migrate` does so now",
        ),
        Schema::Pending(pending) => {
            Finding::problem("schema", format!("lacks {}", pending.join(", ")), "run `linkbeat migrate`")
        }
        Schema::Newer { found, known } => Finding::problem(
            "schema",
            format!("has the migration {found}, but this linkbeat knows none after {known}"),
            "use the linkbeat that migrated it, or a newer one",
        ),
        Schema::Unclear(cause) => Finding::problem(
            "schema",
            format!("could not be looked at: {cause}"),
            "let this user read the table __diesel_schema_migrations: docs/database-roles.md",
        ),
    }
}

fn clock(server: &ServerInspection) -> Finding {
    let off = server.clock_ahead.abs() - server.round_trip / 2;
    let direction = if server.clock_ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    let seconds = server.clock_ahead.abs().as_seconds_f64();
    let text = format!("the database's clock is {seconds:.3} s {direction} this machine's");
    if off <= SKEW {
        return Finding::ok("clock", text);
    }
    Finding::warning(
        "clock",
        text,
        "set both clocks by NTP: linkbeat orders nothing by clocks, but people do",
    )
}

fn rights(server: &ServerInspection, role: Role) -> Option<Finding> {
    let needs = needs::of_database(role);
    let granted = |table: &str| server.rights.iter().find(|rights| rights.table == table);
    let lacks = |(table, rights): &(&str, &[&str])| {
        let granted = granted(table);
        let has = |right: &&&str| granted.is_some_and(|granted| granted.granted.contains(right));
        let missing: Vec<&str> = rights.iter().filter(|right| !has(right)).copied().collect();
        (!missing.is_empty()).then(|| format!("{} on {table}", missing.join(", ")))
    };
    let missing: Vec<String> = needs.iter().filter_map(lacks).collect();
    let (user, role) = (&server.user, role.as_str());
    if needs.is_empty() {
        return None;
    }
    if missing.is_empty() {
        return Some(Finding::ok("rights", format!("{user} may do what a {role} does")));
    }
    let text = format!("{user} is no {role}: it lacks {}", missing.join("; "));
    Some(Finding::problem("rights", text, "grant it as docs/database-roles.md says"))
}

fn disk(file: &Path) -> Finding {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = folder.display();
    match room(folder) {
        Err(error) => Finding::problem(
            "disk",
            format!("the folder {shown} of the database cannot be written: {error}"),
            "make the folder and let this user write to it, or name another file with --database-url",
        ),
        Ok(free) if free < NO_ROOM => Finding::problem(
            "disk",
            format!("{free} MiB are free in {shown}"),
            "make room: a full disk stops the check, and nothing of it is lost",
        ),
        Ok(free) if free < LITTLE_ROOM => {
            Finding::warning("disk", format!("{free} MiB are free in {shown}"), "make room before it is full")
        }
        Ok(free) => Finding::ok("disk", format!("{free} MiB are free in {shown}")),
    }
}

/// How many MiB this user may still write.
fn room(folder: &Path) -> std::io::Result<u64> {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK)?;
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    fn skewed(ahead: TimeDelta, round_trip: TimeDelta) -> Finding {
        clock(&ServerInspection {
            user: "me".into(),
            tls: None,
            read_only: false,
            clock_ahead: ahead,
            round_trip,
            rights: Vec::new(),
        })
    }

    #[test]
    fn clocks_may_be_two_seconds_apart_and_what_is_not_known_is_not_held_against_them() {
        let (second, none) = (TimeDelta::seconds(1), TimeDelta::zero());
        for (ahead, round_trip, state) in [
            (second * 2, none, State::Ok),
            (-second * 2, none, State::Ok),
            (TimeDelta::milliseconds(2_001), none, State::Warning),
            (-second * 3_600, none, State::Warning),
            (second * 3, second * 2, State::Ok),
        ] {
            assert_eq!(skewed(ahead, round_trip).state, state, "{ahead} {round_trip}");
        }
        let behind = skewed(-second * 5, none);
        assert!(behind.text.contains("5.000 s behind"), "{}", behind.text);
        assert!(behind.remedy.is_some());
    }
}
