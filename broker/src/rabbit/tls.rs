//! Encryption to RabbitMQ: whom we trust, and who we are.
//!
//! The files are read for each connection anew, so that renewed certificates are used without a restart.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lapin::tcp::RustlsConnector;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// PEM files for `amqps://` URLs; none is needed when the system's authorities vouch for the broker and it
/// asks for no client certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerTls {
    /// Authorities trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate, and after it the intermediate ones that lead to an authority the broker knows.
    pub certificate: Option<PathBuf>,
    /// Our certificate's private key (PKCS #8, PKCS #1 or SEC 1), without a passphrase.
    pub key: Option<PathBuf>,
}

/// Why [`BrokerTls`] cannot be used. [`BadBrokerTls::advice`] says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBrokerTls {
    /// A file is missing, unreadable, or not what it should be.
    #[error("the broker's {what} {} cannot be used: {problem}", .path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the operating system or the parser says.
        problem: String,
    },
    /// A certificate without a key, or the other way round.
    #[error("a client certificate for the broker needs its key, and a key its certificate")]
    Half,
    /// Files for a connection that would not use them.
    #[error("a CA, certificate or key for the broker is of no use with amqp://, which is not encrypted")]
    InTheClear,
    /// Nobody is trusted.
    #[error("the system has no certificates to verify the broker by")]
    NoAuthorities,
    /// Nothing that a setting could change.
    #[error("encryption cannot be set up: {0}")]
    SetUp(String),
}

impl BadBrokerTls {
    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::File { .. } => Some("correct the setting that names it, or the file"),
            Self::Half => Some("set both"),
            Self::InTheClear => Some("write amqps://"),
            Self::NoAuthorities => {
                Some("install ca-certificates, set SSL_CERT_FILE, or set the broker's CA file")
            }
            Self::SetUp(_) => None,
        }
    }
}

impl BrokerTls {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the files, off the runtime: the system's authorities alone take milliseconds.
    pub(super) async fn read(&self) -> Result<RustlsConnector, BadBrokerTls> {
        let files = self.clone();
        let read = tokio::task::spawn_blocking(move || files.config()).await;
        read.unwrap_or_else(|error| Err(BadBrokerTls::SetUp(error.to_string()))).map(Into::into)
    }

    pub(super) fn config(&self) -> Result<ClientConfig, BadBrokerTls> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BadBrokerTls::SetUp(error.to_string()))?
            .with_root_certificates(self.authorities()?);
        match (&self.certificate, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let chain = certificates("client certificate", certificate)?;
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| bad("client key", key, &error))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| bad("client key", key, &error))
            }
            _ => Err(BadBrokerTls::Half),
        }
    }

    fn authorities(&self) -> Result<RootCertStore, BadBrokerTls> {
        let mut roots = RootCertStore::empty();
        // Systems ship a few that rustls cannot parse; the others serve.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &self.ca {
            for certificate in certificates("CA file", path)? {
                roots.add(certificate).map_err(|error| bad("CA file", path, &error))?;
            }
        }
        if roots.is_empty() { Err(BadBrokerTls::NoAuthorities) } else { Ok(roots) }
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, BadBrokerTls> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| bad(what, path, &error))?;
    if certificates.is_empty() {
        Err(bad(what, path, &"it holds no certificate in PEM"))
    } else {
        Ok(certificates)
    }
}

fn bad(what: &'static str, path: &Path, problem: &dyn Display) -> BadBrokerTls {
    BadBrokerTls::File { what, path: path.to_owned(), problem: problem.to_string() }
}
