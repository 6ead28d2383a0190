//! A PostgreSQL server, as its URL describes it.

use std::path::PathBuf;

use tokio_postgres::Config;

/// A server, and how to speak to it.
#[derive(Clone)]
pub(crate) struct Server {
    /// What the URL says, except about encryption.
    pub(crate) config: Config,
    /// What it says about encryption.
    pub(crate) tls: Tls,
}

/// What the URL says about encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// `sslmode`.
    pub(crate) mode: TlsMode,
    /// `sslrootcert`: the only authorities the server is verified by, instead of the system's.
    pub(crate) authorities: Option<PathBuf>,
    /// `sslcert` and `sslkey`: our certificate with its intermediate ones, and its private key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What `sslmode` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// In the clear.
    Disable,
    /// Encrypted where the server offers it.
    #[default]
    Prefer,
    /// Encrypted.
    Require,
    /// Encrypted, and the server's certificate verified, but not its name.
    VerifyCa,
    /// Encrypted, and the server's certificate and name verified.
    VerifyFull,
}
