//! Why a try came to nothing: the errors of reqwest and everything below it, sorted by whose fault they are.
//!
//! The one decision worth knowing: errors are told apart by type, never by text. Where the type does not say
//! whose fault it is, the failure is [`Failure::Doubtful`] and needs evidence.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use linkbeat_shared::{ConnectKind, Phase, Reason, TlsKind};

use super::progress;
use super::tls;
use crate::fault::OwnFault;

/// Why a try gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The site's, or of whoever serves it.
    Site(Reason),
    /// The site's or ours: a verdict only with evidence that this part of the path is well.
    Doubtful(Reason, Doubt),
    /// Ours; never a verdict.
    Own(OwnFault),
    /// Other checks hold the memory that the page needs. Ours, and it may be gone by the next take.
    NoMemory,
    /// What the server sends is so large that memory must be taken for it before.
    NeedsMemory,
}

/// The part of the path that may be to blame in the site's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The name servers.
    Names {
        /// The name was denied in the name of its zone.
        denied: bool,
    },
    /// The way to public addresses.
    Internet {
        /// This machine knows no way at all to such an address.
        no_route: bool,
    },
    /// The way to addresses of our own networks.
    Inside,
    /// The proxy.
    Proxy,
}

/// A look-up's failure on its way through reqwest.
#[derive(Debug, thiserror::Error)]
#[error("the host's name could not be looked up")]
pub(crate) struct LookupFailed(pub(crate) Failure);

