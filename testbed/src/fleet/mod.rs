//! linkbeat's own processes, with logs, on wires that can be disturbed where a test asks for it.

mod command_line;
mod member;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::command_line::CommandLine;
pub use self::member::{Member, Role, Wire, http_status};
use crate::command::{Binary, run};
use crate::process::Process;
use crate::proxy::Proxy;
use crate::{eventually, free_port};

/// Where a fleet's servers are.
#[derive(Debug, Clone)]
pub struct Place {
    /// What `LINKBEAT_BROKER_URL` is set to.
    pub broker_url: String,
    /// What `LINKBEAT_DATABASE_URL` is set to.
    pub database_url: String,
    /// What `LINKBEAT_NAMESPACE` is set to.
    pub namespace: String,
}

/// The processes and their wires.
pub struct Fleet {
    binary: Binary,
    folder: PathBuf,
    place: Place,
    settings: Vec<(&'static str, &'static str)>,
    wires: BTreeMap<Wire, Proxy>,
    /// Every process that was started.
    pub members: Vec<Member>,
}

impl Fleet {
    /// Nobody runs yet; the database is migrated. Logs are kept in `folder`. `settings` are variables of every
    /// process.
    pub fn new(
        binary: Binary,
        folder: &Path,
        place: Place,
        settings: &[(&'static str, &'static str)],
    ) -> Self {
        run(binary.command(folder, ["migrate"]).env("LINKBEAT_DATABASE_URL", &place.database_url)).expect(0);
        Self {
            binary,
            folder: folder.to_owned(),
            place,
            settings: settings.to_vec(),
            wires: BTreeMap::new(),
            members: Vec::new(),
        }
    }

    /// Each role is connected with each server by a wire that can be disturbed.
    pub async fn on_wires(mut self) -> Self {
        for wire in Wire::ALL {
            let url = if wire.is_to_broker() { &self.place.broker_url } else { &self.place.database_url };
            self.wires.insert(wire, Proxy::before(&url.parse().unwrap()).await);
        }
        self
    }

    /// One of [`Fleet::on_wires`].
    pub fn wire(&self, wire: Wire) -> &Proxy {
        &self.wires[&wire]
    }

    /// Starts one more process and waits until it is ready; returns its place.
    pub async fn start(&mut self, role: Role, command: CommandLine) -> usize {
        let place = self.launch(role, command);
        self.ready(place).await;
        place
    }

    /// As [`Fleet::start`], without waiting.
    pub fn launch(&mut self, role: Role, command: CommandLine) -> usize {
        let of_role = self.members.iter().filter(|member| member.role == role).count();
        let name = format!("{}-{of_role}", role.name());
        let health = format!("127.0.0.1:{}", free_port());
        let process = self.spawn(role, &name, &health, &command);
        self.members.push(Member { role, name, process, health, command });
        self.members.len() - 1
    }

    /// Starts a process that has ended once more.
    pub fn restart(&mut self, place: usize) {
        let Member { role, name, health, command, .. } = &self.members[place];
        self.members[place].process = self.spawn(*role, name, health, command);
    }

    /// As [`Fleet::restart`], without crash points and other peculiarities.
    pub fn restart_plain(&mut self, place: usize) {
        self.members[place].command.variables.retain(|(name, _)| name != "FAILPOINTS");
        self.restart(place);
    }

    /// The process at this place.
    pub fn process(&mut self, place: usize) -> &mut Process {
        &mut self.members[place].process
    }

    /// The places of all processes of a role.
    pub fn of(&self, role: Role) -> Vec<usize> {
        (0..self.members.len()).filter(|&place| self.members[place].role == role).collect()
    }

    /// Waits until `/ready` says so.
    pub async fn ready(&mut self, place: usize) {
        let member = &mut self.members[place];
        eventually(&format!("{} to be ready", member.name.clone()), async || {
            assert_eq!(member.process.ended(), None, "{}: {}", member.name, member.process.log());
            member.is_ready().await.then_some(())
        })
        .await;
    }

    fn spawn(&self, role: Role, name: &str, health: &str, line: &CommandLine) -> Process {
        let mut command = self.binary.command_through(&line.through, &self.folder);
        command.arg(role.name()).args(["--health-addr", health]);
        let (broker, database) = match role {
            Role::Producer => (Wire::ProducerBroker, Some(Wire::ProducerDatabase)),
            Role::Recorder => (Wire::RecorderBroker, Some(Wire::RecorderDatabase)),
            Role::Worker => (Wire::WorkerBroker, None),
        };
        if role == Role::Worker {
            command.args(["--allow-network", "127.0.0.0/8", "--user-agent", name]);
        }
        command.args(&line.arguments);
        command.env("LINKBEAT_NAMESPACE", &self.place.namespace);
        command.env("LINKBEAT_BROKER_URL", self.over(broker, &self.place.broker_url));
        // Workers are given no database: they must not need one.
        let database = database.map_or_else(nowhere, |wire| self.over(wire, &self.place.database_url));
        command.env("LINKBEAT_DATABASE_URL", database);
        command.envs(self.settings.iter().copied());
        command.envs(line.variables.iter().cloned());
        Process::logged(&mut command, &self.folder.join(format!("{name}.log")))
    }

    /// The URL by which a server is reached.
    fn over(&self, wire: Wire, server: &str) -> String {
        self.wires.get(&wire).map_or_else(|| server.to_owned(), |proxy| proxy.url.to_string())
    }
}

fn nowhere() -> String {
    "postgres://nobody@127.0.0.1:1/none".to_owned()
}
