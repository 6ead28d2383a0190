//! JOB -> CHECK -> RESULTS.
//!
//! A [`Worker`] takes jobs from the broker, checks their links concurrently with its [`Engine`], and
//! publishes the results; a job is acknowledged only after its results are confirmed. The one decision
//! worth knowing: whatever a site does is a verdict, and whatever is our own fault never is. An
//! [`OwnFault`] sends the job back, turns [`Health`] red, and pauses the worker.

mod blocked;
mod cancelled;
mod check;
mod checks;
mod connectivity;
mod descriptors;
mod fetch;
mod intake;
mod job;
mod judge;
mod limits;
mod load;
mod pace;
mod pause;
mod retry;
mod runner;
mod settings;
mod starts;

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use linkbeat_shared::CheckResult;

pub use check::Engine;
pub use fetch::{NameServer, name_servers};
pub use job::{DRAIN_MARGIN, MAX_LOSSES};
pub use runner::Worker;
pub use settings::{
    BadHeader, BadProxyUrl, DEFAULT_CONCURRENCY, DEFAULT_MAX_BODY, DEFAULT_MAX_HOLD_MS,
    DEFAULT_MAX_TIMEOUT_MS, DEFAULT_PER_HOST, DEFAULT_USER_AGENT, Header, ProxyUrl, WorkerSettings,
};

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The link was judged.
    Judged(CheckResult),
    /// It could not be judged, through no fault of its own.
    OwnFault(OwnFault),
}

/// Why a link could not be judged: never a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnFault {
    /// Nothing can be resolved or reached.
    Offline,
    /// The machine is out of file descriptors, local ports, buffers or memory.
    Resources,
}

impl OwnFault {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Resources => "resources",
        }
    }
}

/// How a worker is doing, from real progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No job has ended yet.
    Starting,
    /// The latest job was done.
    Working,
    /// An own fault sent the latest job back. No jobs are taken for a while, then it is tried again.
    Paused {
        /// The fault.
        fault: OwnFault,
        /// When it began, without a job done in between.
        since: DateTime<Utc>,
    },
}

/// Why a worker cannot start with these settings, on this machine. [`SetupError::advice`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A limit that admits nothing.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// No header value.
    #[error("the user agent `{0}` cannot stand in a header")]
    UserAgent(String),
    /// No certificate authority at all: every https link would look broken.
    #[error("this machine has no trusted certificate authorities")]
    NoRoots,
    /// The additional certificate authorities cannot be read.
    #[error("the certificate authorities in {} cannot be read: {source}", path.display())]
    ExtraCa {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The resolver cannot be set up.
    #[error("the DNS resolver cannot be set up: {0}")]
    Resolver(#[from] hickory_resolver::net::NetError),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl SetupError {
    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoRoots => Some("install them (Debian: ca-certificates)"),
            Self::ExtraCa { .. } => Some("correct worker.extra_ca"),
            Self::Zero(_) | Self::UserAgent(_) => Some("correct the worker's settings"),
            Self::Tls(_) | Self::Resolver(_) | Self::Client(_) => None,
        }
    }
}
