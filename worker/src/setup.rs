//! Why a worker cannot start.

use std::io;
use std::path::PathBuf;

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
            Self::Tls(_) | Self::Client(_) => None,
        }
    }
}
