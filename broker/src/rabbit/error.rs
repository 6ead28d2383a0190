//! Why RabbitMQ cannot be used, in words an operator can act on.

use std::io;
use std::time::Duration;

use lapin::ErrorKind;

use super::BrokerUrl;

/// AMQP 0-9-1 reply codes (<https://www.rabbitmq.com/amqp-0-9-1-reference>).
pub(super) const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// A session could not be opened. The text names the broker without secrets, the cause, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nothing answers there.
    #[error(
        "cannot reach the broker at {address}: {cause}; check that RabbitMQ runs there and that the broker URL is right"
    )]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the operating system or the TLS handshake says.
        cause: String,
    },
    /// Something may be there, but it does not answer in time.
    #[error(
        "the broker at {address} did not answer within {} s; check that RabbitMQ listens there and that no firewall is in between",
        .waited.as_secs_f32()
    )]
    TimedOut {
        /// `host:port`.
        address: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It does not let us in, or not do what we need.
    #[error(
        "the broker at {address} refuses access: {cause}; check user, password, virtual host and permissions"
    )]
    Refused {
        /// `host:port`.
        address: String,
        /// RabbitMQ's words.
        cause: String,
    },
    /// A queue or exchange of our name exists, made otherwise.
    #[error(
        "`{name}` exists at the broker at {address}, but not as linkbeat makes it: {cause}; delete it there (rabbitmqctl delete_queue, after saving what it holds) or choose another namespace"
    )]
    Conflict {
        /// `host:port`.
        address: String,
        /// The queue or exchange.
        name: String,
        /// RabbitMQ's words.
        cause: String,
    },
    /// A queue or exchange is missing, and this user may not declare it.
    #[error(
        "`{name}` does not exist at the broker at {address}, and this user may not declare it; let a user with permission to configure declare linkbeat's queues first"
    )]
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
    /// What a failed try to connect amounts to.
    pub(super) fn connecting(url: &BrokerUrl, waited: Duration, error: &lapin::Error) -> Self {
        let address = url.address();
        match error.kind() {
            ErrorKind::IOError(error) if error.kind() == io::ErrorKind::TimedOut => {
                Self::TimedOut { address, waited }
            }
            ErrorKind::IOError(error) => Self::Unreachable { address, cause: error.to_string() },
            _ => Self::speaking(url, error),
        }
    }

    /// What an error on an open connection amounts to.
    pub(super) fn speaking(url: &BrokerUrl, error: &lapin::Error) -> Self {
        let (address, cause) = (url.address(), cause_of(error));
        match reply_code(error) {
            Some(ACCESS_REFUSED | NOT_ALLOWED) => Self::Refused { address, cause },
            _ => Self::Ended { address, cause },
        }
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
