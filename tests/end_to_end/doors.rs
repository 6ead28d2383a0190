//! Who may come in to the dashboard, set up by commands.

use std::process::Stdio;

use serde_json::Value;

use crate::support::fleet::{free_port, http_status};
use crate::support::process::{Ended, Guarded, linkbeat, run, run_with_input};
use crate::support::{Folder, eventually};

fn ended(folder: &Folder, args: &[&str]) -> Ended {
    run(&mut linkbeat(folder.path(), args))
}

#[test]
fn tokens_are_shown_once_and_listed_without_themselves() {
    let folder = Folder::new();
    let made = ended(&folder, &["tokens", "add", "grafana", "--scope", "read"]).expect(0);
    let token = made.stdout.trim().to_owned();
    assert!(token.starts_with("lb_") && token.len() == 46, "{token}");
    assert!(made.stderr.contains("it is not shown again"), "{}", made.stderr);
    ended(&folder, &["tokens", "add", "grafana", "--scope", "write"]).expect(2);
    ended(&folder, &["tokens", "add", "x", "--scope", "admin"]).expect(2);
    ended(&folder, &["tokens", "add", " ", "--scope", "read"]).expect(2);
    let listed = ended(&folder, &["tokens", "list", "--format", "json"]).expect(0);
    assert_eq!(listed.json()[0]["name"], "grafana");
    let table = ended(&folder, &["tokens", "list"]).expect(0);
    assert!(table.stdout.contains("grafana") && table.stdout.contains("read"), "{}", table.stdout);
    let database = std::fs::read(folder.path().join("linkbeat.db")).unwrap();
    for shown in [listed.stdout.as_bytes(), table.stdout.as_bytes(), &database] {
        assert!(!shown.windows(token.len()).any(|bytes| bytes == token.as_bytes()));
    }
    ended(&folder, &["tokens", "remove", "grafana"]).expect(0);
    ended(&folder, &["tokens", "remove", "grafana"]).expect(2);
}

#[test]
fn a_dashboard_for_others_starts_only_with_a_password() {
    let folder = Folder::new();
    let listen = format!("0.0.0.0:{}", free_port());
    let refused = ended(&folder, &["dashboard", "--listen", &listen]).expect(2);
    for way in ["linkbeat dashboard password", "linkbeat tokens add", "--open-read"] {
        assert!(refused.stderr.contains(way), "{}", refused.stderr);
    }
    let hash = |password: &str| {
        run_with_input(&mut linkbeat(folder.path(), ["dashboard", "password"]), password.as_bytes())
    };
    hash("short\n").expect(2);
    let hash = hash("correct horse\n").expect(0).stdout.trim().to_owned();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let mut command = linkbeat(folder.path(), ["dashboard", "--listen", &listen]);
    command.env("LINKBEAT_DASHBOARD_PASSWORD_HASH", &hash).stdout(Stdio::null());
    let _dashboard = Guarded::spawn(&mut command);
    let here = listen.replace("0.0.0.0", "127.0.0.1");
    eventually("the dashboard to be served", || http_status(&here, "/login").filter(|status| *status == 200));
    assert_eq!(http_status(&here, "/"), Some(401));
    let mut doctor = linkbeat(folder.path(), ["doctor", "--format", "json"]);
    let shown = run(doctor.env("LINKBEAT_DASHBOARD_PASSWORD_HASH", &hash)).stdout;
    assert!(serde_json::from_str::<Value>(&shown).is_ok() && !shown.contains("$argon2id"), "{shown}");
}
