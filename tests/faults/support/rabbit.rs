//! A RabbitMQ of a test's own, to be killed, frozen and starved.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::Process;
use super::{eventually, free_port, queues};

/// Debian's wrapper in the PATH would change to the rabbitmq user: these run as we are.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// One node. What it wrote to disk outlives a kill.
pub(crate) struct Rabbit {
    home: PathBuf,
    port: u16,
    environment: Vec<(&'static str, String)>,
    server: Process,
    _names: Process,
}

impl Rabbit {
    /// Starts one whose files are kept in `folder`; returns when it can be used.
    pub(crate) async fn start(folder: &Path) -> Self {
        let home = folder.join("rabbitmq");
        std::fs::create_dir(&home).unwrap();
        let (port, dist_port, names_port) = (free_port(), free_port(), free_port());
        std::fs::write(home.join("rabbitmq.conf"), configuration(port)).unwrap();
        std::fs::write(home.join("enabled_plugins"), "").unwrap();
        let environment = environment(&home, dist_port, names_port);
        let mut names = Command::new("epmd");
        names.args(["-port", &names_port.to_string(), "-address", "127.0.0.1"]);
        let names = Process::logged(&mut names, &home.join("epmd.log"));
        let server = serve(&home, &environment);
        let rabbit = Self { home, port, environment, server, _names: names };
        rabbit.until_ready().await;
        rabbit
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again after a kill; returns when it can be used.
    pub(crate) async fn restart(&mut self) {
        self.server = serve(&self.home, &self.environment);
        self.until_ready().await;
    }

    /// Stops its clock, so to say: connections stay open, nothing is answered.
    pub(crate) fn freeze(&self) {
        self.server.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.server.signal("CONT");
    }

    /// Whether so little memory is "left" that publishers are blocked.
    pub(crate) fn memory_alarm(&self, on: bool) {
        self.control(&["set_vm_memory_high_watermark", if on { "0.000001" } else { "0.4" }]);
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(format!("{PROGRAMS}/rabbitmqctl"));
        let ended = command.args(arguments).envs(self.environment.iter().cloned()).output().unwrap();
        assert!(ended.status.success(), "rabbitmqctl {arguments:?}: {ended:?}");
    }

    async fn until_ready(&self) {
        eventually("RabbitMQ to start", async || {
            let look = tokio::time::timeout(Duration::from_secs(5), queues::connect(&self.url())).await;
            look.ok()?.ok().map(drop)
        })
        .await;
    }
}

fn serve(home: &Path, environment: &[(&'static str, String)]) -> Process {
    let mut command = Command::new(format!("{PROGRAMS}/rabbitmq-server"));
    Process::logged(command.envs(environment.iter().cloned()), &home.join("out.log"))
}

fn configuration(port: u16) -> String {
    format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\nlog.console = true\n\
         log.console.level = warning\ndisk_free_limit.absolute = 100MB\n"
    )
}

fn environment(home: &Path, dist_port: u16, names_port: u16) -> Vec<(&'static str, String)> {
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    vec![
        ("HOME", path("")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        ("RABBITMQ_NODENAME", format!("linkbeat-faults-{names_port}@localhost")),
        ("RABBITMQ_DIST_PORT", dist_port.to_string()),
        ("ERL_EPMD_PORT", names_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("log")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_SERVER_START_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
    ]
}