impl Failure {
    /// Why no answer came, if that may be the site's doing.
    pub(crate) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Site(reason) | Self::Doubtful(reason, _) => Some(reason.clone()),
            Self::Own(_) | Self::NoMemory | Self::NeedsMemory => None,
        }
    }

    /// The deadline passed in this phase.
    pub(crate) fn timeout(phase: Phase) -> Self {
        let reason = Reason::Timeout { phase };
        match phase {
            Phase::Dns => Self::Doubtful(reason, Doubt::Names { denied: false }),
            Phase::Connect => Self::of_network(reason, false),
            _ => Self::Site(reason),
        }
    }

    /// A look-up led to this address, which may not be dialled. Where it does so for every name, somebody between
    /// us and the sites answers in their place.
    pub(super) fn unsafe_name(address: IpAddr) -> Self {
        let reason = Reason::UnsafeAddress { address: Some(address.to_string()) };
        Self::Doubtful(reason, Doubt::Names { denied: false })
    }

    /// A URL or a connection leads to this address, which may not be dialled.
    pub(crate) fn unsafe_address(address: Option<IpAddr>) -> Self {
        Self::Site(Reason::UnsafeAddress { address: address.map(|address| address.to_string()) })
    }

    /// The other side closed the connection before an answer.
    pub(super) fn closed() -> Self {
        Self::connect(ConnectKind::Closed)
    }

    /// What an error of a connection of our own means.
    pub(super) fn of_error(error: &(dyn Error + 'static)) -> Self {
        let failure = causes(error).find_map(Self::of_cause).or_else(|| Self::of_innermost_io(error));
        failure.unwrap_or_else(|| Self::connect(ConnectKind::Other))
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

    /// What a failure of a careful request means. Where it is not plain that hyper would see the same, hyper is to look,
    /// and that needs memory.
    pub(super) fn of_careful(self) -> Self {
        match self {
            Self::Site(Reason::Protocol | Reason::Tls { kind: TlsKind::Other }) => Self::NeedsMemory,
            failure => failure,
        }
    }

    /// The same where a proxy is between us and the site. `tunnel`: it has connected us with the site, so that
    /// what came since then is the site's.
    pub(super) fn of_proxy(self, tunnel: bool) -> Self {
        let reason = match self {
            // It was judged where the proxy's answer was read.
            Self::Own(_) | Self::NoMemory | Self::NeedsMemory | Self::Doubtful(_, Doubt::Proxy) => {
                return self;
            }
            Self::Site(reason) | Self::Doubtful(reason, _) => reason,
        };
        match reason {
            // Before anything was sent: an address that we must not ask for.
            Reason::UnsafeAddress { .. }
            | Reason::BadUrl { .. }
            | Reason::Timeout { phase: Phase::Queue } => Self::Site(reason),
            reason if tunnel => Self::Site(reason),
            Reason::Dns { .. }
            | Reason::Connect { kind: ConnectKind::Refused | ConnectKind::Unreachable } => {
                Self::Own(OwnFault::Proxy)
            }
            // It would not connect us, and does not say why in a way that can be told apart.
            Reason::Connect { kind: ConnectKind::Other } => {
                Self::Doubtful(Reason::Connect { kind: ConnectKind::Unreachable }, Doubt::Proxy)
            }
            reason => Self::Doubtful(reason, Doubt::Proxy),
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

    /// Whether an established connection ended before an answer.
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Site(Reason::Connect { kind: ConnectKind::Reset | ConnectKind::Closed }))
    }

    /// A failure to reach an address may be our network's fault, except where the address is this machine's own.
    fn of_network(reason: Reason, no_route: bool) -> Self {
        match progress::dialled() {
            dialled if dialled.public => Self::Doubtful(reason, Doubt::Internet { no_route }),
            dialled if dialled.loopback => Self::Site(reason),
            _ => Self::Doubtful(reason, Doubt::Inside),
        }
    }

    fn connect(kind: ConnectKind) -> Self {
        Self::Site(Reason::Connect { kind })
    }

    pub(super) fn of_io(error: &io::Error) -> Self {
        if let Some(fault) = own_fault(error) {
            return Self::Own(fault);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Self::of_network(Reason::Connect { kind: ConnectKind::Refused }, false)
            }
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
                let no_route = error.kind() != io::ErrorKind::HostUnreachable;
                Self::of_network(Reason::Connect { kind: ConnectKind::Unreachable }, no_route)
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
        if may_be_over_size(error) {
            return Self::NeedsMemory;
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

/// What can be done about a failure that is our library's and not the site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The server did not look at the request, and says so: send it again.
    SendAgain,
    /// Look again with `lenient`.
    LookAgain,
    /// What comes over HTTP/2 cannot be read. Browsers are more lenient there; over HTTP/1.1 `lenient` is.
    SpeakHttp1,
}

impl Remedy {
    /// By the error with which a request ended.
    pub(super) fn of(error: &reqwest::Error) -> Option<Self> {
        causes(error).find_map(|cause| {
            if let Some(error) = cause.downcast_ref::<h2::Error>() {
                match error.reason() {
                    // RFC 9113 §7: over HTTP/2 the server will not answer this.
                    Some(h2::Reason::HTTP_1_1_REQUIRED) => Some(Self::LookAgain),
                    // RFC 9113 §8.7: it was not processed.
                    Some(h2::Reason::REFUSED_STREAM) => Some(Self::SendAgain),
                    // RFC 9113 §6.8: nor was this. h2 tells so only of requests that the server will not answer.
                    _ if error.is_go_away() && error.is_remote() => Some(Self::SendAgain),
                    _ if is_unreadable(error) => Some(Self::SpeakHttp1),
                    _ => None,
                }
            } else {
                let error = cause.downcast_ref::<hyper::Error>()?;
                error.is_parse().then_some(Self::LookAgain)
            }
        })
    }
}

/// Whether our own side may have refused an answer because its head is over the limit. h2 has no code of its own for
/// that. Far beyond the limit it ends the whole connection.
fn may_be_over_size(error: &h2::Error) -> bool {
    error.is_library()
        && match error.reason() {
            Some(h2::Reason::PROTOCOL_ERROR) => error.is_reset(),
            Some(h2::Reason::ENHANCE_YOUR_CALM | h2::Reason::COMPRESSION_ERROR) => true,
            _ => false,
        }
}

/// Whether our own side refused what the server sent, and not for its size alone.
pub(super) fn is_unreadable(error: &h2::Error) -> bool {
    let is_size =
        matches!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM | h2::Reason::COMPRESSION_ERROR));
    error.is_library() && !is_size
}

/// A want of our own: of descriptors, buffers or memory.
pub(crate) fn own_fault(error: &io::Error) -> Option<OwnFault> {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Some(OwnFault::Resources),
        _ => None,
    }
}

/// An error and its causes, from the outside in.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
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
    async fn what_cannot_be_reached_is_doubtful_unless_it_is_this_machine() {
        let unreachable = Reason::Connect { kind: ConnectKind::Unreachable };
        let refused = Reason::Connect { kind: ConnectKind::Refused };
        let late = Reason::Timeout { phase: Phase::Connect };
        for (code, reason, no_route) in [
            (libc::ENETUNREACH, unreachable.clone(), true),
            (libc::EHOSTUNREACH, unreachable.clone(), false),
            (libc::ECONNREFUSED, refused, false),
            (libc::ETIMEDOUT, late, false),
        ] {
            let doubt = Doubt::Internet { no_route };
            assert_eq!(of(code, "1.1.1.1").await, Failure::Doubtful(reason.clone(), doubt));
            assert_eq!(of(code, "10.0.0.1").await, Failure::Doubtful(reason.clone(), Doubt::Inside));
            assert_eq!(of(code, "127.0.0.1").await, Failure::Site(reason));
        }
        let doubt = Doubt::Internet { no_route: true };
        assert_eq!(of(libc::EADDRNOTAVAIL, "2606:4700::1").await, Failure::Doubtful(unreachable, doubt));
    }
}
