//! The members of a fleet, and what connects them with their servers.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::CommandLine;
use crate::process::Process;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `linkbeat producer`
    Producer,
    /// `linkbeat recorder`
    Recorder,
    /// `linkbeat worker`
    Worker,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Recorder => "recorder",
            Self::Worker => "worker",
        }
    }
}

/// A TCP link between a role and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each says which role it connects with which server")]
pub enum Wire {
    ProducerBroker,
    RecorderBroker,
    WorkerBroker,
    ProducerDatabase,
    RecorderDatabase,
}

impl Wire {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::ProducerBroker,
        Self::RecorderBroker,
        Self::WorkerBroker,
        Self::ProducerDatabase,
        Self::RecorderDatabase,
    ];

    pub(super) fn is_to_broker(self) -> bool {
        matches!(self, Self::ProducerBroker | Self::RecorderBroker | Self::WorkerBroker)
    }
}

/// One process: how it is started, and its present life.
pub struct Member {
    /// What it is.
    pub role: Role,
    /// Its role and a number, such as `worker-0`. A worker has it as its user agent.
    pub name: String,
    /// Its present life.
    pub process: Process,
    /// Where it answers for its health.
    pub health: String,
    pub(super) command: CommandLine,
}

impl Member {
    /// What `/ready` says.
    pub async fn is_ready(&self) -> bool {
        let asking = tokio::time::timeout(Duration::from_secs(2), http_status(&self.health, "/ready"));
        asking.await == Ok(Some(200))
    }

    /// Whether it listens. It takes signals from before that.
    pub async fn has_begun(&self) -> bool {
        TcpStream::connect(&self.health).await.is_ok()
    }
}

/// The status of a plain GET; `None` when nobody answers.
pub async fn http_status(address: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
