//! `/live` and `/ready`: each part tells the truth, and only a new start that would help is asked for.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use linkbeat_testbed::background;
use linkbeat_testbed::proxy::{Proxy, Weather};
use serde_json::Value;

use crate::support::fleet::{Servers, free_port, http_status};
use crate::support::form::arg;
use crate::support::process::{Guarded, linkbeat, run};
use crate::support::{Folder, eventually};

/// One role on servers of its own, seen by its health address.
struct Role {
    servers: Servers,
    folder: Folder,
    health: String,
    _process: Guarded,
}

impl Role {
    /// `settings` are variables that go before those of the servers.
    fn start(
        role: &str,
        args: &[&str],
        settings: impl FnOnce(&Servers) -> Vec<(&'static str, String)>,
    ) -> Self {
        let (servers, folder) = (Servers::new(), Folder::new());
        let mut migrate = linkbeat(folder.path(), ["migrate"]);
        servers.configure(&mut migrate);
        run(&mut migrate).expect(0);
        let health = format!("127.0.0.1:{}", free_port());
        let mut command = linkbeat(folder.path(), [role, "--health-addr", &health]);
        servers.configure(&mut command);
        command.args(args).envs(settings(&servers)).stdout(Stdio::null());
        Self { _process: Guarded::spawn(&mut command), servers, folder, health }
    }

    fn ready(&self) -> Option<Value> {
        let mut stream = std::net::TcpStream::connect(&self.health).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET /ready HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(head.contains(" 200 "), body["ready"] == true, "{answer}");
        Some(body)
    }

    fn part(&self, name: &str) -> Option<Value> {
        let ready = self.ready()?;
        let parts = ready["parts"].as_array().unwrap();
        Some(
            parts
                .iter()
                .find(|part| part["part"] == name)
                .unwrap_or_else(|| panic!("no {name}: {ready:#}"))
                .clone(),
        )
    }

    fn becomes_ready(&self) {
        eventually("the role to be ready", || self.ready().filter(|ready| ready["ready"] == true));
    }

    /// Waits until this part is not well; meanwhile and then the process is alive.
    fn is_seen_to_fail(&self, part: &str, problem: &str) {
        let failed = || self.part(part).filter(|part| part["ok"] == false);
        let failed = eventually(&format!("{part} to fail"), failed);
        assert!(failed["problem"].as_str().unwrap().contains(problem), "{failed:#}");
        assert_eq!(http_status(&self.health, "/ready"), Some(503));
        assert_eq!(http_status(&self.health, "/live"), Some(200), "a new start would not help");
    }
}

fn before(url: &str) -> Proxy {
    background(Proxy::before(&url.parse().unwrap()))
}

#[test]
fn each_role_lists_its_parts() {
    for (role, expected) in [
        ("producer", &["runtime", "connected", "publishing", "consuming", "database"][..]),
        ("recorder", &["runtime", "connected", "publishing", "consuming", "database"]),
        ("worker", &["runtime", "connected", "publishing", "consuming", "checking"]),
    ] {
        let role_process = Role::start(role, &[], |_| Vec::new());
        role_process.becomes_ready();
        let ready = role_process.ready().unwrap();
        assert_eq!(ready["role"], role);
        let parts: Vec<_> = ready["parts"].as_array().unwrap().iter().map(|part| &part["part"]).collect();
        assert_eq!(parts, expected);
        assert!(
            role_process.part("connected").unwrap()["last_ok_seconds"].as_f64().unwrap() < 5.0,
            "{ready:#}"
        );
        if role != "worker" {
            eventually("the database to have answered", || {
                role_process.part("database")?["last_ok_seconds"].as_f64().filter(|ago| *ago < 5.0)
            });
        }
        assert_eq!(http_status(&role_process.health, "/live"), Some(200));
    }
}

#[test]
fn a_broker_that_hangs_is_seen_and_so_is_its_coming_back() {
    let proxy = std::cell::OnceCell::new();
    let role = Role::start("recorder", &[], |servers| {
        let proxy = proxy.get_or_init(|| before(&servers.broker_url));
        vec![("LINKBEAT_BROKER_URL", format!("{}?heartbeat=1", proxy.url))]
    });
    role.becomes_ready();
    proxy.get().unwrap().set(Weather::BlackHole);
    role.is_seen_to_fail("connected", "no session with the broker");
    proxy.get().unwrap().set(Weather::Clear);
    role.becomes_ready();
}

#[test]
fn a_database_that_hangs_is_seen_and_so_is_its_coming_back() {
    let proxy = std::cell::OnceCell::new();
    let role = Role::start("recorder", &[], |servers| {
        let proxy = proxy.get_or_init(|| before(&servers.database_url));
        vec![("LINKBEAT_DATABASE_URL", proxy.url.to_string())]
    });
    role.becomes_ready();
    eventually("the database to have answered", || role.part("database")?["last_ok_seconds"].as_f64());
    proxy.get().unwrap().set(Weather::BlackHole);
    role.is_seen_to_fail("database", " for ");
    proxy.get().unwrap().set(Weather::Clear);
    role.becomes_ready();
}

#[test]
fn a_role_that_waits_for_its_database_is_alive_and_says_so() {
    let nowhere = |_: &Servers| vec![("LINKBEAT_DATABASE_URL", "postgres://me@127.0.0.1:1/none".to_owned())];
    let role = Role::start("producer", &[], nowhere);
    role.is_seen_to_fail("database", "refused");
}

#[test]
fn a_worker_that_is_offline_says_so() {
    let role = Role::start("worker", &["--resolver", "127.0.0.1:1"], |_| Vec::new());
    role.becomes_ready();
    let list = role.folder.write("list.csv", "name,url\na,http://a.example.com/\n");
    let mut file = linkbeat(role.folder.path(), ["run", arg(&list), "--timeout", "1s"]);
    role.servers.configure(&mut file);
    run(&mut file).expect(0);
    role.is_seen_to_fail("checking", "offline");
    assert!(role.part("connected").unwrap()["ok"] == true, "the other parts are well");
}
