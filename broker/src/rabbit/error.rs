//! Why RabbitMQ cannot be used, in words an operator can act on.

use std::io;
use std::time::Duration;

use lapin::ErrorKind;
use rustls::{AlertDescription, CertificateError, Error};

use super::{BadBrokerTls, BrokerUrl};

/// AMQP 0-9-1 reply codes (<https://www.rabbitmq.com/amqp-0-9-1-reference>).
pub(super) const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// A session could not be opened. The text names the broker without secrets, and the cause.
/// [`ConnectError::advice`] says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nothing answers there.
    #[error("cannot reach the broker at {address}: {cause}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the operating system or the TLS handshake says.
        cause: String,
    },
    /// It is there, but one side does not trust the other.
    #[error("no encrypted session with the broker at {address}: {cause}")]
    Untrusted {
        /// `host:port`.
        address: String,
        /// What is wrong with whose certificate.
        cause: String,
    },
    /// The files for encryption cannot be used.
    #[error(transparent)]
    Tls(#[from] BadBrokerTls),
    /// Something may be there, but it does not answer in time.
    #[error("the broker at {address} did not answer within {} s", .waited.as_secs_f32())]
    TimedOut {
        /// `host:port`.
        address: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It does not let us in, or not do what we need.
    #[error("the broker at {address} refuses access: {cause}")]
    Refused {
        /// `host:port`.
        address: String,
        /// RabbitMQ's words.
        cause: String,
    },
    /// A queue or exchange of our name exists, made otherwise.
    #[error("`{name}` exists at the broker at {address}, but not as linkbeat makes it: {cause}")]
    Conflict {
        /// `host:port`.
        address: String,
        /// The queue or exchange.
        name: String,
        /// RabbitMQ's words.
        cause: String,
    },
    /// Not one node of a cluster can be used.
    #[error("none of the broker's nodes can be used: {}", each(.0))]
    NoNode(Vec<ConnectError>),
    /// A queue or exchange is missing, and this user may not declare it.
    #[error("`{name}` does not exist at the broker at {address}, and this user may not declare it")]
    NotDeclared {
        /// `host:port`.
        address: String,
        /// The queue or exchange.
        name: String,
    },
    /// The connection ended before it could be used.
    #[error("the broker at {address} ended the session: {cause}")]
    Ended {
        /// `host:port`.
        address: String,
        /// What RabbitMQ or the operating system says.
        cause: String,
    },
}

impl ConnectError {
    /// What to do about it, where that is known. Of a cluster: about the first node for which it is known.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => {
                Some("check that RabbitMQ runs there and that the broker URL is right")
            }
            Self::Untrusted { .. } => Some("check the broker's CA file, certificate and key"),
            Self::Tls(error) => error.advice(),
            Self::TimedOut { .. } => {
                Some("check that RabbitMQ listens there and that no firewall is in between")
            }
            Self::Refused { .. } => Some("check user, password, virtual host and permissions"),
            Self::Conflict { .. } => Some(
                "delete it there (rabbitmqctl delete_queue, after saving what it holds) or choose another namespace",
            ),
            Self::NoNode(nodes) => nodes.iter().find_map(Self::advice),
            Self::NotDeclared { .. } => {
                Some("let a user with permission to configure declare linkbeat's queues first")
            }
            Self::Ended { .. } => Some("look into RabbitMQ's log for the reason"),
        }
    }

    /// Whether somebody has to act, here or at the broker: time alone will not help.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Untrusted { .. }
            | Self::Tls(_)
            | Self::Refused { .. }
            | Self::Conflict { .. }
            | Self::NotDeclared { .. } => true,
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Ended { .. } => false,
            Self::NoNode(each) => each.iter().all(Self::is_lasting),
        }
    }

    /// What a failed try to connect amounts to.
    pub(super) fn connecting(url: &BrokerUrl, waited: Duration, error: &lapin::Error) -> Self {
        let address = url.address();
        match error.kind() {
            ErrorKind::IOError(error) if error.kind() == io::ErrorKind::TimedOut => {
                Self::TimedOut { address, waited }
            }
            ErrorKind::IOError(error) => match tls_error(error) {
                Some(error) => Self::Untrusted { address, cause: trust(error) },
                // The verdict on our certificate is lost when the end of the connection overtakes it.
                None if url.is_encrypted() && is_cut(error) => Self::Untrusted {
                    address,
                    cause: format!(
                        "it cut the connection, as it does without a client certificate it accepts ({error})"
                    ),
                },
                None => Self::Unreachable { address, cause: error.to_string() },
            },
            _ => Self::speaking(url, error),
        }
    }

    /// What the failures of all nodes amount to.
    pub(super) fn of_nodes(mut failures: Vec<Self>) -> Self {
        if failures.len() == 1 { failures.remove(0) } else { Self::NoNode(failures) }
    }

    /// What an error on an open connection amounts to.
    pub(super) fn speaking(url: &BrokerUrl, error: &lapin::Error) -> Self {
        let (address, cause) = (url.address(), cause_of(error));
        match reply_code(error) {
            Some(ACCESS_REFUSED | NOT_ALLOWED) => Self::Refused { address, cause },
            _ => Self::Ended { address, cause },
        }
    }

    /// The session ended meanwhile.
    pub(super) fn ended(url: &BrokerUrl, cause: Option<&impl ToString>) -> Self {
        Self::Ended { address: url.address(), cause: cause.map(ToString::to_string).unwrap_or_default() }
    }

    /// What an error on declaring `name` amounts to.
    pub(super) fn declaring(url: &BrokerUrl, name: &str, error: &lapin::Error) -> Self {
        let (address, name) = (url.address(), name.to_owned());
        match reply_code(error) {
            Some(PRECONDITION_FAILED) => Self::Conflict { address, name, cause: cause_of(error) },
            // Only to a passive declare.
            Some(NOT_FOUND) => Self::NotDeclared { address, name },
            _ => Self::speaking(url, error),
        }
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What a failed TLS handshake means. In TLS 1.3 the broker's verdict on our certificate only arrives after
/// the handshake, as an error on the first read.
fn trust(error: &rustls::Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that we trust vouches for its certificate".to_owned()
        }
        Error::InvalidCertificate(error) => format!("its certificate is not valid ({error})"),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a client certificate".to_owned()
        }
        Error::AlertReceived(alert) => format!("it refused ours ({alert:?})"),
        Error::InvalidMessage(_) => "it does not speak TLS there, which is usual on port 5671".to_owned(),
        error => error.to_string(),
    }
}

fn each(failures: &[ConnectError]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The reply code, when the server sent one.
pub(super) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// The innermost words of an error.
pub(super) fn cause_of(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    }
}
