//! Why a try came to nothing: the errors of reqwest and everything below it, sorted by whose fault they are.
//!
//! The one decision worth knowing: errors are told apart by type, never by text. Where the type says
//! nothing about whose fault it is, the failure is [`Failure::Doubtful`] and needs evidence.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use linkbeat_shared::{ConnectKind, Phase, Reason};

use super::progress;
use super::tls;
use crate::fault::OwnFault;

/// Why a try gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The site's, or of whoever serves it.
    Site(Reason),
    /// The site's or ours: a verdict only where something shows that we are online.
    Doubtful(Reason),
    /// Ours; never a verdict.
    Own(OwnFault),
}

/// A look-up's failure on its way through reqwest.
#[derive(Debug, thiserror::Error)]
#[error("the host's name could not be looked up")]
pub(crate) struct LookupFailed(pub(crate) Failure);

impl Failure {
    /// The deadline passed in this phase.
    pub(crate) fn timeout(phase: Phase) -> Self {
        let reason = Reason::Timeout { phase };
        match phase {
            Phase::Dns => Self::Doubtful(reason),
            Phase::Connect => Self::of_network(reason),
            _ => Self::Site(reason),
        }
    }

    /// A name or URL leads to this address, which may not be dialled.
    pub(crate) fn unsafe_address(address: Option<IpAddr>) -> Self {
        Self::Site(Reason::UnsafeAddress { address: address.map(|address| address.to_string()) })
    }

    /// What an error of reqwest means, inside the check that it ended.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        causes(error).find_map(Self::of_cause).or_else(|| Self::of_innermost_io(error)).unwrap_or_else(|| {
            if error.is_timeout() {
                Self::timeout(progress::phase())
            } else if error.is_connect() {
                Self::connect(ConnectKind::Other)
            } else {
                Self::Site(Reason::Protocol)
            }
        })
    }

    /// The same where a proxy was between us and the site: that the proxy itself cannot be found or reached
    /// is nothing of the site's. What the proxy fails to reach it answers with a status.
    pub(crate) fn of_proxy(self) -> Self {
        match self {
            Self::Site(reason) | Self::Doubtful(reason) => match reason {
                Reason::Dns { .. }
                | Reason::Connect { kind: ConnectKind::Refused | ConnectKind::Unreachable } => {
                    Self::Own(OwnFault::Offline)
                }
                reason => Self::Site(reason),
            },
            own => own,
        }
    }

    /// What one cause means, where its type says enough.
    fn of_cause(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(LookupFailed(failure)) = cause.downcast_ref() {
            Some(failure.clone())
        } else if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            Some(Self::Site(Reason::Tls { kind: tls::kind(error) }))
        } else if let Some(error) = cause.downcast_ref::<io::Error>() {
            // One that carries another error is a wrapper: the cause inside may say more.
            error.get_ref().is_none().then(|| Self::of_io(error))
        } else if let Some(error) = cause.downcast_ref::<h2::Error>() {
            Some(Self::of_h2(error))
        } else {
            cause.downcast_ref().and_then(Self::of_hyper)
        }
    }

    fn of_innermost_io(error: &(dyn Error + 'static)) -> Option<Self> {
        let io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last()?;
        (io.kind() != io::ErrorKind::Other).then(|| Self::of_io(io))
    }

    /// Whether it shows that some server answered us, so that we are online.
    pub(crate) fn shows_a_server(&self) -> bool {
        match self {
            Self::Site(Reason::Connect { kind }) => {
                matches!(kind, ConnectKind::Refused | ConnectKind::Reset | ConnectKind::Closed)
            }
            Self::Site(Reason::Timeout { phase }) => matches!(phase, Phase::Tls | Phase::Headers),
            Self::Site(Reason::Tls { .. } | Reason::Protocol) => true,
            _ => false,
        }
    }

    /// Whether an established connection ended before an answer.
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Site(Reason::Connect { kind: ConnectKind::Reset | ConnectKind::Closed }))
    }

    /// Failing to reach a public address may be our network's fault; within our own networks it is not.
    fn of_network(reason: Reason) -> Self {
        if progress::dialled().public { Self::Doubtful(reason) } else { Self::Site(reason) }
    }

    fn connect(kind: ConnectKind) -> Self {
        Self::Site(Reason::Connect { kind })
    }

    fn of_io(error: &io::Error) -> Self {
        if let Some(fault) = own_fault(error) {
            return Self::Own(fault);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::connect(ConnectKind::Refused),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Self::connect(ConnectKind::Reset)
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => Self::connect(ConnectKind::Closed),
            // Local ports run out for IPv4; for IPv6 it means that the machine has no address of its own.
            io::ErrorKind::AddrNotAvailable if progress::dialled().v4 => Self::Own(OwnFault::Resources),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::PermissionDenied => {
                Self::of_network(Reason::Connect { kind: ConnectKind::Unreachable })
            }
            io::ErrorKind::TimedOut => Self::timeout(progress::phase()),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Site(Reason::Protocol),
            _ => Self::connect(ConnectKind::Other),
        }
    }

    fn of_h2(error: &h2::Error) -> Self {
        if let Some(error) = error.get_io() {
            return Self::of_io(error);
        }
        let lost = match error.reason() {
            Some(h2::Reason::REFUSED_STREAM) => true,
            reason => error.is_go_away() && reason == Some(h2::Reason::NO_ERROR),
        };
        if lost { Self::connect(ConnectKind::Closed) } else { Self::Site(Reason::Protocol) }
    }

    fn of_hyper(error: &hyper::Error) -> Option<Self> {
        if error.is_parse() {
            Some(Self::Site(Reason::Protocol))
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            // Said of the connection's end; its cause, where there is one, says more.
            error.source().is_none().then(|| Self::connect(ConnectKind::Closed))
        } else {
            None
        }
    }
}

/// A want of our own: of descriptors, buffers or memory.
pub(crate) fn own_fault(error: &io::Error) -> Option<OwnFault> {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Some(OwnFault::Resources),
        _ => None,
    }
}

/// An error and its causes, from the outside in.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        // An io::Error's source is that of its payload; the payload itself would be skipped.
        Some(io) => io.get_ref().map(|payload| payload as &(dyn Error + 'static)),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(code: i32, dialled: &str) -> Failure {
        let dialled: IpAddr = dialled.parse().unwrap();
        progress::watch(async move {
            progress::dialling(&[dialled]);
            Failure::of_io(&io::Error::from_raw_os_error(code))
        })
        .await
    }

    #[tokio::test]
    async fn what_we_lack_is_our_own_fault() {
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL] {
            assert_eq!(of(code, "1.1.1.1").await, Failure::Own(OwnFault::Resources), "{code}");
        }
    }

    #[tokio::test]
    async fn an_unreachable_public_network_is_doubtful_and_an_inner_one_is_not() {
        let unreachable = Reason::Connect { kind: ConnectKind::Unreachable };
        let late = Reason::Timeout { phase: Phase::Connect };
        for (code, reason) in [(libc::ENETUNREACH, unreachable.clone()), (libc::ETIMEDOUT, late)] {
            assert_eq!(of(code, "1.1.1.1").await, Failure::Doubtful(reason.clone()));
            assert_eq!(of(code, "127.0.0.1").await, Failure::Site(reason));
        }
        assert_eq!(of(libc::EADDRNOTAVAIL, "2606:4700::1").await, Failure::Doubtful(unreachable));
    }
}
