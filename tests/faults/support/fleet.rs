//! linkbeat's own processes, each on wires that can be disturbed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::Process;
use super::proxy::Proxy;
use super::{eventually, free_port};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Producer,
    Recorder,
    Worker,
}

/// A TCP link between a role and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    ProducerBroker,
    RecorderBroker,
    WorkerBroker,
    ProducerDatabase,
    RecorderDatabase,
}

impl Wire {
    pub(crate) const ALL: [Self; 5] = [
        Self::ProducerBroker,
        Self::RecorderBroker,
        Self::WorkerBroker,
        Self::ProducerDatabase,
        Self::RecorderDatabase,
    ];

    fn is_to_broker(self) -> bool {
        matches!(self, Self::ProducerBroker | Self::RecorderBroker | Self::WorkerBroker)
    }
}

/// One process: how it is started, and its present life.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) process: Process,
    health: String,
    command: CommandLine,
}

impl Member {
    /// What `/ready` says.
    pub(crate) async fn is_ready(&self) -> bool {
        let look = async {
            let mut stream = TcpStream::connect(&self.health).await.ok()?;
            stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n").await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            answer.split(' ').nth(1).map(|status| status == "200")
        };
        tokio::time::timeout(Duration::from_secs(2), look).await == Ok(Some(true))
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct CommandLine {
    /// A program and its arguments that start linkbeat in their turn, such as `prlimit --nofile=256`.
    pub(crate) through: Vec<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

impl CommandLine {
    /// A producer that takes no job for lost as long as a test lasts.
    pub(crate) fn patient() -> Self {
        Self::default().variable("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "900")
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// With a wall clock that is off by so much, such as `-1h`; the clock that measures time is right.
    pub(crate) fn clock_off(self, by: &str) -> Self {
        self.variable("LD_PRELOAD", &fake_time())
            .variable("FAKETIME", by)
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    pub(crate) fn through(mut self, program: &[&str]) -> Self {
        self.through = program.iter().map(ToString::to_string).collect();
        self
    }
}

/// The processes and their wires.
pub(crate) struct Fleet {
    folder: PathBuf,
    namespace: String,
    broker_url: String,
    database_url: String,
    wires: BTreeMap<Wire, Proxy>,
    pub(crate) members: Vec<Member>,
}

impl Fleet {
    /// Nobody runs yet; the database is migrated.
    pub(crate) async fn new(folder: &Path, namespace: &str, broker_url: &str, database_url: &str) -> Self {
        let mut wires = BTreeMap::new();
        for wire in Wire::ALL {
            let url = if wire.is_to_broker() { broker_url } else { database_url };
            wires.insert(wire, Proxy::before(address(url)).await);
        }
        let fleet = Self {
            folder: folder.to_owned(),
            namespace: namespace.to_owned(),
            broker_url: broker_url.to_owned(),
            database_url: database_url.to_owned(),
            wires,
            members: Vec::new(),
        };
        let migrate = linkbeat(folder).arg("migrate").env("LINKBEAT_DATABASE_URL", database_url).output();
        let migrate = migrate.unwrap();
        assert!(migrate.status.success(), "{migrate:?}");
        fleet
    }

    pub(crate) fn wire(&self, wire: Wire) -> &Proxy {
        &self.wires[&wire]
    }

    /// Starts one more process and waits until it is ready; returns its place.
    pub(crate) async fn start(&mut self, role: Role, command: CommandLine) -> usize {
        let place = self.launch(role, command);
        self.ready(place).await;
        place
    }

    /// As [`Fleet::start`], without waiting.
    pub(crate) fn launch(&mut self, role: Role, command: CommandLine) -> usize {
        let of_role = self.members.iter().filter(|member| member.role == role).count();
        let name = format!("{}-{of_role}", name(role));
        let health = format!("127.0.0.1:{}", free_port());
        let process = self.spawn(role, &name, &health, &command);
        self.members.push(Member { role, name, process, health, command });
        self.members.len() - 1
    }

    /// Starts a process that has ended once more.
    pub(crate) fn restart(&mut self, place: usize) {
        let Member { role, name, health, command, .. } = &self.members[place];
        self.members[place].process = self.spawn(*role, name, health, command);
    }

    /// As [`Fleet::restart`], without crash points and other peculiarities.
    pub(crate) fn restart_plain(&mut self, place: usize) {
        self.members[place].command.variables.retain(|(name, _)| name != "FAILPOINTS");
        self.restart(place);
    }

    pub(crate) fn process(&mut self, place: usize) -> &mut Process {
        &mut self.members[place].process
    }

    pub(crate) fn of(&self, role: Role) -> Vec<usize> {
        (0..self.members.len()).filter(|&place| self.members[place].role == role).collect()
    }

    /// Waits until `/ready` says so.
    pub(crate) async fn ready(&mut self, place: usize) {
        let member = &mut self.members[place];
        eventually(&format!("{} to be ready", member.name.clone()), async || {
            assert_eq!(member.process.ended(), None, "{}: {}", member.name, member.process.log());
            member.is_ready().await.then_some(())
        })
        .await;
    }

    fn spawn(&self, role: Role, name: &str, health: &str, line: &CommandLine) -> Process {
        let mut command = match line.through.split_first() {
            None => linkbeat(&self.folder),
            Some((program, arguments)) => {
                let mut command = clean(Command::new(program), &self.folder);
                command.args(arguments).arg(BINARY);
                command
            }
        };
        command.arg(self::name(role)).args(["--health-addr", health]).args(&line.arguments);
        let (broker, database) = match role {
            Role::Producer => (Wire::ProducerBroker, Some(Wire::ProducerDatabase)),
            Role::Recorder => (Wire::RecorderBroker, Some(Wire::RecorderDatabase)),
            Role::Worker => (Wire::WorkerBroker, None),
        };
        if role == Role::Worker {
            command.args(["--allow-network", "127.0.0.0/8", "--user-agent", name]);
        }
        command.env("LINKBEAT_NAMESPACE", &self.namespace);
        command.env("LINKBEAT_BROKER_URL", over(&self.broker_url, &self.wires[&broker]));
        if let Some(database) = database {
            command.env("LINKBEAT_DATABASE_URL", over(&self.database_url, &self.wires[&database]));
        }
        // Nobody wants to wait for what an operator would.
        command.envs([
            ("LINKBEAT_PRODUCER_PUBLISH_AFTER_SECS", "2"),
            ("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "3"),
            ("LINKBEAT_PRODUCER_RECONCILE_EVERY_SECS", "1"),
        ]);
        command.envs(line.variables.iter().cloned());
        Process::spawn(&mut command, &self.folder.join(format!("{name}.log")))
    }
}

const BINARY: &str = env!("CARGO_BIN_EXE_linkbeat");

/// The binary, in this folder, in an environment where no setting of the machine's owner reaches it.
pub(crate) fn linkbeat(folder: &Path) -> Command {
    clean(Command::new(BINARY), folder)
}

/// libfaketime for programs with threads (Debian: faketime).
fn fake_time() -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    let library =
        libraries.find(|library| library.exists()).expect("libfaketime is installed (Debian: faketime)");
    library.to_str().unwrap().to_owned()
}

fn clean(mut command: Command, folder: &Path) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LINKBEAT_")) {
        command.env_remove(name);
    }
    command.current_dir(folder);
    command
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Producer => "producer",
        Role::Recorder => "recorder",
        Role::Worker => "worker",
    }
}

fn address(url: &str) -> SocketAddr {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.parse().unwrap_or_else(|_| panic!("a server on a loopback address and a port: {host}"))
}

/// The URL by which a server is reached through a proxy.
fn over(url: &str, proxy: &Proxy) -> String {
    url.replacen(&address(url).to_string(), &format!("127.0.0.1:{}", proxy.port), 1)
}
