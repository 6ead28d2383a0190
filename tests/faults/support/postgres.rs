//! A PostgreSQL of a test's own, which keeps its promises to disk, to be killed.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::{eventually, free_port};

/// One server. What it wrote to disk outlives a kill.
pub(crate) struct Postgres {
    home: PathBuf,
    port: u16,
    server: Process,
}

impl Postgres {
    /// Starts one whose files are kept in `folder`; returns when it can be used.
    pub(crate) async fn start(folder: &Path) -> Self {
        let home = folder.join("postgres");
        std::fs::create_dir(&home).unwrap();
        if let Some(user) = user() {
            chown(&home, Some(user), None).unwrap();
        }
        let mut initdb = command("initdb", &home);
        initdb.args([
            "-D",
            "data",
            "-U",
            "linkbeat",
            "-E",
            "UTF8",
            "--no-locale",
            "-A",
            "trust",
            "--no-sync",
        ]);
        let ended = initdb.output().unwrap();
        assert!(ended.status.success(), "initdb: {ended:?}");
        let port = free_port();
        let server = serve(&home, port);
        let postgres = Self { home, port, server };
        postgres.until_ready().await;
        postgres
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://linkbeat@127.0.0.1:{}/postgres", self.port)
    }

    /// `kill -9` of the server; its backends see it and end.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again after a kill; returns when it can be used.
    pub(crate) async fn restart(&mut self) {
        self.server = serve(&self.home, self.port);
        self.until_ready().await;
    }

    async fn until_ready(&self) {
        eventually("PostgreSQL to start", async || {
            let (client, connection) =
                tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await.ok()?;
            tokio::spawn(connection);
            client.simple_query("SELECT 1").await.ok().map(drop)
        })
        .await;
    }
}

fn serve(home: &Path, port: u16) -> Process {
    // It refuses to start while a backend of a killed server is still ending; then it is tried again.
    let script = "for try in $(seq 100); do \"$0\" \"$@\"; sleep 0.1; done";
    let mut server = command("sh", home);
    server.arg("-c").arg(script).arg(programs().join("postgres")).args([
        "-D",
        "data",
        "-p",
        &port.to_string(),
    ]);
    server.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=on"]);
    server.args(["-c", "max_connections=200"]);
    Process::logged(&mut server, &home.with_extension("log"))
}

/// One of PostgreSQL's programs. They refuse to run as root.
fn command(program: &str, home: &Path) -> Command {
    let in_folder = programs().join(program);
    let mut command = Command::new(if in_folder.exists() { in_folder } else { program.into() });
    command.current_dir(home);
    if let Some(user) = user() {
        command.uid(user);
    }
    command
}

/// The newest installed version's programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let mut folders: Vec<_> = versions.map(|version| version.unwrap().path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop().expect("PostgreSQL's programs are installed")
}

/// Whom to run as, where we are root.
fn user() -> Option<u32> {
    let id = |arguments: &[&str]| -> u32 {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().expect("a user id")
    };
    (id(&["-u"]) == 0).then(|| id(&["-u", "postgres"]))
}
